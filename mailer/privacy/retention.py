"""Keeping no longer than needed: what the rules of ``[retention]`` let go, told first and then done.

People are forgotten one by one, each as wholly as by `mailer subscribers erase`, so that a cut leaves nobody
half forgotten; what the database freed is overwritten once, at the end.
"""

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, exists, update
from sqlmodel import Session, col, delete, func, select

from mailer.database.engine import open_session
from mailer.database.models import Delivery, DeliveryState
from mailer.privacy.erasure import clean_files_naming, erase_files_and_rows, overwrite_freed_pages
from mailer.settings import RetentionSettings
from mailer.workspace import Workspace
from subscribers.models import MailedLink, Status, Subscriber
from subscribers.one_time_links import delete_expired_links

EXPIRED_LINKS_KEPT = timedelta(days=30)
"""For how long a mailed link is remembered after it expired, to tell somebody that it was genuine."""

_GONE_STATUSES = (Status.unsubscribed, Status.bounced, Status.complained)
_FINAL_STATES = (DeliveryState.sent, DeliveryState.rejected, DeliveryState.failed, DeliveryState.suppressed)


@dataclass(frozen=True, kw_only=True)
class RetentionResult:
    """One rule and what it comes to: ``number`` of ``what``, because of ``reason``."""

    setting: str
    number: int
    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.number} {self.what}: {self.reason}"


def plan_pruning(engine: Engine, rules: RetentionSettings, *, now: datetime) -> tuple[RetentionResult, ...]:
    """What :func:`prune` would do ``now``, rule by rule, those that are off left out. Writes nothing."""
    with open_session(engine, read_only=True) as reading:
        return tuple(_plan(reading, rules, now))


def prune(
    workspace: Workspace, engine: Engine, *, now: datetime, on_person: Callable[[], None] = lambda: None
) -> tuple[RetentionResult, ...]:
    """Do what the rules say, and tell what that came to. ``on_person`` is called for each that is forgotten.

    Cut off, it is finished by doing it again.

    Raises:
        ErasureError: a file could not be cleaned; whoever came before is forgotten.
        IncompleteErasureError: what the database freed could not be overwritten yet.
    """
    rules = workspace.settings.retention
    planned = plan_pruning(engine, rules, now=now)
    for address in _list_addresses(engine, _is_unconfirmed(rules, now)):
        _delete_unconfirmed(workspace, engine, address, _is_unconfirmed(rules, now))
        on_person()
    for address in _list_addresses(engine, _is_long_gone(rules, now)):
        erase_files_and_rows(workspace, engine, address, method="retention", now=now)
        on_person()
    with open_session(engine) as writing:
        if (old := _has_old_reply(rules, now)) is not None:
            writing.connection().execute(update(Delivery).where(old).values(reason=""))
        delete_expired_links(writing, expired_before=now - EXPIRED_LINKS_KEPT)
        writing.commit()
    if any(rule.number for rule in planned):
        overwrite_freed_pages(engine)
    return planned


def _plan(reading: Session, rules: RetentionSettings, now: datetime) -> Iterator[RetentionResult]:
    if (unconfirmed := _is_unconfirmed(rules, now)) is not None:
        yield RetentionResult(
            setting="pending_days",
            number=_count(reading, Subscriber, unconfirmed),
            what="sign-ups to delete",
            reason=f"nobody confirmed them for {rules.pending_days} days",
        )
    if (gone := _is_long_gone(rules, now)) is not None:
        yield RetentionResult(
            setting="gone_months",
            number=_count(reading, Subscriber, gone),
            what="people to erase but for a keyed hash",
            reason=f"they left, bounced or complained, and nothing changed for {rules.gone_months} months",
        )
    if (old := _has_old_reply(rules, now)) is not None:
        yield RetentionResult(
            setting="reply_months",
            number=_count(reading, Delivery, old),
            what="deliveries to take the servers' words from",
            reason=f"they were settled more than {rules.reply_months} months ago; their state stays",
        )
    yield RetentionResult(
        setting="",
        number=_count(reading, MailedLink, col(MailedLink.expires_at) < now - EXPIRED_LINKS_KEPT),
        what="mailed links to delete",
        reason=f"they expired more than {EXPIRED_LINKS_KEPT.days} days ago",
    )


def _count(reading: Session, table: type, condition: ColumnElement[bool]) -> int:
    return reading.exec(select(func.count()).select_from(table).where(condition)).one()


def _is_unconfirmed(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    if rules.pending_days is None:
        return None
    was_mailed = exists().where(col(Delivery.subscriber_id) == col(Subscriber.id))
    return (
        (col(Subscriber.status) == Status.pending)
        & (col(Subscriber.updated_at) < now - timedelta(days=rules.pending_days))
        & ~was_mailed
    )


def _is_long_gone(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    if rules.gone_months is None:
        return None
    return col(Subscriber.status).in_(_GONE_STATUSES) & (
        col(Subscriber.updated_at) < months_before(now, rules.gone_months)
    )


def _has_old_reply(rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
    """Deliveries in doubt keep their words: a person has yet to decide about them."""
    if rules.reply_months is None:
        return None
    return (
        col(Delivery.state).in_(_FINAL_STATES)
        & (col(Delivery.reason) != "")
        & (col(Delivery.updated_at) < months_before(now, rules.reply_months))
    )


def _list_addresses(engine: Engine, condition: ColumnElement[bool] | None) -> list[str]:
    if condition is None:
        return []
    with open_session(engine, read_only=True) as reading:
        return list(reading.exec(select(Subscriber.email).where(condition).order_by(col(Subscriber.id))))


def _delete_unconfirmed(
    workspace: Workspace, engine: Engine, address: str, condition: ColumnElement[bool] | None
) -> None:
    """Delete somebody who never confirmed, row and records: there is no hash to keep, because nobody left.
    The condition is asked again, in case they confirm at this moment.
    """
    assert condition is not None  # noqa: S101 - the address was found by it
    clean_files_naming(workspace, engine, address)
    with open_session(engine) as writing:
        writing.exec(delete(Subscriber).where(col(Subscriber.email) == address, condition))
        writing.commit()


def months_before(moment: datetime, months: int) -> datetime:
    """The same day of the month, that many months earlier; the last of a month that is shorter."""
    whole = moment.year * 12 + moment.month - 1 - months
    year, month = divmod(whole, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
