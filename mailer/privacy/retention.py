"""Deleting what the rules of ``[retention]`` no longer keep: first planned, then done.

People are erased one by one, each as completely as by `mailer subscribers erase`, so that an interruption
leaves nobody half erased. Freed database pages are overwritten once, at the end.
"""

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Update, exists, update
from sqlmodel import Session, col, delete, func, select

from mailer.database.approval_models import ApprovalReviewer, ApprovalRound
from mailer.database.comment_models import CommentThread
from mailer.database.engine import open_session
from mailer.database.feedback_models import Evidence, FeedbackEvent, FeedbackMessage
from mailer.database.models import Delivery, DeliveryState, SentTest
from mailer.database.report_figures import forget_figures
from mailer.database.report_models import CampaignReportPart, ReportPart
from mailer.database.secure_delete import mask_addresses
from mailer.database.verification_models import FakeMail
from mailer.privacy.erasure import clean_files_naming, erase_files_and_rows, overwrite_freed_pages
from mailer.privacy.feedback_data import delete_old_feedback, is_old_feedback
from mailer.settings import RetentionSettings
from mailer.workspace import Workspace
from subscribers.models import MailedLink, SignUpReview, Status, Subscriber
from subscribers.one_time_links import delete_expired_links

EXPIRED_LINKS_KEPT = timedelta(days=30)
"""How long an expired link is kept, so that its page can say that it has expired."""

_GONE_STATUSES = (Status.unsubscribed, Status.bounced, Status.complained)
_FINAL_STATES = (DeliveryState.sent, DeliveryState.rejected, DeliveryState.failed, DeliveryState.suppressed)


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
    """Apply the rules and return the result of each. ``on_person`` is called after each person erased.

    If interrupted, calling it again finishes the work.

    Raises:
        ErasureError: a file could not be cleaned; the people before this one are erased.
        IncompleteErasureError: freed pages could not be overwritten yet.
    """
    rules = workspace.settings.retention
    planned = plan_pruning(engine, rules, now=now)
    for address in _list_addresses(engine, _is_unconfirmed(rules, now)):
        _delete_unconfirmed(workspace, engine, address, _is_unconfirmed(rules, now))
        on_person()
    for address in _list_addresses(engine, _is_long_gone(rules, now)):
        erase_files_and_rows(workspace, engine, address, method="retention", now=now)
        on_person()
    with open_session(engine) as session:
        if (old := _has_old_reply(rules, now)) is not None:
            # Before the replies, by which it finds the campaigns: reports keep replies that mean the same.
            forget_figures(session.connection(), _has_deliveries(old), [ReportPart.reasons])
            session.connection().execute(update(Delivery).where(old).values(reason=""))
            session.connection().execute(_forget_recorded_refusals(rules, now))
        if (old := _has_old_address(rules, now)) is not None:
            session.connection().execute(update(SentTest).where(old).values(address=""))
        if rules.feedback_months is not None:
            delete_old_feedback(session.connection(), months_before(now, rules.feedback_months))
        if (old := _is_old_fake(rules, now)) is not None:
            session.connection().execute(delete(FakeMail).where(old))
        if (old := _has_old_reviewer(rules, now)) is not None:
            forgotten = {"email": "", "digest": None}
            session.connection().execute(update(ApprovalReviewer).where(old).values(forgotten))
        if (old := _is_old_comment(rules, now)) is not None:
            # Its comments, and whom they mention, go with it.
            session.connection().execute(delete(CommentThread).where(old))
        delete_expired_links(session, expired_before=now - EXPIRED_LINKS_KEPT)
        session.commit()
    if any(rule.number for rule in planned):
        overwrite_freed_pages(engine)
    return planned


def _plan(session: Session, rules: RetentionSettings, now: datetime) -> Iterator[RetentionResult]:
    if (unconfirmed := _is_unconfirmed(rules, now)) is not None:
        yield RetentionResult(
            setting="pending_days",
            number=_count(session, Subscriber, unconfirmed),
            what="sign-ups to delete",
            reason=f"not confirmed within {rules.pending_days} days",
        )
    if (gone := _is_long_gone(rules, now)) is not None:
        yield RetentionResult(
            setting="gone_months",
            number=_count(session, Subscriber, gone),
            what="people to erase, except for a keyed hash",
            reason=f"unsubscribed, bounced or complained, and unchanged for {rules.gone_months} months",
        )
    if (old := _has_old_reply(rules, now)) is not None:
        yield RetentionResult(
            setting="reply_months",
            number=_count(session, Delivery, old),
            what="deliveries to delete the server's reply from",
            reason=f"settled more than {rules.reply_months} months ago; their state is kept",
        )
    if (old := _has_old_address(rules, now)) is not None:
        yield RetentionResult(
            setting="test_months",
            number=_count(session, SentTest, old),
            what="tests to delete the address from",
            reason=f"sent more than {rules.test_months} months ago; the tests are kept",
        )
    if rules.feedback_months is not None:
        old = is_old_feedback(months_before(now, rules.feedback_months))
        yield RetentionResult(
            setting="feedback_months",
            number=_count(session, FeedbackMessage, old),
            what="messages that came back to empty",
            reason=f"received more than {rules.feedback_months} months ago; those that wait for a person are "
            "kept",
        )
    if (old := _is_old_fake(rules, now)) is not None:
        yield RetentionResult(
            setting="fake_months",
            number=_count(session, FakeMail, old),
            what="fakes to delete",
            reason=f"last submitted more than {rules.fake_months} months ago",
        )
    if (old := _is_old_comment(rules, now)) is not None:
        yield RetentionResult(
            setting="comment_months",
            number=_count(session, CommentThread, old),
            what="comments of the team to delete, with their replies",
            reason=f"resolved more than {rules.comment_months} months ago",
        )
    if (old := _has_old_reviewer(rules, now)) is not None:
        yield RetentionResult(
            setting="reviewer_months",
            number=_count(session, ApprovalReviewer, old),
            what="outside reviewers to delete the address of",
            reason=f"asked for an approval that ended more than {rules.reviewer_months} months ago",
        )
    yield RetentionResult(
        setting="",
        number=_count(session, MailedLink, col(MailedLink.expires_at) < now - EXPIRED_LINKS_KEPT),
        what="mailed links to delete",
        reason=f"expired more than {EXPIRED_LINKS_KEPT.days} days ago",
    )


