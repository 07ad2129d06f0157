"""What a dispatcher takes in hand: a claim, and the query that finds the next ones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, select
from sqlmodel import SQLModel, col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.errors import MailerError
from subscribers.models import Subscriber, SubscriberSector
from subscribers.segment import eligible

_READER = SQLModel.metadata.tables["subscriber"].columns


class LostClaimError(MailerError):
    """A delivery is no longer this dispatcher's: another one took it for dead."""

    def __init__(self, delivery_id: int) -> None:
        self.delivery_id = delivery_id
        super().__init__(f"delivery {delivery_id}: another dispatcher took this one for dead and has it now.")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A delivery a dispatcher has taken, and its reader with the ``sectors`` they follow, as read in the same
    transaction (detached: only to read).
    """

    delivery_id: int
    campaign_id: int
    subscriber: Subscriber
    sectors: frozenset[str] = frozenset()
    attempts: int = 0
    deferrals: int = 0
    deferred_since: datetime | None = None


def is_sending(campaign_id: int) -> ColumnElement[bool]:
    """Whether the campaign is sending, as a condition."""
    return exists().where(col(Campaign.id) == campaign_id, col(Campaign.state) == CampaignState.sending)


def reader_may_get_mail(today: date) -> ColumnElement[bool]:
    """Whether a delivery's reader may still get mail, as a condition on a statement about ``Delivery``."""
    return exists().where(col(Subscriber.id) == col(Delivery.subscriber_id), eligible(today))


def select_due(campaign_id: int, limit: int, now: datetime) -> Select[Any]:
    """The queued deliveries to take next with their readers, the least tried first; ``may_get_mail`` tells
    whether
    the reader still wants it. On PostgreSQL rows another dispatcher is just taking are passed over."""
    return (
        select(
            col(Delivery.id).label("delivery_id"),
            col(Delivery.attempts),
            col(Delivery.deferrals),
            col(Delivery.deferred_since),
            eligible(now.date()).label("may_get_mail"),
            *(column.label(f"reader_{column.key}") for column in _READER),
        )
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Delivery.campaign_id) == campaign_id,
            col(Delivery.state) == DeliveryState.queued,
            is_sending(campaign_id),
        )
        .order_by(col(Delivery.attempts), col(Delivery.id))
        .limit(limit)
        .with_for_update(of=Delivery, skip_locked=True)
    )


def read_claims(connection: Connection, campaign_id: int, rows: Sequence[Row[Any]]) -> list[Claim]:
    """Rows of :func:`select_due` as claims, in their order."""
    sectors = _read_sectors(connection, [row.reader_id for row in rows])
    return [_read_claim(campaign_id, row, sectors[row.reader_id]) for row in rows]


def _read_sectors(connection: Connection, subscribers: Iterable[int]) -> defaultdict[int, set[str]]:
    number, sector = col(SubscriberSector.subscriber_id), col(SubscriberSector.sector)
    sectors: defaultdict[int, set[str]] = defaultdict(set)
    for subscriber_id, name in connection.execute(select(number, sector).where(number.in_(subscribers))):
        sectors[subscriber_id].add(name)
    return sectors


def _read_claim(campaign_id: int, row: Row[Any], sectors: Iterable[str]) -> Claim:
    reader = {column.key: getattr(row, f"reader_{column.key}") for column in _READER}
    return Claim(
        delivery_id=row.delivery_id,
        campaign_id=campaign_id,
        subscriber=Subscriber(**reader),
        sectors=frozenset(sectors),
        attempts=row.attempts,
        deferrals=row.deferrals,
        deferred_since=row.deferred_since,
    )
