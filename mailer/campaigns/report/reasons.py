"""Why readers did not get the mail, and what came back: bounces, complaints, replies, who left by mail.

The database groups replies that mean the same.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, or_
from sqlalchemy import select as select_columns
from sqlmodel import col

from mailer.database.feedback_models import (
    FAILED_ACTIONS,
    Consequence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
)
from mailer.database.models import Delivery, DeliveryState
from mailer.providers.refusal_advice import RefusalExplanation, explain_refusal
from mailer.reasons.reason import Fault, Reason
from mailer.smtp.reply_classifier import is_dead_address
from subscribers.models import Subscriber

_STATES_WITH_REASON = (
    DeliveryState.rejected,
    DeliveryState.failed,
    DeliveryState.deferred,
    DeliveryState.suppressed,
    DeliveryState.in_doubt,
)
_STATES_WITH_REPLY = (DeliveryState.rejected, DeliveryState.deferred, DeliveryState.failed)

# What differs between replies that mean the same: addresses, and the ids by which a server identifies a
# message. The patterns work the same in Python and in PostgreSQL.
_ADDRESS_PATTERN = r"<?[^\s<>]+@[^\s<>:,;]+>?"
_TIME_PATTERN = r", \d{4}-\d\d-\d\d \d\d:\d\d UTC$"
_ID_PATTERN = r"(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,}"
_MASKS = ((_TIME_PATTERN, ""), (_ADDRESS_PATTERN, "<…>"), (_ID_PATTERN, "…"))
_MAX_REASONS = 100
_MAX_ADVICE = 5
_MAX_ALARMS = 20
_MAX_LEFT = 1000


@dataclass(frozen=True, kw_only=True)
class ReasonGroup:
    """Deliveries with the same outcome. ``reason`` is the server's reply or our own text, without addresses
    and message ids; of those sent, only deliveries that had been in doubt have one. ``dead_address`` marks
    refusals because the address does not work, as opposed to refusals of the sender."""

    state: DeliveryState
    number: int
    reason: str
    dead_address: bool = False

    @property
    def cause(self) -> Reason | None:
        """What the words of a server mean; None if they are not a server's, or say nothing we understand."""
        told = self.explain()
        return None if told is None or told.reason is Reason.other else told.reason

    @property
    def fault(self) -> Fault | None:
        told = self.explain()
        return told.fault if told else None

    def explain(self) -> RefusalExplanation | None:
        """Return what a server's refusal means and what to do; None if it was no server that said it."""
        if self.state not in _STATES_WITH_REPLY or not self.reason[:3].isdecimal():
            return None
        return explain_refusal(self.reason, command="RCPT" if self.dead_address else "")

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "cause": self.cause, "fault": self.fault}


def group_reasons(connection: Connection, campaign_id: int) -> tuple[ReasonGroup, ...]:
    """Group deliveries whose reasons differ only in an address or an id; return the largest groups."""
    words = mask_details(connection, col(Delivery.reason))
    # Failed deliveries have a reason, and so do deliveries that were in doubt and have been settled.
    explained = or_(
        col(Delivery.state).in_(_STATES_WITH_REASON),
        and_(col(Delivery.state) == DeliveryState.sent, col(Delivery.doubted)),
    )
    number, state = func.count(), col(Delivery.state)
    statement = (
        select_columns(state, col(Delivery.code), words.label("words"), number)
        .where(col(Delivery.campaign_id) == campaign_id, explained)
        .group_by(state, col(Delivery.code), words)
        .order_by(number.desc(), state, words)
        .limit(_MAX_REASONS)
    )
    return tuple(
        make_reason_group(found, code, told, count)
        for found, code, told, count in connection.execute(statement)
    )


def list_advice(groups: Iterable[ReasonGroup]) -> tuple[str, ...]:
    """Return what the refusals of most readers mean and what to do, each once."""
    told = (group.explain() for group in groups)
    advice = (f"{each.means} {each.advice}" for each in told if each is not None)
    return tuple(islice(dict.fromkeys(advice), _MAX_ADVICE))


def mask_details(connection: Connection, words: Any) -> Any:
    """Return the SQL expression for a server's ``words`` without what differs from reader to reader."""
    if connection.dialect.name == "sqlite":
        # The part of PostgreSQL's function that is used here.
        raw = connection.connection.driver_connection
        raw.create_function(  # type: ignore[union-attr]
            "regexp_replace", 4, lambda text, wanted, mask, _: re.sub(wanted, mask, text), deterministic=True
        )
    for pattern, mask in _MASKS:
        # Literals, because PostgreSQL compares GROUP BY with SELECT including the parameters.
        words = func.regexp_replace(
            words, literal_column(f"'{pattern}'"), literal_column(f"'{mask}'"), literal_column("'g'")
        )
    return words


