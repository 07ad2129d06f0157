"""Who has a story open, so that two people know of each other. It locks nothing.

Times are compared both ways: a row from the future, which a clock that was set back leaves behind, says as
little as an old one, and the next sign of the same page replaces it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_
from sqlmodel import Session, col, delete, select

from mailer.database.edition_models import StoryPresence
from mailer.database.team_models import TeamMember
from mailer.revisions.edition_file import FilePlace
from mailer.team.members import Member

GONE_AFTER = timedelta(seconds=45)
"""After how long a silence nobody is there any more. A page says every 15 seconds that it is still open."""

# The clocks of two machines that share a database.
_DRIFT = timedelta(seconds=5)


def note_presence(
    session: Session, edition: str, place: FilePlace, *, member: Member, sitting: str, now: datetime
) -> None:
    """Note that a member has the page ``sitting`` open ``now``. The caller commits."""
    row = session.get(StoryPresence, sitting)
    if row is not None and row.member_id != member.id:
        return
    if row is None:
        session.exec(delete(StoryPresence).where(~_is_present(now)))
        row = StoryPresence(sitting=sitting, member_id=member.id, edition=edition, seen_at=now)
    row.edition, row.story, row.language, row.seen_at = edition, place.story, place.language, now
    session.add(row)
    session.flush()


def end_presence(session: Session, *, member: Member, sitting: str) -> None:
    """Note that a member has closed the page ``sitting``. The caller commits."""
    row = session.get(StoryPresence, sitting)
    if row is not None and row.member_id == member.id:
        session.delete(row)
        session.flush()


def list_present(
    session: Session, edition: str, place: FilePlace, *, now: datetime, apart_from: Member
) -> list[str]:
    """Return the names of the others who have this text open, in any number of pages."""
    by_place = list_present_by_place(session, edition, now=now, apart_from=apart_from)
    return by_place.get(place, [])


def list_present_by_place(
    session: Session, edition: str, *, now: datetime, apart_from: Member
) -> Mapping[FilePlace, list[str]]:
    """Return the names of the others who have a text of the edition open, by text."""
    names: dict[FilePlace, dict[int, str]] = defaultdict(dict)
    for opened, name in _list_others(session, [edition], now, apart_from):
        names[FilePlace(story=opened.story, language=opened.language)][opened.member_id] = name
    return {place: [*found.values()] for place, found in names.items()}


def list_present_by_edition(
    session: Session, editions: Collection[str], *, now: datetime, apart_from: Member
) -> Mapping[str, list[str]]:
    """Return the names of the others who have any text of the ``editions`` open, by edition."""
    names: dict[str, dict[int, str]] = defaultdict(dict)
    for opened, name in _list_others(session, editions, now, apart_from):
        names[opened.edition][opened.member_id] = name
    return {edition: [*found.values()] for edition, found in names.items()}


def _list_others(
    session: Session, editions: Collection[str], now: datetime, apart_from: Member
) -> Iterable[tuple[StoryPresence, str]]:
    query = (
        select(StoryPresence, TeamMember.name)
        .where(TeamMember.id == StoryPresence.member_id, col(TeamMember.removed_at).is_(None))
        .where(col(StoryPresence.edition).in_(editions), StoryPresence.member_id != apart_from.id)
        .where(_is_present(now))
        .order_by(TeamMember.name, col(TeamMember.id))
    )
    return session.exec(query)


def _is_present(now: datetime) -> ColumnElement[bool]:
    seen = col(StoryPresence.seen_at)
    return and_(seen > now - GONE_AFTER, seen <= now + _DRIFT)
