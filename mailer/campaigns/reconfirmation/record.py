"""Re-confirmations in the database: who was asked, who has answered, and how they stand."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, or_, select
from sqlmodel import col

from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.database.reconfirmation_models import RECONFIRMATION_PREFIX, Reconfirmation
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber

_OWN_METHODS = ("page", "html", "one-click", "mail")
"""How readers change something themselves; anything of it is a sign of life."""


@dataclass(frozen=True, kw_only=True)
class ReconfirmationRecord:
    """One re-confirmation: its number, its name among campaigns, whom it asks, and until when."""

    id: int
    name: str
    segment: str
    asked_by: str
    created_at: datetime
    answer_by: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ReconfirmationStanding:
    """How a re-confirmation stands: numbers of readers.

    ``asked`` are those whose letter was handed over. ``stay`` have said yes or changed their choices,
    ``left`` have unsubscribed or get no more mail, ``replied`` have written back and wait for a person,
    ``paused`` were paused when the time was over, and ``waiting`` have not answered.
    """

    record: ReconfirmationRecord
    asked: int
    stay: int
    left: int
    replied: int
    paused: int
    waiting: int

    def as_dict(self) -> dict[str, Any]:
        """The standing in the form of the JSON output."""
        record = self.record
        closed = record.closed_at.isoformat() if record.closed_at else None
        return {
            **{"id": record.id, "name": record.name, "segment": record.segment, "asked_by": record.asked_by},
            **{"asked_at": record.created_at.isoformat(), "answer_by": record.answer_by.isoformat()},
            **{"closed_at": closed, "asked": self.asked, "stay": self.stay, "left": self.left},
            **{"replied": self.replied, "paused": self.paused, "waiting": self.waiting},
        }


def find_open(connection: Connection, segment: str) -> ReconfirmationRecord | None:
    """The re-confirmation of ``segment`` that is not closed, the newest; None if there is none."""
    table = Reconfirmation.__table__  # type: ignore[attr-defined]
    statement = select(table).where(
        col(Reconfirmation.segment) == segment, col(Reconfirmation.closed_at).is_(None)
    )
    row = connection.execute(statement.order_by(col(Reconfirmation.id).desc()).limit(1)).first()
    return None if row is None else ReconfirmationRecord(**row._asdict())


def name_next(connection: Connection) -> str:
    """The name of the next re-confirmation."""
    last = connection.execute(select(func.max(col(Reconfirmation.id)))).scalar()
    return f"{RECONFIRMATION_PREFIX}{(last or 0) + 1}"


def store(
    connection: Connection, *, name: str, segment: str, by: str, now: datetime, until: datetime
) -> None:
    """Store a new re-confirmation. It asks nobody before its campaign is launched."""
    connection.execute(
        insert(Reconfirmation).values(
            **{"name": name, "segment": segment, "asked_by": by[:200]},
            **{"created_at": now, "answer_by": until.astimezone(UTC)},
        )
    )


def list_standings(connection: Connection) -> list[ReconfirmationStanding]:
    """Every re-confirmation whose letter was sent, newest first."""
    table = Reconfirmation.__table__  # type: ignore[attr-defined]
    rows = connection.execute(select(table).order_by(col(Reconfirmation.id).desc()))
    records = [ReconfirmationRecord(**row._asdict()) for row in rows]
    return [standing for record in records if (standing := _count(connection, record)).asked]


def has_answered(launched_at: Any) -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that they have done something themselves since ``launched_at``."""
    return exists().where(
        col(ConsentRecord.subscriber_id) == col(Subscriber.id),
        col(ConsentRecord.at) >= launched_at,
        or_(
            col(ConsentRecord.method).in_(_OWN_METHODS),
            col(ConsentRecord.event) == ConsentEvent.reconfirmed,
        ),
    )


def has_replied(launched_at: Any) -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that they have written back since ``launched_at``."""
    return exists().where(
        col(FeedbackEvent.subscriber_id) == col(Subscriber.id),
        col(FeedbackMessage.id) == col(FeedbackEvent.message_id),
        col(FeedbackMessage.kind) == FeedbackKind.reply,
        col(FeedbackEvent.at) >= launched_at,
    )


def was_asked(name: str) -> ColumnElement[bool]:
    """The condition on ``Delivery`` and ``Campaign``, joined, that the letter ``name`` was handed over."""
    return and_(col(Campaign.edition) == name, col(Delivery.state) == DeliveryState.sent)


def _count(connection: Connection, record: ReconfirmationRecord) -> ReconfirmationStanding:
    launched = col(Campaign.launched_at)
    is_gone = col(Subscriber.status).not_in((Status.active, Status.paused))
    paused_by_us = exists().where(
        col(ConsentRecord.subscriber_id) == col(Subscriber.id),
        col(ConsentRecord.event) == ConsentEvent.paused,
        col(ConsentRecord.source) == record.name,
    )
    kinds = {
        "left": is_gone,
        "paused": and_(~is_gone, paused_by_us),
        "stay": and_(~is_gone, ~paused_by_us, has_answered(launched)),
        "replied": and_(~is_gone, ~paused_by_us, ~has_answered(launched), has_replied(launched)),
    }
    people = (
        select(func.count())
        .select_from(Delivery)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(was_asked(record.name))
    )
    asked = connection.execute(people).scalar_one()
    counts = {name: connection.execute(people.where(kind)).scalar_one() for name, kind in kinds.items()}
    return ReconfirmationStanding(record=record, asked=asked, waiting=asked - sum(counts.values()), **counts)
