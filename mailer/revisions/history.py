"""Reading the history of an edition: its entries, what the files were in each, and who changed them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlmodel import Session, col

from mailer.database.edition_models import EditionRevision, RevisionFile, RevisionKind, RevisionText
from mailer.database.team_models import TeamMember
from mailer.revisions.edition_file import EditionFile, FilePlace


@dataclass(frozen=True, kw_only=True)
class RevisionEntry:
    """What an entry of the history did to one file.

    ``number`` names the text it left, ``revision`` the whole entry. ``who`` is the member's name and
    ``member_id`` their number, "" and None if it is not known. The words are those added and removed since
    the entry before. ``has_text`` is false if the file was removed.
    """

    number: int
    revision: int
    kind: RevisionKind
    who: str
    began_at: datetime
    ended_at: datetime
    name: str
    place: FilePlace
    digest: str
    words_added: int
    words_removed: int
    member_id: int | None = None

    @property
    def has_text(self) -> bool:
        return bool(self.digest)


def list_history(
    session: Session, edition: str, place: FilePlace, *, before: int | None = None, limit: int = 30
) -> list[RevisionEntry]:
    """Return the entries about one text, the newest first; ``before`` the one with that number."""
    query = _select(edition).where(*_is_about(place))
    if before is not None:
        query = query.where(col(RevisionFile.id) < before)
    rows = session.execute(query.order_by(col(RevisionFile.id).desc()).limit(limit)).all()
    return [_as_entry(*row) for row in rows]


def list_edition_history(
    session: Session, edition: str, *, before: int | None = None, limit: int = 30
) -> list[list[RevisionEntry]]:
    """Return the entries of a whole edition, the newest first, each with all its files; ``before`` the entry
    with that number."""
    query = select(col(EditionRevision.id)).where(col(EditionRevision.edition) == edition)
    if before is not None:
        query = query.where(col(EditionRevision.id) < before)
    numbers = session.scalars(query.order_by(col(EditionRevision.id).desc()).limit(limit)).all()
    rows = session.execute(_select(edition).where(col(EditionRevision.id).in_(numbers))).all()
    entries = sorted((_as_entry(*row) for row in rows), key=lambda entry: (-entry.revision, entry.name))
    return [[entry for entry in entries if entry.revision == number] for number in numbers]


def find_entry(session: Session, edition: str, place: FilePlace, number: int) -> RevisionEntry | None:
    """Return the entry ``number`` about one text; None if it is about another."""
    query = _select(edition).where(*_is_about(place), col(RevisionFile.id) == number)
    row = session.execute(query).first()
    return None if row is None else _as_entry(*row)


def find_entry_before(session: Session, edition: str, entry: RevisionEntry) -> RevisionEntry | None:
    """Return the entry before another about the same text; None if it is the first."""
    query = _select(edition).where(*_is_about(entry.place), col(RevisionFile.id) < entry.number)
    query = query.where(col(EditionRevision.kind) != RevisionKind.set_aside)
    row = session.execute(query.order_by(col(RevisionFile.id).desc()).limit(1)).first()
    return None if row is None else _as_entry(*row)


def read_text(session: Session, edition: str, entry: RevisionEntry) -> str:
    """Return the text that an entry left; "" if the file was removed."""
    texts = col(RevisionText.text)
    query = select(texts).where(
        col(RevisionText.edition) == edition, col(RevisionText.digest) == entry.digest
    )
    return session.scalar(query) or "" if entry.digest else ""


def list_removed_stories(session: Session, edition: str, existing: Sequence[str]) -> list[RevisionEntry]:
    """Return the last entry with a text of each story that is not among ``existing``, the latest first."""
    query = (
        _select(edition)
        .where(col(RevisionFile.story) != "", col(RevisionFile.story).not_in(existing))
        .where(col(RevisionFile.language) == "", col(RevisionFile.digest) != "")
        .where(col(EditionRevision.kind) != RevisionKind.set_aside)
        .order_by(col(RevisionFile.id).desc())
    )
    latest: dict[str, RevisionEntry] = {}
    for row in session.execute(query):
        entry = _as_entry(*row)
        latest.setdefault(entry.place.story, entry)
    return list(latest.values())


def list_languages(session: Session, edition: str, story: str) -> list[str]:
    """Return the languages of all texts of a story that the history knows; "" is the original."""
    query = select(col(RevisionFile.language)).where(
        col(RevisionFile.edition) == edition, col(RevisionFile.story) == story
    )
    return sorted(set(session.scalars(query)))


def _is_about(place: FilePlace) -> tuple[ColumnElement[bool], ...]:
    return (col(RevisionFile.story) == place.story, col(RevisionFile.language) == place.language)


def _select(edition: str) -> Select[EditionRevision, RevisionFile, str]:
    return (
        select(EditionRevision, RevisionFile, col(TeamMember.name))
        .join(RevisionFile, col(RevisionFile.revision_id) == col(EditionRevision.id))
        .outerjoin(TeamMember, col(TeamMember.id) == col(EditionRevision.member_id))
        .where(col(EditionRevision.edition) == edition)
    )


def _as_entry(revision: EditionRevision, file: RevisionFile, name: str | None) -> RevisionEntry:
    return RevisionEntry(
        number=file.id or 0,
        revision=revision.id or 0,
        kind=revision.kind,
        who=name or "",
        began_at=revision.began_at,
        ended_at=revision.ended_at,
        name=file.name,
        place=FilePlace(story=file.story, language=file.language),
        digest=file.digest,
        words_added=file.words_added,
        words_removed=file.words_removed,
        member_id=revision.member_id,
    )


def find_last_writers(session: Session, editions: Collection[str]) -> dict[str, tuple[str, datetime]]:
    """Return the name of the member who has last changed each of ``editions`` in Studio, and when, as far as
    that is known."""
    latest = (
        select(func.max(EditionRevision.id))
        .where(col(EditionRevision.edition).in_(editions))
        .where(col(EditionRevision.member_id).is_not(None))
        .where(col(EditionRevision.kind) != RevisionKind.set_aside)
        .group_by(col(EditionRevision.edition))
    )
    rows = session.execute(
        select(col(EditionRevision.edition), col(TeamMember.name), col(EditionRevision.ended_at))
        .where(col(TeamMember.id) == col(EditionRevision.member_id))
        .where(col(EditionRevision.id).in_(latest))
    )
    return {edition: (name, at) for edition, name, at in rows}


_LOOKED_BACK = 50


def find_change_author(
    session: Session, edition: str, file: EditionFile, is_same: Callable[[str], bool]
) -> int | None:
    """Return the number of the member who made a part of ``file`` what it is now; None if it is not known,
    because that was done outside Studio, or many entries of the history ago. ``is_same`` says whether an
    earlier text has the part as it is now."""
    listed = list_history(session, edition, file.place, limit=_LOOKED_BACK)
    entries = [entry for entry in listed if entry.kind is not RevisionKind.set_aside]
    if not entries or entries[0].digest != file.digest:
        return None
    author = None
    for entry in entries:
        if not is_same(read_text(session, edition, entry)):
            return author
        author = entry.member_id
    return author if len(listed) < _LOOKED_BACK else None
