"""Claims: the deliveries a dispatcher has taken, and the query that finds the next ones."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Date, Integer, Row, Select, bindparam, exists, func, select
from sqlmodel import SQLModel, col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.errors import MailerError
from subscribers.models import Subscriber, SubscriberCountry, SubscriberSector
from subscribers.segments.segment import eligible


class LostClaimError(MailerError):
    """A delivery that was just claimed belongs to another dispatcher: two have the same name."""

    def __init__(self, delivery_id: int) -> None:
        self.delivery_id = delivery_id
        super().__init__(
            f"delivery {delivery_id} now belongs to another dispatcher, which took this one for dead."
        )


class ClaimedSubscriber(NamedTuple):
    """What a message needs to know about its subscriber: columns of ``Subscriber`` by the same names."""

    id: int
    email: str
    envelope: str
    name: str
    country: str | None
    language: str | None
    click_consent: bool = False


_SUBSCRIBER_COLUMNS = tuple(
    getattr(Subscriber, name).label(f"reader_{name}") for name in ClaimedSubscriber._fields
)
_DELIVERY_COLUMN_COUNT = 7
"""How many columns of a row come before the subscriber's."""

# In the same query as the subscriber: a second one for 500 takes longer to build than to run.
_SECTORS, _COUNTRIES = (
    select(func.aggregate_strings(col(name), " "))
    .where(col(reader) == col(Subscriber.id))
    .correlate(Subscriber)
    .scalar_subquery()
    .label(label)
    for label, reader, name in (
        ("sectors", SubscriberSector.subscriber_id, SubscriberSector.sector),
        ("countries", SubscriberCountry.subscriber_id, SubscriberCountry.country),
    )
)


class Claim(NamedTuple):
    """A delivery a dispatcher has claimed, with its subscriber, the ``sectors`` they follow and the
    ``countries`` besides their own, read in the same transaction.
    """

    delivery_id: int
    campaign_id: int
    subscriber: ClaimedSubscriber
    sectors: frozenset[str] = frozenset()
    attempts: int = 0
    deferrals: int = 0
    deferred_since: datetime | None = None
    countries: frozenset[str] = frozenset()


_STATE_TYPE = SQLModel.metadata.tables["delivery"].columns.state.type


def is_in_state(state: DeliveryState) -> ColumnElement[bool]:
    """Return the condition that a delivery is in ``state``, in the form that partial indexes serve.

    The state is written into the statement itself: SQLite cannot tell whether an index covers a parameter,
    and would read the whole ledger.
    """
    here: ColumnElement[bool] = col(Delivery.state) == bindparam(
        None, state, _STATE_TYPE, literal_execute=True
    )
    return here


def is_sending(campaign_id: int) -> ColumnElement[bool]:
    """Return the condition that the campaign is sending."""
    return exists().where(col(Campaign.id) == campaign_id, col(Campaign.state) == CampaignState.sending)


def select_due(campaign_id: int) -> Select[Any]:
    """Build the query for the next queued deliveries with their subscribers, the fewest attempts first.

    Build it once, then run it with ``today`` and ``most`` (how many). ``may_get_mail`` says whether the
    subscriber still wants mail. On PostgreSQL, rows that another dispatcher is claiming are skipped.
    """
    return (
        select(
            col(Delivery.id).label("delivery_id"),
            col(Delivery.attempts),
            col(Delivery.deferrals),
            col(Delivery.deferred_since),
            eligible(bindparam("today", type_=Date)).label("may_get_mail"),
            _SECTORS,
            _COUNTRIES,
            *_SUBSCRIBER_COLUMNS,
        )
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Delivery.campaign_id) == campaign_id,
            is_in_state(DeliveryState.queued),
            is_sending(campaign_id),
        )
        .order_by(col(Delivery.attempts), col(Delivery.id))
        .limit(bindparam("most", type_=Integer))
        .with_for_update(of=Delivery, skip_locked=True)
    )


def read_claims(campaign_id: int, rows: Iterable[Row[Any]]) -> list[Claim]:
    """Turn rows of :func:`select_due` into claims, in their order."""
    return [
        Claim(
            number,
            campaign_id,
            ClaimedSubscriber(*reader),
            _parse_names(sectors),
            attempts,
            deferrals,
            since,
            _parse_names(countries),
        )
        for number, attempts, deferrals, since, _, sectors, countries, reader in map(_split_row, rows)
    ]


def _split_row(row: Row[Any]) -> tuple[Any, ...]:
    """Split a row into the delivery's columns and the subscriber's."""
    return *row[:_DELIVERY_COLUMN_COUNT], row[_DELIVERY_COLUMN_COUNT:]


# Few sets, many subscribers: a set seen before is the same object, so comparing it is fast.
@lru_cache(maxsize=4096)
def _parse_names(names: str | None) -> frozenset[str]:
    return frozenset(names.split()) if names else frozenset()
