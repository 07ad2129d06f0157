"""The organisations on the list: found by a few letters, and the people of one.

An organisation is what people's entries say, letter by letter; two spellings are two organisations. Finding
the next name is one step in an index, however many people share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from subscribers.directory.search_order import begins_with, list_spellings
from subscribers.directory.subscriber_list import LOOKED_AT, Cursor
from subscribers.models import Status, Subscriber
from subscribers.segments.case_insensitive_search import contains_words

PAGE_LENGTH = 50
MAX_COUNTED = 1000
"""How many people of an organisation are counted."""

_READERS = (Status.active, Status.paused)


@dataclass(frozen=True, kw_only=True)
class Organisation:
    """An organisation. ``people`` stops at one more than :data:`MAX_COUNTED`; ``has_reader`` says whether any
    of them gets mail, now or after a pause."""

    name: str
    people: int
    has_reader: bool


@dataclass(frozen=True, kw_only=True)
class OrganisationPage:
    """Some organisations by name; ``next`` is the row after which the others come, None at the end.
    ``is_cut`` says that it ended early, after it had looked at as many people as a page may."""

    rows: tuple[Organisation, ...]
    next: Cursor | None
    is_cut: bool = False


def read_organisation_page(session: Session, search: str, *, after: Cursor | None = None) -> OrganisationPage:
    """Read a page of organisations, or of those found by ``search``: first those that begin with it."""
    found: list[tuple[Cursor, str]] = []
    prefixes = list_spellings(search) if search else ("",)
    first = after.part if after is not None and after.part <= len(prefixes) else 0
    cut: Cursor | None = None
    for part in range(first, len(prefixes) + (1 if search else 0)):
        start = _find_name(session, after) if after is not None and part == first else ""
        if part < len(prefixes):
            earlier = prefixes[:part]
            names = _list_names(session, prefixes[part], start)
            found += [
                (Cursor(part=part, subscriber_id=number), name)
                for name, number in names
                if not name.startswith(earlier)
            ]
        else:
            more, end = _search_names(session, search, prefixes, start)
            found += [(Cursor(part=part, subscriber_id=number), name) for name, number in more]
            cut = None if end is None else Cursor(part=part, subscriber_id=end)
        if len(found) > PAGE_LENGTH:
            break
    rows = found[:PAGE_LENGTH]
    return OrganisationPage(
        rows=_describe_all(session, [cursor.subscriber_id for cursor, _ in rows]),
        next=rows[-1][0] if len(found) > PAGE_LENGTH else cut,
        is_cut=len(found) <= PAGE_LENGTH and cut is not None,
    )


def find_organisation(session: Session, name: str) -> Organisation | None:
    """Return the organisation with exactly this name; None if nobody belongs to it."""
    if not name or "\0" in name:
        return None
    one = session.scalar(select(func.min(col(Subscriber.id))).where(col(Subscriber.organisation) == name))
    return None if one is None else next(iter(_describe_all(session, [one])), None)


def list_people(session: Session, name: str, *, after_id: int = 0, limit: int) -> Sequence[Subscriber]:
    """List people of an organisation, by their IDs."""
    wanted = select(Subscriber).where(col(Subscriber.organisation) == name, col(Subscriber.id) > after_id)
    return session.scalars(wanted.order_by(col(Subscriber.id)).limit(limit)).all()


def list_other_spellings(session: Session, name: str) -> list[str]:
    """Other names that differ from ``name`` in capitals alone, as far as they are easily guessed."""
    others = [spelling for spelling in list_spellings(name) if spelling != name]
    wanted = select(col(Subscriber.organisation)).where(col(Subscriber.organisation).in_(others)).distinct()
    return sorted(session.scalars(wanted))


def _describe_all(session: Session, people: Sequence[int]) -> tuple[Organisation, ...]:
    """Describe the organisation of each of these people, in this order, by one statement for all."""
    theirs = aliased(Subscriber)
    same = col(theirs.organisation) == col(Subscriber.organisation)
    some = select(col(theirs.id)).where(same).limit(MAX_COUNTED + 1).correlate(Subscriber).subquery()
    wanted = select(
        col(Subscriber.id),
        col(Subscriber.organisation),
        select(func.count()).select_from(some).correlate(Subscriber).scalar_subquery(),
        exists().where(same, col(theirs.status).in_(_READERS)).correlate(Subscriber),
    )
    rows = session.execute(wanted.where(col(Subscriber.id).in_(people)))
    found = {
        number: Organisation(name=name, people=count, has_reader=has_reader)
        for number, name, count, has_reader in rows
    }
    return tuple(found[number] for number in people if number in found)


def _find_name(session: Session, cursor: Cursor) -> str:
    wanted = select(col(Subscriber.organisation)).where(col(Subscriber.id) == cursor.subscriber_id)
    return session.scalar(wanted) or ""


def _list_names(session: Session, prefix: str, start: str) -> list[tuple[str, int]]:
    """List at most one name more than a page has, each with the ID of one of its people.

    One statement goes from name to name. A statement for each name was 51 waits for the database, which on
    a busy machine came to a second.
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
) -> tuple[list[tuple[str, int]], int | None]:
    """Names that have ``search`` somewhere else than at their beginning, and where looking stopped."""
    column = col(Subscriber.organisation)
    end = session.execute(_in_order(column > start).offset(LOOKED_AT).limit(1)).first()
    within = [column > start, *([column <= end[0]] if end is not None else [])]
    rows = session.execute(
        select(column, func.min(col(Subscriber.id)))
        .where(*within, contains_words(column, search))
        .group_by(column)
        .order_by(column)
        .limit(2 * PAGE_LENGTH)
    )
    names = [(name, number) for name, number in rows if not name.startswith(prefixes)]
    return names[: PAGE_LENGTH + 1], None if end is None else end[1]


def _in_order(*conditions: ColumnElement[bool]) -> Select[Any]:
    column = col(Subscriber.organisation)
    keys: tuple[Any, ...] = (column, col(Subscriber.id))
    return select(*keys).where(*conditions).order_by(*keys)
