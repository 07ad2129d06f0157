"""The list page by page, quick on a list of any length: people, and organisations with theirs.

A page begins after a row, never after a number of rows, so the thousandth page takes as long as the first.
Each query looks at a limited number of people, because few may meet its condition, and a page may end before
it is full and say where to go on. If a tag, sector or country has few people, nobody else is looked at.

People who look for “mei” mean an address or a name that begins so, then an organisation, and last any of
these that has it somewhere: each part is in the order of an index. An organisation is what people's entries
say, letter by letter; two spellings are two.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from unicodedata import normalize

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, not_, or_, select, true
from sqlalchemy.engine import Row
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col

from subscribers.models import Status, Subscriber, SubscriberSector, SubscriberTag
from subscribers.segments.segment import Segment
from subscribers.segments.terms import Term, TermKey, contains_words

MAX_SEARCH_LENGTH = 200

_AFTER_ANY_TEXT = "\U0010ffff"
PAGE_LENGTH = 50
LOOKED_AT = 10_000
"""How many people a page looks at before it ends early."""
FIRST_LOOKED_AT = 300
"""How many of them it looks at first."""
_FEW = 2000
_CURSOR = re.compile(r"([0-9]{1,2})-([0-9]{1,9})", re.ASCII)
_NOBODY = (Status.erased, Status.merged)
_Row = TypeVar("_Row")
_Place = tuple[str, int]
"""The key and the ID of a row."""
MAX_COUNTED = 1000
"""How many people of an organisation are counted."""
_READERS = (Status.active, Status.paused)


@dataclass(frozen=True, kw_only=True)
class SearchPart:
    """One part of the order: those whose ``column`` begins with ``prefix``, without those of the parts
    before, whom the condition ``matches`` leaves out.
    """

    column: str
    prefix: str = ""
    matches: ColumnElement[bool]

    @property
    def key(self) -> Any:
        return col(getattr(Subscriber, self.column))

    def is_within(self) -> ColumnElement[bool]:
        return begins_with(self.key, self.prefix)


def clean_search(text: str) -> str:
    """Return what was typed into a field as one line, in the form that texts are stored in."""
    words = " ".join(normalize("NFC", text.replace("\0", " ")).split())
    return "".join(char for char in words if char.isprintable())[:MAX_SEARCH_LENGTH].strip()


def list_search_parts(search: str) -> tuple[SearchPart, ...]:
    """Return the parts in which ``search`` is looked for, in order; everybody by address if it is ""."""
    if not search:
        return (SearchPart(column="email", matches=true()),)
    wanted = [("email", search.lower())] if " " not in search else []
    wanted += [(name, prefix) for name in ("name", "organisation") for prefix in list_spellings(search)]
    parts: list[SearchPart] = []
    earlier: list[ColumnElement[bool]] = []
    for column, prefix in wanted:
        begins = begins_with(col(getattr(Subscriber, column)), prefix)
        matches = not_(or_(*earlier)) if earlier else true()
        parts.append(SearchPart(column=column, prefix=prefix, matches=matches))
        earlier.append(begins)
    # One search in all three is a third of the work. Nobody searches for the end of a line.
    texts = col(Subscriber.email) + "\n" + col(Subscriber.name) + "\n" + col(Subscriber.organisation)
    anywhere = and_(contains_words(texts, search), not_(or_(*earlier)))
    return (*parts, SearchPart(column="email", matches=anywhere))


def begins_with(column: Any, prefix: str) -> ColumnElement[bool]:
    """Return the condition that a text begins with ``prefix``, in the form that its index serves."""
    if not prefix:
        return true()
    return and_(column >= prefix, column < prefix + _AFTER_ANY_TEXT)


def list_spellings(search: str) -> tuple[str, ...]:
    """Return the same letters as people write them: with a capital in front or in each word, in capitals,
    in small letters, and as they are."""
    first = search[:1].upper() + search[1:]
    return tuple(dict.fromkeys((first, search.title(), search.upper(), search.lower(), search)))


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
class ListPage(Generic[_Row]):
    """A page of subscribers or organisations. ``previous`` and ``next`` are the rows to end before and begin
    after; None at the ends. It ``is_cut`` if it had looked at as many people as a page may: ``next`` then
    leads to the others.
    """

    rows: Sequence[_Row] = ()
    previous: Cursor | None = None
    next: Cursor | None = None
    is_cut: bool = False


_Rows = list[tuple[Cursor, Subscriber]]


def read_list_page(
    session: Session,
    segment: Segment,
    *,
    search: str = "",
    after: Cursor | None = None,
    before: Cursor | None = None,
) -> ListPage[Subscriber]:
    """Read a page of those of a ``segment`` who are found by ``search``, ``after`` a row or ``before`` one. A
    row that is no longer found begins the list anew.

    Erased and merged people are only listed if the segment asks about the status.
    """
    reader = _ListReader(session, segment, search)
    if before is not None:
        found, stopped_at = reader.read(before, backwards=True)
        if found or stopped_at is not None:
            return _turn_back(found, stopped_at)
        after = None
    found, stopped_at = reader.read(after)
    rows = found[:PAGE_LENGTH]
    more = len(found) > PAGE_LENGTH
    return ListPage(
        rows=[person for _, person in rows],
        previous=rows[0][0] if rows and after is not None else None,
        next=rows[-1][0] if more else stopped_at,
        is_cut=not more and stopped_at is not None,
    )


def _turn_back(found: _Rows, stopped_at: Cursor | None) -> ListPage[Subscriber]:
    rows = found[:PAGE_LENGTH][::-1]
    more = len(found) > PAGE_LENGTH
    return ListPage(
        rows=[person for _, person in rows],
        previous=rows[0][0] if more else stopped_at,
        # The row that this page ends before is the first of the next.
        next=rows[-1][0] if rows else stopped_at,
        is_cut=not rows,
    )


class _ListReader:
    def __init__(self, session: Session, segment: Segment, search: str) -> None:
        self._session = session
        self._parts = list_search_parts(search)
        conditions = [segment.where()]
        if not segment.asks_about(TermKey.status):
            conditions.append(col(Subscriber.status).not_in(_NOBODY))
        # As one value, or SQLite would take the people of a country for a handful and sort them all: it knows
        # nothing of how many there are.
        self._where = case((and_(*conditions), 1), else_=0) == 1
        self._few = _find_few(session, segment)
        if self._few is not None:
            self._where = and_(col(Subscriber.id).in_(self._few), self._where)

    def read(self, start: Cursor | None, *, backwards: bool = False) -> tuple[_Rows, Cursor | None]:
        """Read one row more than a page has, beyond ``start``, and return where it stopped looking."""
        first = len(self._parts) - 1 if backwards else 0
        if start is not None and start.part < len(self._parts):
            first = start.part
        rows: _Rows = []
        numbers = range(first, -1, -1) if backwards else range(first, len(self._parts))
        for number in numbers:
            place = self._find_place(number, start) if number == first else None
            wanted = PAGE_LENGTH + 1 - len(rows)
            some, end = self._read_part(number, place, wanted, backwards=backwards)
            rows += some
            if len(rows) > PAGE_LENGTH:
                break
            if end is not None:
                return rows, end
        return rows, None

    def _find_place(self, number: int, start: Cursor | None) -> _Place | None:
        """Return the key and the ID of the row to begin beyond; None if it is not in that part any more."""
        if start is None or start.part != number:
            return None
        part = self._parts[number]
        wanted = select(part.key).where(col(Subscriber.id) == start.subscriber_id, part.is_within())
        key = self._session.scalar(wanted)
        return None if key is None else (key, start.subscriber_id)

    def _read_part(
        self, number: int, place: _Place | None, wanted: int, *, backwards: bool
    ) -> tuple[_Rows, Cursor | None]:
        """Return at most ``wanted`` rows of a part, and where it stopped if it looked at only some."""
        part, rows = self._parts[number], _Rows()
        # Most pages are full after a few; only what few people meet is looked for among many.
        for many in (FIRST_LOOKED_AT, LOOKED_AT - FIRST_LOOKED_AT):
            within = [part.is_within(), *([_is_beyond(part, place, backwards=backwards)] if place else [])]
            end = self._find_end(part, within, many, backwards=backwards)
            if end is not None:
                within.append(~_is_beyond(part, end, backwards=backwards))
            statement = select(Subscriber).where(*within, part.matches, self._where)
            statement = _order(statement, part, backwards=backwards).limit(wanted - len(rows))
            people = self._session.scalars(statement).all()
            rows += [(Cursor(part=number, subscriber_id=person.id or 0), person) for person in people]
            if end is None or len(rows) == wanted:
                return rows, None
            place = end
        return rows, Cursor(part=number, subscriber_id=place[1] if place else 0)

    def _find_end(
        self, part: SearchPart, within: Sequence[ColumnElement[bool]], many: int, *, backwards: bool
    ) -> _Place | None:
        """Return the last row to look at; None if the rest of the part is short enough, or few people are
        looked at anyway."""
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
    """Return all whom one of the terms of a segment leaves over, if those are few."""
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


def read_organisation_page(
    session: Session, search: str, *, after: Cursor | None = None
) -> ListPage[Row[Any]]:
    """Read a page of organisations, or of those found by ``search``: first those that begin with it.

    Each has a ``name``, how many ``people``, which stops at one more than :data:`MAX_COUNTED`, and
    ``has_reader``: whether any of them gets mail, now or after a pause.
    """
    found: list[Cursor] = []
    prefixes = list_spellings(search) if search else ("",)
    first = after.part if after is not None and after.part <= len(prefixes) else 0
    cut: Cursor | None = None
    for part in range(first, len(prefixes) + (1 if search else 0)):
        start = ""
        if after is not None and part == first:
            begin = select(col(Subscriber.organisation)).where(col(Subscriber.id) == after.subscriber_id)
            start = session.scalar(begin) or ""
        if part < len(prefixes):
            earlier = prefixes[:part]
            names = _list_names(session, prefixes[part], start)
            numbers = [number for name, number in names if not name.startswith(earlier)]
        else:
            numbers, end = _search_names(session, search, prefixes, start)
            cut = None if end is None else Cursor(part=part, subscriber_id=end)
        found += [Cursor(part=part, subscriber_id=number) for number in numbers]
        if len(found) > PAGE_LENGTH:
            break
    rows = found[:PAGE_LENGTH]
    return ListPage(
        rows=_describe_all(session, [cursor.subscriber_id for cursor in rows]),
        next=rows[-1] if len(found) > PAGE_LENGTH else cut,
        is_cut=len(found) <= PAGE_LENGTH and cut is not None,
    )


def find_organisation(session: Session, name: str) -> Row[Any] | None:
    """Return the organisation with exactly this name, as on a page of them; None if nobody belongs to it."""
    if not name or "\0" in name:
        return None
    one = session.scalar(select(func.min(col(Subscriber.id))).where(col(Subscriber.organisation) == name))
    return None if one is None else next(iter(_describe_all(session, [one])), None)


def list_people(session: Session, name: str, *, after_id: int = 0, limit: int) -> Sequence[Subscriber]:
    wanted = select(Subscriber).where(col(Subscriber.organisation) == name, col(Subscriber.id) > after_id)
    return session.scalars(wanted.order_by(col(Subscriber.id)).limit(limit)).all()


def list_other_spellings(session: Session, name: str) -> list[str]:
    """Return names that differ from ``name`` in capitals alone, as far as they are easily guessed."""
    others = [spelling for spelling in list_spellings(name) if spelling != name]
    wanted = select(col(Subscriber.organisation)).where(col(Subscriber.organisation).in_(others)).distinct()
    return sorted(session.scalars(wanted))


def _describe_all(session: Session, people: Sequence[int]) -> tuple[Row[Any], ...]:
    theirs = aliased(Subscriber)
    same = col(theirs.organisation) == col(Subscriber.organisation)
    some = select(col(theirs.id)).where(same).limit(MAX_COUNTED + 1).correlate(Subscriber).subquery()
    wanted = select(
        col(Subscriber.id),
        col(Subscriber.organisation).label("name"),
        select(func.count()).select_from(some).correlate(Subscriber).scalar_subquery().label("people"),
        exists().where(same, col(theirs.status).in_(_READERS)).correlate(Subscriber).label("has_reader"),
    )
    rows = session.execute(wanted.where(col(Subscriber.id).in_(people)))
    found = {row.id: row for row in rows}
    return tuple(found[number] for number in people if number in found)


def _list_names(session: Session, prefix: str, start: str) -> list[tuple[str, int]]:
    """List at most one name more than a page has, each with the ID of one of its people.

    One statement goes from name to name: 51 statements came to a second on a busy machine.
    """
    column, one = col(Subscriber.organisation), aliased(Subscriber)
    first = select(func.min(column).label("name"), literal(1).label("place"))
    names = first.where(column > start, begins_with(column, prefix)).cte("names", recursive=True)
    following = select(func.min(col(one.organisation))).where(
        col(one.organisation) > names.c.name, begins_with(col(one.organisation), prefix)
    )
    further = select(following.correlate(names).scalar_subquery(), names.c.place + 1)
    names = names.union_all(further.where(names.c.name.is_not(None), names.c.place <= PAGE_LENGTH))
    number = select(func.min(col(Subscriber.id))).where(column == names.c.name).scalar_subquery()
    listed = select(names.c.name, number).where(names.c.name.is_not(None)).order_by(names.c.place)
    return [(name, number) for name, number in session.execute(listed)]


def _search_names(
    session: Session, search: str, prefixes: tuple[str, ...], start: str
) -> tuple[list[int], int | None]:
    """Find names that have ``search`` somewhere else than at their beginning. Return the ID of one of the
    people of each, and where looking stopped."""
    column, one = col(Subscriber.organisation), col(Subscriber.id)
    in_order = select(column, one).where(column > start).order_by(column, one)
    end = session.execute(in_order.offset(LOOKED_AT).limit(1)).first()
    within = [column > start, *([column <= end[0]] if end is not None else [])]
    rows = session.execute(
        select(column, func.min(one))
        .where(*within, contains_words(column, search))
        .group_by(column)
        .order_by(column)
        .limit(2 * PAGE_LENGTH)
    )
    numbers = [number for name, number in rows if not name.startswith(prefixes)]
    return numbers[: PAGE_LENGTH + 1], None if end is None else end[1]
