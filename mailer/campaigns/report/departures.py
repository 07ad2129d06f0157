"""Readers who left: since a campaign, with their organisations, and how the list grew by month."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, String, case, cast, func, select
from sqlmodel import col

from mailer.campaigns.delivery_history import RECEIVED_STATES
from mailer.campaigns.report.disclosure import Figure, is_small
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.dispatch.ledger_changes import name_consent_source
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber

_LEFT = (ConsentEvent.unsubscribed, ConsentEvent.complained)
_WRITTEN_TO = (DeliveryState.sent, DeliveryState.in_doubt, DeliveryState.rejected)
_READERS = (Status.active, Status.paused)
_MAX_ORGANISATIONS = 100
_JOINING: Final = (ConsentEvent.imported, ConsentEvent.subscribed)
_LEAVING: Final = (
    ConsentEvent.unsubscribed,
    ConsentEvent.bounced,
    ConsentEvent.complained,
    ConsentEvent.suppressed,
    ConsentEvent.erased,
    ConsentEvent.merged,
)


@dataclass(frozen=True, kw_only=True)
class Departures:
    """Readers who got the mail or may have got it, have a record of unsubscribing or of reporting spam since
    its launch, and have not come back.

    ``through_mail`` counts those of both who used the link or the button of this very mail. What an erased
    person did is counted, but no longer through what.
    """

    unsubscribed: int = 0
    complained: int = 0
    through_mail: int = 0

    @property
    def total(self) -> int:
        return self.unsubscribed + self.complained

    def as_dict(self) -> dict[str, Any]:
        return {"total": self.total, **vars(self)}


def count_departures(connection: Connection, campaign_id: int) -> Departures:
    """Count who has left since the campaign was launched; nobody before that."""
    people = select_departed(campaign_id).subquery()
    counted = select(func.count(), func.sum(people.c.complained), func.sum(people.c.here)).select_from(people)
    total, complained, through_mail = connection.execute(counted).one()
    return Departures(
        unsubscribed=total - (complained or 0), complained=complained or 0, through_mail=through_mail or 0
    )


def select_departed(campaign_id: int) -> Select[int, int, int]:
    """Return the statement that selects who has left since the campaign was launched: the ``subscriber_id``
    of each, and 1 or 0 for whether they ``complained`` and left through this mail (``here``)."""
    here = col(ConsentRecord.source) == name_consent_source(campaign_id)
    spam = col(ConsentRecord.event) == ConsentEvent.complained
    return (
        select(
            col(ConsentRecord.subscriber_id).label("subscriber_id"),
            func.max(case((spam, 1), else_=0)).label("complained"),
            func.max(case((here, 1), else_=0)).label("here"),
        )
        .select_from(ConsentRecord)
        .join(Delivery, col(Delivery.subscriber_id) == col(ConsentRecord.subscriber_id))
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Campaign.id) == campaign_id,
            col(Delivery.state).in_(RECEIVED_STATES),
            col(ConsentRecord.event).in_(_LEFT),
            col(ConsentRecord.at) >= col(Campaign.launched_at),
            col(Subscriber.status).in_(GONE_STATUSES - {Status.bounced}),
        )
        .group_by(col(ConsentRecord.subscriber_id))
    )


@dataclass(frozen=True, kw_only=True)
class LostOrganisation:
    """An organisation whose last readers are gone; ``readers`` of them got the campaign or would have."""

    name: str
    readers: int


def list_lost_organisations(connection: Connection, campaign_id: int) -> tuple[LostOrganisation, ...]:
    """Return the first 100 organisations, by name, whose readers of a campaign have all gone since, and that
    have no other on the list. Names are compared without regard to capitals and to spaces around them."""
    name = func.lower(func.trim(col(Subscriber.organisation)))
    spelling = func.min(func.trim(col(Subscriber.organisation)))
    here = (
        select(name.label("name"), func.count().label("readers"), spelling.label("spelling"))
        .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
        .where(
            col(Delivery.campaign_id) == campaign_id,
            col(Delivery.state).in_(_WRITTEN_TO),
            # Erased people are nameless, so nobody knows where they were.
            name != "",
            col(Subscriber.status).in_(GONE_STATUSES),
        )
        .group_by(name)
        .cte("gone")
    )
    still_read = select(name).where(name != "", col(Subscriber.status).in_(_READERS))
    lost = (
        select(here.c.spelling, here.c.readers)
        .where(here.c.name.not_in(still_read))
        .order_by(here.c.name)
        .limit(_MAX_ORGANISATIONS)
    )
    return tuple(LostOrganisation(name=told, readers=number) for told, number in connection.execute(lost))


@dataclass(frozen=True, kw_only=True)
class ListMonth:
    """The list in one month (``2026-11``, UTC), from the consent records: ``people`` are on it at the end,
    those who paused included. ``joined`` and ``left`` are both hidden if either is small."""

    month: str
    joined: Figure
    left: Figure
    people: Figure


def count_months(connection: Connection) -> tuple[ListMonth, ...]:
    """Count who joined and left in each month, from the first with a record to the last. A record counts only
    if it changes whether somebody is on the list: an import of people who are on it already is no growth."""
    counted: dict[str, tuple[int, int]] = {}
    for month, joins, number in connection.execute(_select_changes(connection)):
        joined, left = counted.get(month, (0, 0))
        counted[month] = (joined + number, left) if joins else (joined, left + number)
    return tuple(_accumulate(counted))


def _select_changes(connection: Connection) -> Select[str, int, int]:
    """Return the month, 1 for joining or 0 for leaving, and the number of people, for each change."""
    event = col(ConsentRecord.event)
    is_on = case((event.in_(_JOINING), 1), else_=0)
    was_on = func.lag(is_on, 1, 0).over(
        partition_by=col(ConsentRecord.subscriber_id), order_by=col(ConsentRecord.id)
    )
    records = (
        select(_name_month(connection).label("month"), is_on.label("is_on"), was_on.label("was_on"))
        .where(event.in_((*_JOINING, *_LEAVING)))
        .subquery()
    )
    return (
        select(records.c.month, records.c.is_on, func.count())
        .where(records.c.is_on != records.c.was_on)
        .group_by(records.c.month, records.c.is_on)
        .order_by(records.c.month)
    )


def _name_month(connection: Connection) -> ColumnElement[str]:
    at = col(ConsentRecord.at)
    if connection.dialect.name == "sqlite":
        # As text, as it is stored: SQLite has no type for times.
        return func.substr(cast(at, String), 1, 7)
    return func.to_char(func.timezone("UTC", at), "YYYY-MM")


def _accumulate(counted: Mapping[str, tuple[int, int]]) -> Iterator[ListMonth]:
    people = 0
    for month in _list_months(min(counted), max(counted)) if counted else ():
        joined, left = counted.get(month, (0, 0))
        people += joined - left
        # By the people of two months, either would follow from the other.
        hides = is_small(joined) or is_small(left)
        yield ListMonth(
            month=month,
            joined=None if hides else joined,
            left=None if hides else left,
            people=None if is_small(people) else people,
        )


def _list_months(first: str, last: str) -> Iterator[str]:
    year, month = map(int, first.split("-"))
    while (name := f"{year:04}-{month:02}") <= last:
        yield name
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
