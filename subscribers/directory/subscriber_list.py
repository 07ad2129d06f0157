"""The list of subscribers page by page, quick on a list of any length.

A page begins after a row, never after a number of rows, so the thousandth page takes as long as the first. A
condition that few people meet would make one query look through the whole list; so each looks at a limited
number of people, and a page may end before it is full and say where to go on. If a tag, sector or country has
few people, those are looked at and nobody else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, or_, select
from sqlmodel import Session, SQLModel, col

from subscribers.directory.search_order import SearchPart, list_search_parts
from subscribers.models import Status, Subscriber, SubscriberSector, SubscriberTag
from subscribers.queries import read_sectors
from subscribers.segments.segment import Segment
from subscribers.segments.terms import Term, TermKey

PAGE_LENGTH = 50
LOOKED_AT = 10_000
"""How many people a page looks at before it ends early."""
FIRST_LOOKED_AT = 300
"""How many of them it looks at first."""

_FEW = 2000
_CURSOR = re.compile(r"([0-9]{1,2})-([0-9]{1,9})", re.ASCII)
_NOBODY = (Status.erased, Status.merged)


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A row of the list: the number of the part of the search order it is in, and its subscriber's ID."""

    part: int
    subscriber_id: int

    def __str__(self) -> str:
        return f"{self.part}-{self.subscriber_id}"


def read_cursor(text: str) -> Cursor | None:
    """Read what ``str(cursor)`` wrote; None if it is something else."""
    found = _CURSOR.fullmatch(text)
    return Cursor(part=int(found[1]), subscriber_id=int(found[2])) if found else None


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """Whom to list: those of a ``segment`` who are found by ``search``. Erased and merged people are only
    listed if the segment asks about the status. The page begins ``after`` a row or ends ``before`` one."""

    segment: Segment
    search: str = ""
    after: Cursor | None = None
    before: Cursor | None = None


