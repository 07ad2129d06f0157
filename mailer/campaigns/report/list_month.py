"""The growth of the list by month, from the consent records."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, String, case, cast, func, select
from sqlmodel import col

from mailer.campaigns.report.disclosure import Figure, is_small
from subscribers.models import ConsentEvent, ConsentRecord

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
class ListMonth:
    """The list in one month (``2026-11``, UTC), from the consent records.

    ``joined`` came on to the list, by an import or by themselves; ``left`` went off it for whatever reason.
    Both are hidden if either is small. ``people`` are on the list at the end of the month, those who paused
    included.
    """

    month: str
    joined: Figure
    left: Figure
    people: Figure

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def count_months(connection: Connection) -> tuple[ListMonth, ...]:
    """Count who joined and left in each month, from the first with a record to the last.

    A record counts only if it changes whether somebody is on the list: an import of people who are on it
    already is no growth.
    """
    counted: dict[str, tuple[int, int]] = {}
    for month, joins, number in connection.execute(_select_changes(connection)):
        joined, left = counted.get(month, (0, 0))
        counted[month] = (joined + number, left) if joins else (joined, left + number)
    return tuple(_accumulate(counted))


def _select_changes(connection: Connection) -> Select[str, int, int]:
    """The month, 1 for joining or 0 for leaving, and the number of people, for each change."""
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
    """Each month between the first and the last, those without a change too."""
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
