"""Deleting what the rules of ``[retention]`` no longer keep: first planned, then done.

People are erased one by one, each as completely as by `mailer subscribers erase`, so that an interruption
leaves nobody half erased. Freed database pages are overwritten once, at the end.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Update, update
from sqlmodel import Session, col, delete, func, select

from mailer.database.approval_models import ApprovalReviewer
from mailer.database.comment_models import CommentThread
from mailer.database.engine import open_session
from mailer.database.feedback_models import Evidence, FeedbackEvent
from mailer.database.models import Delivery, SentTest
from mailer.database.report_figures import forget_figures
from mailer.database.report_models import CampaignReportPart, ReportPart
from mailer.database.secure_delete import mask_addresses
from mailer.database.verification_models import FakeMail
from mailer.privacy.erasure import clean_files_naming, erase_files_and_rows, overwrite_freed_pages
from mailer.privacy.feedback_data import delete_old_feedback
from mailer.privacy.retention_rules import (
    LONG_GONE,
    OLD_COMMENTS,
    OLD_FAKES,
    OLD_REPLIES,
    OLD_REVIEWERS,
    OLD_TESTS,
    RULES,
    UNCONFIRMED,
    months_before,
)
from mailer.settings import RetentionSettings
from mailer.workspace import Workspace
from subscribers.models import MailedLink, Subscriber
from subscribers.one_time_links import delete_expired_links

EXPIRED_LINKS_KEPT = timedelta(days=30)
"""How long an expired link is kept, so that its page can say that it has expired."""


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
            forget_figures(session.connection(), _has_deliveries(old), [ReportPart.reasons])
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


def _has_deliveries(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition on a part of a report that its campaign has deliveries for which ``condition`` holds."""
    return col(CampaignReportPart.campaign_id).in_(select(Delivery.campaign_id).where(condition))


def _forget_recorded_refusals(rules: RetentionSettings, now: datetime) -> Update:
    """What a server says when it refuses a message is recorded with what came back, too."""
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