@dataclass(frozen=True, kw_only=True)
class ListedSubscriber:
    """A row of the list."""

    id: int
    email: str
    name: str
    organisation: str
    country: str | None
    status: Status
    sectors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ListPage:
    """A page. ``previous`` and ``next`` are the rows to end before and begin after; None at the ends.
    ``is_cut`` says that it ended early: ``next`` then leads to those who were not looked at yet."""

    rows: tuple[ListedSubscriber, ...]
    previous: Cursor | None
    next: Cursor | None
    is_cut: bool = False


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What one direction has: rows in its order, and where it stopped looking."""

    rows: list[tuple[Cursor, Subscriber]]
    stopped_at: Cursor | None = None


def read_list_page(session: Session, request: ListRequest) -> ListPage:
    """Read a page of the list. A row to begin at that is no longer found begins the list anew."""
    reader = _ListReader(session, request)
    if request.before is not None:
        found = reader.read(request.before, backwards=True)
        if found.rows or found.stopped_at is not None:
            return _turn_back(session, found)
        request = replace(request, before=None, after=None)
    found = reader.read(request.after)
    rows = found.rows[:PAGE_LENGTH]
    more = len(found.rows) > PAGE_LENGTH
    return ListPage(
        rows=_make_rows(session, rows),
        previous=rows[0][0] if rows and request.after is not None else None,
        next=rows[-1][0] if more else found.stopped_at,
        is_cut=not more and found.stopped_at is not None,
    )


def _turn_back(session: Session, found: _Found) -> ListPage:
    rows = found.rows[:PAGE_LENGTH][::-1]
    more = len(found.rows) > PAGE_LENGTH
    return ListPage(
        rows=_make_rows(session, rows),
        previous=rows[0][0] if more else found.stopped_at,
        # The row that this page ends before is the first of the next.
        next=rows[-1][0] if rows else found.stopped_at,
        is_cut=not rows,
    )


_Place = tuple[str, int]
"""The key and the ID of a row."""


class _ListReader:
    """Reads rows in one direction."""

    def __init__(self, session: Session, request: ListRequest) -> None:
        self._session = session
        self._parts = list_search_parts(request.search)
        segment = request.segment
        conditions = [segment.where()]
        if not segment.asks_about(TermKey.status):
            conditions.append(col(Subscriber.status).not_in(_NOBODY))
        # As one value, or SQLite would take the people of a country for a handful and sort them all: it knows
        # nothing of how many there are.
        self._where = case((and_(*conditions), 1), else_=0) == 1
        self._few = _find_few(session, segment)
        if self._few is not None:
            self._where = and_(col(Subscriber.id).in_(self._few), self._where)

    def read(self, start: Cursor | None, *, backwards: bool = False) -> _Found:
        """Read one row more than a page has, beyond ``start``."""
        first = len(self._parts) - 1 if backwards else 0
        if start is not None and start.part < len(self._parts):
            first = start.part
        rows: list[tuple[Cursor, Subscriber]] = []
        numbers = range(first, -1, -1) if backwards else range(first, len(self._parts))
        for number in numbers:
            place = self._find_place(number, start) if number == first else None
            wanted = PAGE_LENGTH + 1 - len(rows)
            some, end = self._read_part(number, place, wanted, backwards=backwards)
            rows += some
            if len(rows) > PAGE_LENGTH:
                break
            if end is not None:
                return _Found(rows=rows, stopped_at=end)
        return _Found(rows=rows)

    def _find_place(self, number: int, start: Cursor | None) -> _Place | None:
        """The key and the ID of the row to begin beyond; None if it is not in that part any more."""
        if start is None or start.part != number:
            return None
        part = self._parts[number]
        wanted = select(part.key).where(col(Subscriber.id) == start.subscriber_id, part.is_within())
        key = self._session.scalar(wanted)
        return None if key is None else (key, start.subscriber_id)

    def _read_part(
        self, number: int, place: _Place | None, wanted: int, *, backwards: bool
    ) -> tuple[list[tuple[Cursor, Subscriber]], Cursor | None]:
        """At most ``wanted`` rows of a part, and where it stopped if not all of the part was looked at."""
        part, rows = self._parts[number], list[tuple[Cursor, Subscriber]]()
        # Most pages are full after a few; only what few people meet is looked for among many.
        for many in (FIRST_LOOKED_AT, LOOKED_AT - FIRST_LOOKED_AT):
            within = [part.is_within(), *([_is_beyond(part, place, backwards=backwards)] if place else [])]
            end = self._find_end(part, within, many, backwards=backwards)
            if end is not None:
                within.append(~_is_beyond(part, end, backwards=backwards))
            statement = select(Subscriber).where(*within, part.matches, self._where)
            statement = _order(statement, part, backwards=backwards).limit(wanted - len(rows))
            people = self._session.scalars(statement).all()
            rows += [(Cursor(part=number, subscriber_id=one.id or 0), one) for one in people]
            if end is None or len(rows) == wanted:
                return rows, None
            place = end
        return rows, Cursor(part=number, subscriber_id=place[1] if place else 0)

    def _find_end(
        self, part: SearchPart, within: Sequence[ColumnElement[bool]], many: int, *, backwards: bool
    ) -> _Place | None:
        """The last row to look at; None if the rest of the part is short enough, or few people are looked at
        anyway."""
        if self._few is not None:
            return None
        keys = _order(select(part.key, col(Subscriber.id)).where(*within), part, backwards=backwards)
        rows = self._session.execute(keys.offset(many - 1).limit(2)).all()
        # Without another one behind it, there is nothing to go on to.
        return (rows[0][0], rows[0][1]) if len(rows) == 2 else None


def _is_beyond(part: SearchPart, place: _Place, *, backwards: bool) -> ColumnElement[bool]:
    key, number = place
    ids = col(Subscriber.id)
    if backwards:
        return and_(part.key <= key, or_(part.key < key, ids < number))
    return and_(part.key >= key, or_(part.key > key, ids > number))


def _order(statement: Select[Any], part: SearchPart, *, backwards: bool) -> Select[Any]:
    # No two people have one address, and its index has nothing else.
    keys = [part.key] if part.column == "email" else [part.key, col(Subscriber.id)]
    return statement.order_by(*(key.desc() for key in keys) if backwards else keys)


def _find_few(session: Session, segment: Segment) -> list[int] | None:
    """Everybody whom one of the terms of a segment leaves over, if those are few."""
    for term in segment.terms:
        if isinstance(term, Term) and not term.negated and (ids := _select_ids(term)) is not None:
            found = session.scalars(ids.limit(_FEW + 1)).all()
            if len(found) <= _FEW:
                return sorted(set(found))
    return None


def _select_ids(term: Term) -> Select[Any] | None:
    tables: dict[TermKey, tuple[type[SQLModel], str]] = {
        TermKey.tag: (SubscriberTag, "tag"),
        TermKey.sector: (SubscriberSector, "sector"),
    }
    if term.key is TermKey.country:
        return select(col(Subscriber.id)).where(col(Subscriber.country).in_(term.values))
    if term.key not in tables:
        return None
    table, name = tables[term.key]
    return select(table.subscriber_id).where(getattr(table, name).in_(term.values))  # type: ignore[attr-defined]


def _make_rows(session: Session, found: Sequence[tuple[Cursor, Subscriber]]) -> tuple[ListedSubscriber, ...]:
    people = [one for _, one in found]
    sectors = read_sectors(session, people)
    return tuple(
        ListedSubscriber(
            id=one.id or 0,
            email=one.email,
            name=one.name,
            organisation=one.organisation,
            country=one.country,
            status=Status(one.status),
            sectors=tuple(sorted(sectors[one.id or 0])),
        )
        for one in people
    )
