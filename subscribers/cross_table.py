"""Count an audience by country and sector, in one query."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import and_, func, join, literal, select, true, union_all
from sqlmodel import Session, col

from subscribers.models import Subscriber, SubscriberSector
from subscribers.segments.segment import Segment, eligible


@dataclass(frozen=True, kw_only=True)
class CrossTableRow:
    """The counts for one country, or for all. ``by_sector`` is in the order of the table's sectors. A
    subscriber who follows two is counted in both; ``other`` counts other sectors, ``none`` the people who
    follow no sector.
    """

    by_sector: tuple[int, ...]
    other: int
    none: int
    people: int


@dataclass(frozen=True, kw_only=True)
class CrossTable:
    """``countries`` by alpha-2 code, largest first; None stands for unknown and comes last."""

    sectors: tuple[str, ...]
    countries: dict[str | None, CrossTableRow]
    total: CrossTableRow


def make_cross_table(
    session: Session, segment: Segment, sectors: Sequence[str], *, today: date | None = None
) -> CrossTable:
    """Count ``segment`` by country and ``sectors``; with ``today``, only those who receive mail on that day.

    It is a single statement, so all numbers are from the same moment.
    """
    counted = session.connection().execute(_make_statement(segment, sectors, today))
    fields: dict[str | None, list[int]] = {}
    people: dict[str | None, int] = {}
    for row in counted:
        if row.kind == _PEOPLE:
            people[row.country] = row.people
        else:
            fields[row.country] = [int(number) for number in row[3:]]
    ordered = sorted(people, key=lambda code: (code is None, -people[code], code or ""))
    countries = {code: _make_row(fields[code], people[code]) for code in ordered}
    columns = zip(*fields.values(), strict=True) if fields else [(0,)] * (len(sectors) + 2)
    total = _make_row([sum(column) for column in columns], sum(people.values()))
    return CrossTable(sectors=tuple(sectors), countries=countries, total=total)


_FIELDS, _PEOPLE = "fields", "people"


def _make_statement(segment: Segment, sectors: Sequence[str], today: date | None) -> Any:
    """Select each country's counts by sector from the join with sectors, and its people from the list.
    Sectors are columns rather than rows: the index has the countries in order, so nothing is sorted.
    """
    audience = and_(segment.where(), true() if today is None else eligible(today))
    country, follows = col(Subscriber.country), col(SubscriberSector.sector)
    conditions = [*(follows == sector for sector in sectors), follows.not_in(sectors), follows.is_(None)]
    fields = [
        func.count().filter(condition).label(f"field_{place}") for place, condition in enumerate(conditions)
    ]
    with_sectors = join(
        Subscriber, SubscriberSector, col(SubscriberSector.subscriber_id) == col(Subscriber.id), isouter=True
    )
    parts: list[Any] = [
        select(
            country.label("country"), literal(_FIELDS).label("kind"), literal(0).label("people"), *fields
        ).select_from(with_sectors),
        select(country, literal(_PEOPLE), func.count(), *(literal(0) for _ in fields)).select_from(
            Subscriber
        ),
    ]
    return union_all(*(part.where(audience).group_by(country) for part in parts))


def _make_row(fields: Sequence[int], people: int) -> CrossTableRow:
    *by_sector, other, none = fields
    return CrossTableRow(by_sector=tuple(by_sector), other=other, none=none, people=people)