def _count(session: Session, table: type, condition: ColumnElement[bool]) -> int:
    return session.exec(select(func.count()).select_from(table).where(condition)).one()


def _has_old_reviewer(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    if rules.reviewer_months is None:
        return None
    # What was never answered has no end.
    ended = func.coalesce(col(ApprovalRound.ended_at), col(ApprovalRound.asked_at))
    old = select(ApprovalRound.id).where(ended < months_before(now, rules.reviewer_months))
    return (col(ApprovalReviewer.email) != "") & col(ApprovalReviewer.round_id).in_(old)


def _is_old_comment(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    if rules.comment_months is None:
        return None
    return col(CommentThread.resolved_at) < months_before(now, rules.comment_months)


def _is_unconfirmed(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    if rules.pending_days is None:
        return None
    was_mailed = exists().where(col(Delivery.subscriber_id) == col(Subscriber.id))
    # Whoever has confirmed waits for the team, however long the team takes.
    waits = exists().where(
        col(SignUpReview.subscriber_id) == col(Subscriber.id), col(SignUpReview.declined_at).is_(None)
    )
    return (
        (col(Subscriber.status) == Status.pending)
        & (col(Subscriber.updated_at) < now - timedelta(days=rules.pending_days))
        & ~was_mailed
        & ~waits
    )


def _is_long_gone(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    if rules.gone_months is None:
        return None
    return col(Subscriber.status).in_(_GONE_STATUSES) & (
        col(Subscriber.updated_at) < months_before(now, rules.gone_months)
    )


def _has_old_reply(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    """Deliveries in doubt keep the server's reply, because a person has yet to decide about them."""
    if rules.reply_months is None:
        return None
    return (
        col(Delivery.state).in_(_FINAL_STATES)
        & (col(Delivery.reason) != "")
        & (col(Delivery.updated_at) < months_before(now, rules.reply_months))
    )


def _has_deliveries(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition on a part of a report that its campaign has deliveries for which ``condition`` holds."""
    return col(CampaignReportPart.campaign_id).in_(select(Delivery.campaign_id).where(condition))


def _forget_recorded_refusals(rules: RetentionSettings, now: datetime) -> Update:
    """What a server says when it refuses a message is recorded with what came back, too."""
    assert rules.reply_months is not None  # noqa: S101 - the caller has found old replies by it
    old = col(FeedbackEvent.at) < months_before(now, rules.reply_months)
    is_refusal = col(FeedbackEvent.evidence) == Evidence.refusal
    return update(FeedbackEvent).where(is_refusal, old).values(words="", address="")


def _has_old_address(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    if rules.test_months is None:
        return None
    return (col(SentTest.address) != "") & (col(SentTest.sent_at) < months_before(now, rules.test_months))


def _is_old_fake(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    if rules.fake_months is None:
        return None
    return col(FakeMail.last_at) < months_before(now, rules.fake_months)


def _list_addresses(engine: Engine, condition: ColumnElement[bool] | None) -> list[str]:
    if condition is None:
        return []
    with open_session(engine, read_only=True) as session:
        return list(session.exec(select(Subscriber.email).where(condition).order_by(col(Subscriber.id))))


def _delete_unconfirmed(
    workspace: Workspace, engine: Engine, address: str, condition: ColumnElement[bool] | None
) -> None:
    """Delete an unconfirmed sign-up and its records. No hash is kept, because nobody unsubscribed.

    The condition is checked again, in case the sign-up is confirmed at this very moment.
    """
    assert condition is not None  # noqa: S101 - the address was found by it
    _, matcher, _ = clean_files_naming(workspace, engine, address)
    with open_session(engine) as session:
        gone = session.exec(delete(Subscriber).where(col(Subscriber.email) == address, condition))
        if gone.rowcount:
            mask_addresses(session.connection(), matcher.text_pattern, matcher.spellings)
        session.commit()


def months_before(moment: datetime, months: int) -> datetime:
    """Return the same day of the month, that many months earlier; the last day if that month is shorter."""
    whole = moment.year * 12 + moment.month - 1 - months
    year, month = divmod(whole, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
