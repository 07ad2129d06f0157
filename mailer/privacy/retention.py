"""The rules of ``[retention]``, and deleting what they no longer keep: first planned, then done.

People are erased one by one, each as completely as by `mailer subscribers erase`, so that an interruption
leaves nobody half erased. Freed database pages are overwritten once, at the end.
"""

import calendar
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Engine, Update, exists, update
from sqlmodel import Session, col, delete, func, select

from mailer.database.approval_models import ApprovalReviewer, ApprovalRound
from mailer.database.edition_models import CommentThread
from mailer.database.engine import open_session
from mailer.database.feedback_models import Evidence, FakeMail, FeedbackEvent, FeedbackMessage
from mailer.database.models import Delivery, DeliveryState, SentTest
from mailer.database.report_models import CampaignReportPart, ReportPart, forget_figures
from mailer.database.secure_delete import mask_addresses
from mailer.privacy.erasure import clean_files_naming, erase_files_and_rows, overwrite_freed_pages
from mailer.privacy.feedback_data import delete_old_feedback, is_old_feedback
from mailer.settings import RetentionSettings
from mailer.workspace import Workspace
from subscribers.models import MailedLink, SignUpReview, Status, Subscriber
from subscribers.one_time_links import delete_expired_links

_GONE_STATUSES = (Status.unsubscribed, Status.bounced, Status.complained)
_FINAL_STATES = (DeliveryState.sent, DeliveryState.rejected, DeliveryState.failed, DeliveryState.suppressed)
EXPIRED_LINKS_KEPT = timedelta(days=30)
"""How long an expired link is kept, so that its page can say that it has expired."""


