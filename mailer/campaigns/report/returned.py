"""What came back of a campaign: bounces and complaints by reason, replies, who left by mail, and what servers
say about the sender.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_
from sqlalchemy import select as select_columns
from sqlmodel import col

from mailer.campaigns.report.reasons import mask_details
from mailer.database.feedback_models import (
    FAILED_ACTIONS,
    Consequence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
)
from mailer.providers.refusal_advice import Explanation, explain_refusal
from mailer.reasons.reason import Reason
from subscribers.models import Subscriber

_MAX_ALARMS = 20
_MAX_LEFT = 1000


@dataclass(frozen=True, kw_only=True)
class ReturnedGroup:
    """How many ``readers`` something of one ``kind`` came back from for one ``reason``; None if it has none,
    as a reply."""

    kind: FeedbackKind
    reason: Reason | None
    readers: int

    @property
    def label(self) -> str:
        """What it is, as shown to people: ``bounce: no such user``."""
        if self.reason is None or self.kind is FeedbackKind.complaint:
            return self.kind.value
        return f"{self.kind.value}: {self.reason.label}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "reason": self.reason.value if self.reason else None,
            "readers": self.readers,
        }


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What servers said about the sender in the same ``words``, without what differs from reader to reader:
    of how many ``readers``, and when last (aware)."""

    reason: Reason
    words: str
    readers: int
    last_at: datetime

    def explain(self) -> Explanation:
        """What it means, and what to do."""
        return explain_refusal(self.words)

    def as_dict(self) -> dict[str, Any]:
        told = self.explain()
        return {
            **asdict(self),
            "reason": self.reason.value,
            "last_at": self.last_at.isoformat(),
            "provider": told.provider,
            "fault": told.fault.value,
            "means": told.means,
            "advice": told.advice,
        }


@dataclass(frozen=True, kw_only=True)
class Returned:
    """What came back. ``left_by_mail`` are the addresses of the first 1,000 who left by mail, and
    ``left_by_mail_count`` is the number of all."""

    groups: tuple[ReturnedGroup, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    left_by_mail: tuple[str, ...] = ()
    left_by_mail_count: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "groups": [group.as_dict() for group in self.groups],
            "alarms": [alarm.as_dict() for alarm in self.alarms],
            "left_by_mail": list(self.left_by_mail),
            "left_by_mail_count": self.left_by_mail_count,
        }


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
    """The condition that an event, joined with its message, is no news of a message that is late or has
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