def mask_words(words: str) -> str:
    """Return a server's ``words`` without what differs between readers, as :func:`mask_details` has them."""
    for pattern, mask in _MASKS:
        words = re.sub(pattern, mask, words)
    return words


def make_reason_group(state: DeliveryState, code: int | None, words: str, number: int) -> ReasonGroup:
    """Return the group of ``number`` deliveries with these ``words``, in which nothing differs any more."""
    return ReasonGroup(
        state=state,
        number=number,
        reason=words if code is None else f"{code} {words}",
        dead_address=state is DeliveryState.rejected and is_dead_address(code, words),
    )


@dataclass(frozen=True, kw_only=True)
class ReturnedGroup:
    """The number of ``readers`` from whom something of one ``kind`` came back for one ``reason``, None for a
    reply."""

    kind: FeedbackKind
    reason: Reason | None
    readers: int

    @property
    def label(self) -> str:
        """What it is, as shown to people: ``bounce: no such user``."""
        if self.reason is None or self.kind is FeedbackKind.complaint:
            return self.kind.value
        return f"{self.kind.value}: {self.reason.words}"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What servers said about the sender in the same ``words``, without what differs from reader to
    reader."""

    reason: Reason
    words: str
    readers: int
    last_at: datetime

    def explain(self) -> RefusalExplanation:
        return explain_refusal(self.words)

    def as_dict(self) -> dict[str, Any]:
        told = self.explain()
        words = {"fault": told.fault, "means": told.means, "advice": told.advice}
        return {**vars(self), "provider": told.provider, **words}


@dataclass(frozen=True, kw_only=True)
class Returned:
    """Everything that came back. ``left_by_mail`` are the addresses of the first 1,000 who left by mail."""

    groups: tuple[ReturnedGroup, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    left_by_mail: tuple[str, ...] = ()
    left_by_mail_count: int = 0


def read_returned(connection: Connection, campaign_id: int) -> Returned:
    """Read what came back of a campaign: refusals while it was sent, and everything after that."""
    left = sorted(_list_left_by_mail(connection, campaign_id))
    return Returned(
        groups=tuple(_group_events(connection, campaign_id)),
        alarms=tuple(_group_alarms(connection, campaign_id)),
        left_by_mail=tuple(left[:_MAX_LEFT]),
        left_by_mail_count=len(left),
    )


def is_final() -> ColumnElement[bool]:
    """Return the condition that an event, joined with its message, is no news of one that is late or has
    arrived."""
    return or_(
        col(FeedbackMessage.kind) != FeedbackKind.bounce, col(FeedbackEvent.action).in_(FAILED_ACTIONS)
    )


def _group_events(connection: Connection, campaign_id: int) -> Iterator[ReturnedGroup]:
    readers = func.count(func.distinct(col(FeedbackEvent.subscriber_id)))
    kind, reason = col(FeedbackMessage.kind), col(FeedbackEvent.reason)
    statement = (
        select_columns(kind, reason, readers)
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(col(FeedbackEvent.campaign_id) == campaign_id, is_final())
        .group_by(kind, reason)
    )
    groups = [
        ReturnedGroup(kind=kind, reason=reason, readers=readers)
        for kind, reason, readers in connection.execute(statement)
    ]
    order = list(FeedbackKind)
    yield from sorted(groups, key=lambda group: (order.index(group.kind), -group.readers, group.label))


def _group_alarms(connection: Connection, campaign_id: int) -> Iterator[Alarm]:
    words = mask_details(connection, col(FeedbackEvent.words))
    readers = func.count(func.distinct(col(FeedbackEvent.subscriber_id)))
    statement = (
        select_columns(
            col(FeedbackEvent.reason), words.label("words"), readers, func.max(col(FeedbackEvent.at))
        )
        .where(
            col(FeedbackEvent.campaign_id) == campaign_id,
            col(FeedbackEvent.consequence) == Consequence.alarm,
        )
        .group_by(col(FeedbackEvent.reason), words)
        .order_by(readers.desc(), words)
        .limit(_MAX_ALARMS)
    )
    for reason, told, number, last_at in connection.execute(statement):
        yield Alarm(reason=reason, words=told, readers=number, last_at=last_at)


def _list_left_by_mail(connection: Connection, campaign_id: int) -> set[str]:
    statement = (
        select_columns(col(Subscriber.email))
        .join(FeedbackEvent, col(FeedbackEvent.subscriber_id) == col(Subscriber.id))
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(
            and_(
                col(FeedbackEvent.campaign_id) == campaign_id,
                col(FeedbackMessage.kind) == FeedbackKind.leave,
                col(FeedbackEvent.consequence) == Consequence.unsubscribed,
            )
        )
    )
    return set(connection.scalars(statement))