@dataclass(frozen=True, kw_only=True)
class RetentionRule:
    """One rule: the ``setting`` that turns it on, the ``table`` of its rows, and ``select_old``, which makes
    the condition on them of the setting's number and the time now. ``reason`` says why, with the field
    ``limit`` for that number.
    """

    setting: str
    table: type
    what: str
    reason: str
    select_old: Callable[[int, datetime], ColumnElement[bool]] = field(repr=False)

    def find_limit(self, rules: RetentionSettings) -> int | None:
        """Return the number of its setting; None if the rule is off."""
        limit: int | None = getattr(rules, self.setting)
        return limit

    def find_condition(self, rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
        """Return the condition on the rows it is about ``now``; None if the rule is off."""
        limit = self.find_limit(rules)
        return None if limit is None else self.select_old(limit, now)


def months_before(moment: datetime, months: int) -> datetime:
    """Return the same day of the month, that many months earlier; the last day if that month is shorter."""
    whole = moment.year * 12 + moment.month - 1 - months
    year, month = divmod(whole, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _is_unconfirmed(days: int, now: datetime) -> ColumnElement[bool]:
    was_mailed = exists().where(col(Delivery.subscriber_id) == col(Subscriber.id))
    # Whoever has confirmed waits for the team, however long the team takes.
    waits = exists().where(
        col(SignUpReview.subscriber_id) == col(Subscriber.id), col(SignUpReview.declined_at).is_(None)
    )
    return (
        (col(Subscriber.status) == Status.pending)
        & (col(Subscriber.updated_at) < now - timedelta(days=days))
        & ~was_mailed
        & ~waits
    )


def _has_old_reply(months: int, now: datetime) -> ColumnElement[bool]:
    # Deliveries in doubt keep the server's reply, because a person has yet to decide about them.
    return (
        col(Delivery.state).in_(_FINAL_STATES)
        & (col(Delivery.reason) != "")
        & (col(Delivery.updated_at) < months_before(now, months))
    )


def _has_old_reviewer(months: int, now: datetime) -> ColumnElement[bool]:
    # What was never answered has no end.
    ended = func.coalesce(col(ApprovalRound.ended_at), col(ApprovalRound.asked_at))
    old = select(ApprovalRound.id).where(ended < months_before(now, months))
    return (col(ApprovalReviewer.email) != "") & col(ApprovalReviewer.round_id).in_(old)


UNCONFIRMED: Final = RetentionRule(
    setting="pending_days",
    table=Subscriber,
    what="sign-ups to delete",
    reason="not confirmed within {limit} days",
    select_old=_is_unconfirmed,
)
LONG_GONE: Final = RetentionRule(
    setting="gone_months",
    table=Subscriber,
    what="people to erase, except for a keyed hash",
    reason="unsubscribed, bounced or complained, and unchanged for {limit} months",
    select_old=lambda months, now: (
        col(Subscriber.status).in_(_GONE_STATUSES) & (col(Subscriber.updated_at) < months_before(now, months))
    ),
)
OLD_REPLIES: Final = RetentionRule(
    setting="reply_months",
    table=Delivery,
    what="deliveries to delete the server's reply from",
    reason="settled more than {limit} months ago; their state is kept",
    select_old=_has_old_reply,
)
OLD_TESTS: Final = RetentionRule(
    setting="test_months",
    table=SentTest,
    what="tests to delete the address from",
    reason="sent more than {limit} months ago; the tests are kept",
    select_old=lambda months, now: (
        (col(SentTest.address) != "") & (col(SentTest.sent_at) < months_before(now, months))
    ),
)
OLD_FEEDBACK: Final = RetentionRule(
    setting="feedback_months",
    table=FeedbackMessage,
    what="messages that came back to empty",
    reason="received more than {limit} months ago; those that wait for a person are kept",
    select_old=lambda months, now: is_old_feedback(months_before(now, months)),
)
OLD_FAKES: Final = RetentionRule(
    setting="fake_months",
    table=FakeMail,
    what="fakes to delete",
    reason="last submitted more than {limit} months ago",
    select_old=lambda months, now: col(FakeMail.last_at) < months_before(now, months),
)
OLD_COMMENTS: Final = RetentionRule(
    setting="comment_months",
    table=CommentThread,
    what="comments of the team to delete, with their replies",
    reason="resolved more than {limit} months ago",
    select_old=lambda months, now: col(CommentThread.resolved_at) < months_before(now, months),
)
OLD_REVIEWERS: Final = RetentionRule(
    setting="reviewer_months",
    table=ApprovalReviewer,
    what="outside reviewers to delete the address of",
    reason="asked for an approval that ended more than {limit} months ago",
    select_old=_has_old_reviewer,
)
RULES: Final[Sequence[RetentionRule]] = (
    UNCONFIRMED,
    LONG_GONE,
    OLD_REPLIES,
    OLD_TESTS,
    OLD_FEEDBACK,
    OLD_FAKES,
    OLD_COMMENTS,
    OLD_REVIEWERS,
)


@dataclass(frozen=True, kw_only=True)
class RetentionResult:
    """One rule and its result: ``number`` of ``what``, because of ``reason``."""

    setting: str
    number: int
    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.number} {self.what}: {self.reason}"


def plan_pruning(engine: Engine, rules: RetentionSettings, *, now: datetime) -> tuple[RetentionResult, ...]:
    """Return what :func:`prune` would do ``now``, for each rule that is on. Writes nothing."""
    with open_session(engine, read_only=True) as session:
        return tuple(_plan(session, rules, now))


def prune(
    workspace: Workspace, engine: Engine, *, now: datetime, on_person: Callable[[], None] = lambda: None
) -> tuple[RetentionResult, ...]:
    """Apply the rules and return the result of each. ``on_person`` is called after each person erased. If
    interrupted, calling it again finishes the work. Raise ErasureError if a file could not be cleaned; the
    people before this one are erased. Raise IncompleteErasureError as :func:`overwrite_freed_pages` does.
    """
    rules = workspace.settings.retention
    planned = plan_pruning(engine, rules, now=now)
    unconfirmed = UNCONFIRMED.find_condition(rules, now)
    for address in _list_addresses(engine, unconfirmed):
        _delete_unconfirmed(workspace, engine, address, unconfirmed)
        on_person()
    for address in _list_addresses(engine, LONG_GONE.find_condition(rules, now)):
        erase_files_and_rows(workspace, engine, address, method="retention", now=now)
        on_person()
    with open_session(engine) as session:
        if (old := OLD_REPLIES.find_condition(rules, now)) is not None:
            # Before the replies, by which it finds the campaigns: reports keep replies that mean the same.
            campaigns = select(Delivery.campaign_id).where(old)
            reports = col(CampaignReportPart.campaign_id).in_(campaigns)
            forget_figures(session.connection(), reports, [ReportPart.reasons])
            session.connection().execute(update(Delivery).where(old).values(reason=""))
            session.connection().execute(_forget_recorded_refusals(rules, now))
        if (old := OLD_TESTS.find_condition(rules, now)) is not None:
            session.connection().execute(update(SentTest).where(old).values(address=""))
        if rules.feedback_months is not None:
            delete_old_feedback(session.connection(), months_before(now, rules.feedback_months))
        if (old := OLD_FAKES.find_condition(rules, now)) is not None:
            session.connection().execute(delete(FakeMail).where(old))
        if (old := OLD_REVIEWERS.find_condition(rules, now)) is not None:
            forgotten = {"email": "", "digest": None}
            session.connection().execute(update(ApprovalReviewer).where(old).values(forgotten))
        if (old := OLD_COMMENTS.find_condition(rules, now)) is not None:
            # Its comments, and whom they mention, go with it.
            session.connection().execute(delete(CommentThread).where(old))
        delete_expired_links(session, expired_before=now - EXPIRED_LINKS_KEPT)
        session.commit()
    if any(rule.number for rule in planned):
        overwrite_freed_pages(engine)
    return planned


def _plan(session: Session, rules: RetentionSettings, now: datetime) -> Iterator[RetentionResult]:
    for rule in RULES:
        if (condition := rule.find_condition(rules, now)) is not None:
            yield RetentionResult(
                setting=rule.setting,
                number=_count(session, rule.table, condition),
                what=rule.what,
                reason=rule.reason.format(limit=rule.find_limit(rules)),
            )
    yield RetentionResult(
        setting="",
        number=_count(session, MailedLink, col(MailedLink.expires_at) < now - EXPIRED_LINKS_KEPT),
        what="mailed links to delete",
        reason=f"expired more than {EXPIRED_LINKS_KEPT.days} days ago",
    )


def _count(session: Session, table: type, condition: ColumnElement[bool]) -> int:
    return session.exec(select(func.count()).select_from(table).where(condition)).one()


def _forget_recorded_refusals(rules: RetentionSettings, now: datetime) -> Update:
    """Return the change for what servers said when they refused a message, recorded with what came back."""
    assert rules.reply_months is not None  # noqa: S101 - the caller has found old replies by it
    old = col(FeedbackEvent.at) < months_before(now, rules.reply_months)
    is_refusal = col(FeedbackEvent.evidence) == Evidence.refusal
    return update(FeedbackEvent).where(is_refusal, old).values(words="", address="")


def _list_addresses(engine: Engine, condition: ColumnElement[bool] | None) -> list[str]:
    if condition is None:
        return []
    with open_session(engine, read_only=True) as session:
        return list(session.exec(select(Subscriber.email).where(condition).order_by(col(Subscriber.id))))


def _delete_unconfirmed(
    workspace: Workspace, engine: Engine, address: str, condition: ColumnElement[bool] | None
) -> None:
    """Delete an unconfirmed sign-up and its records. No hash is kept, because nobody unsubscribed. The
    condition is checked again, in case the sign-up is confirmed at this very moment.
    """
    assert condition is not None  # noqa: S101 - the address was found by it
    _, matcher, _ = clean_files_naming(workspace, engine, address)
    with open_session(engine) as session:
        gone = session.exec(delete(Subscriber).where(col(Subscriber.email) == address, condition))
        if gone.rowcount:
            mask_addresses(session.connection(), matcher.text_pattern, matcher.spellings)
        session.commit()
