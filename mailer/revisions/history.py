"""The history of an edition: entries, their files and texts, and who changed them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Row, Select, exists, func
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, delete, select

from editions.text_diff.comparison import count_changed_words
from mailer.database.edition_models import (
    EditionRevision,
    RevisionFile,
    RevisionKind,
    RevisionText,
    UnsavedText,
)
from mailer.database.team_models import TeamMember
from mailer.revisions.edition_file import EditionFile, FilePlace, TextSave, digest_text, parse_file_name

SITTING_GAP = timedelta(minutes=30)
"""After how long a pause the same page begins another entry."""

TEXTS_KEPT = timedelta(days=3)
"""How long texts are kept that are in no entry: pages that were opened with one are seldom open longer."""
_LOOKED_BACK = 50


class RevisionEntry(NamedTuple):
    """What an entry of the history did to one file. ``who`` is the member's name, "" if it is not known."""

    revision: EditionRevision
    file: RevisionFile
    who: str

    @property
    def number(self) -> int:
        """What names the text that the entry left."""
        return self.file.id or 0

    @property
    def kind(self) -> RevisionKind:
        return self.revision.kind

    @property
    def place(self) -> FilePlace:
        return FilePlace(story=self.file.story, language=self.file.language)

    @property
    def has_text(self) -> bool:
        """Whether the file was there."""
        return bool(self.file.digest)


def find_latest(session: Session, edition: str, place: FilePlace) -> RevisionEntry | None:
    """Return the latest entry about the text ``place`` that was its file; None if there is none yet."""
    return _find_newest(session, _select(edition).where(*_is_about(place)))


def find_text(session: Session, edition: str, digest: str) -> str | None:
    """Return the text with ``digest`` that a file of the edition once had; None if it is not known."""
    if not digest:
        return None
    found = select(RevisionText.text).where(RevisionText.edition == edition, RevisionText.digest == digest)
    return session.exec(found).one_or_none()


def record_outside_change(session: Session, edition: str, file: EditionFile, *, now: datetime) -> bool:
    """Enter what was done to a file outside Studio, if the history does not know its text as the latest;
    return whether it did not. The caller commits, and holds the lock of the edition."""
    latest = find_latest(session, edition, file.place)
    if latest is not None and latest.file.digest == file.digest:
        return False
    kind = RevisionKind.found if latest is None else RevisionKind.outside
    record_change(session, edition, kind, {file.name: file.text}, None, now=now)
    return True


def record_outside_removal(session: Session, edition: str, name: str, *, now: datetime) -> bool:
    """Enter that a file was removed outside Studio, if the history has it; return whether it had. The
    caller commits, and holds the lock of the edition."""
    latest = find_latest(session, edition, parse_file_name(name))
    if latest is None or not latest.file.digest:
        return False
    record_change(session, edition, RevisionKind.outside, {latest.file.name: None}, None, now=now)
    return True


def record_change(
    session: Session,
    edition: str,
    kind: RevisionKind,
    files: Mapping[str, str | None],
    member_id: int | None,
    *,
    now: datetime,
    sitting: str = "",
    sequence: int = 0,
) -> int:
    """Enter one change of ``files``, by the names they have now and with their whole texts, None for what was
    removed; return the entry's number. ``member_id`` is None if it is not known who it was. The caller
    commits, and holds the lock of the edition."""
    revision = EditionRevision(
        edition=edition,
        kind=kind,
        member_id=member_id,
        sitting=sitting,
        began_at=now,
        ended_at=now,
    )
    session.add(revision)
    session.flush()
    assert revision.id is not None  # noqa: S101 - it was just flushed
    for name, text in files.items():
        place = parse_file_name(name)
        row = RevisionFile(
            revision_id=revision.id, edition=edition, story=place.story, language=place.language, name=name
        )
        _set_text(session, row, text, sequence=sequence, now=now)
    _prune_texts(session, edition, now=now)
    return revision.id


def record_sitting(session: Session, file: EditionFile, save: TextSave) -> None:
    """Enter what a member has just written: into the entry of their sitting if nobody came between, and it
    has not been silent for :data:`SITTING_GAP`. The caller commits, and holds the lock of the edition."""
    latest = find_latest(session, save.edition, file.place)
    if latest is None or not continues_sitting(latest, save):
        record_change(
            session,
            save.edition,
            save.kind,
            {file.name: file.text},
            save.member.id,
            now=save.now,
            sitting=save.sitting,
            sequence=save.sequence,
        )
        return
    latest.revision.ended_at, latest.file.name = save.now, file.name
    session.add(latest.revision)
    _set_text(session, latest.file, file.text, sequence=save.sequence, now=save.now)


def record_set_aside(session: Session, unsaved: UnsavedText, *, now: datetime) -> None:
    """Enter what a member wrote and did not take when the conflict was settled. The caller commits."""
    kind, files = RevisionKind.set_aside, {unsaved.name: unsaved.mine}
    record_change(session, unsaved.edition, kind, files, unsaved.member_id, now=now, sitting=unsaved.sitting)


def continues_sitting(latest: RevisionEntry | None, save: TextSave) -> bool:
    """Return whether a save goes into the latest entry: it is of this sitting, nobody came between, and it
    has not been silent for :data:`SITTING_GAP`. A clock that was set back begins another."""
    if latest is None or save.kind is not RevisionKind.written:
        return False
    revision = latest.revision
    same = revision.kind is RevisionKind.written and revision.member_id == save.member.id
    is_theirs = same and bool(save.sitting) and revision.sitting == save.sitting
    return is_theirs and revision.began_at <= save.now <= revision.ended_at + SITTING_GAP


def _set_text(session: Session, row: RevisionFile, text: str | None, *, sequence: int, now: datetime) -> None:
    place = FilePlace(story=row.story, language=row.language)
    query = _select(row.edition).where(*_is_about(place))
    before = _find_newest(session, query if row.id is None else query.where(col(RevisionFile.id) < row.id))
    known = read_text(session, row.edition, before) if before is not None else ""
    row.sequence = sequence
    row.words_added, row.words_removed = count_changed_words(known, text or "")
    row.digest = "" if text is None else digest_text(text)
    row.text_id = None if text is None else _store_text(session, row.edition, row.digest, text, now=now)
    session.add(row)
    session.flush()


def _store_text(session: Session, edition: str, digest: str, text: str, *, now: datetime) -> int:
    known = select(RevisionText).where(RevisionText.edition == edition, RevisionText.digest == digest)
    stored = session.exec(known).one_or_none()
    if stored is None:
        stored = RevisionText(edition=edition, digest=digest, text=text, saved_at=now)
    stored.saved_at = now
    session.add(stored)
    session.flush()
    assert stored.id is not None  # noqa: S101 - it was just flushed
    return stored.id


def _prune_texts(session: Session, edition: str, *, now: datetime) -> None:
    is_used = exists().where(col(RevisionFile.text_id) == col(RevisionText.id))
    session.exec(
        delete(RevisionText)
        .where(col(RevisionText.edition) == edition)
        .where(col(RevisionText.saved_at) < now - TEXTS_KEPT)
        .where(~is_used)
    )


def list_history(
    session: Session, edition: str, place: FilePlace, *, before: int | None = None, limit: int = 30
) -> list[RevisionEntry]:
    """Return the entries about one text, the newest first; ``before`` the one with that number."""
    query = _select(edition).where(*_is_about(place))
    if before is not None:
        query = query.where(col(RevisionFile.id) < before)
    rows = session.execute(query.order_by(col(RevisionFile.id).desc()).limit(limit)).all()
    return [_make_entry(row) for row in rows]


def list_edition_history(
    session: Session, edition: str, *, before: int | None = None, limit: int = 30
) -> list[list[RevisionEntry]]:
    """Return the entries of an edition, the newest first, each with all its files; older than ``before``."""
    query = sa_select(col(EditionRevision.id)).where(col(EditionRevision.edition) == edition)
    if before is not None:
        query = query.where(col(EditionRevision.id) < before)
    numbers = session.scalars(query.order_by(col(EditionRevision.id).desc()).limit(limit)).all()
    rows = session.execute(_select(edition).where(col(EditionRevision.id).in_(numbers))).all()
    entries = sorted(map(_make_entry, rows), key=lambda entry: entry.file.name)
    return [[entry for entry in entries if entry.revision.id == number] for number in numbers]


def find_entry(session: Session, edition: str, place: FilePlace, number: int) -> RevisionEntry | None:
    """Return the entry ``number`` about one text; None if it is about another."""
    query = _select(edition).where(*_is_about(place), col(RevisionFile.id) == number)
    row = session.execute(query).first()
    return None if row is None else _make_entry(row)


def find_entry_before(session: Session, edition: str, entry: RevisionEntry) -> RevisionEntry | None:
    """Return the entry before another about the same text; None if it is the first."""
    query = _select(edition).where(*_is_about(entry.place), col(RevisionFile.id) < entry.number)
    return _find_newest(session, query)


def read_text(session: Session, edition: str, entry: RevisionEntry) -> str:
    """Return the text that an entry left; "" if the file was removed."""
    return find_text(session, edition, entry.file.digest) or ""


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
        entry = _make_entry(row)
        latest.setdefault(entry.place.story, entry)
    return list(latest.values())


def list_languages(session: Session, edition: str, story: str) -> list[str]:
    """Return the languages of all texts of a story that the history knows; "" is the original."""
    query = sa_select(col(RevisionFile.language)).where(
        col(RevisionFile.edition) == edition, col(RevisionFile.story) == story
    )
    return sorted(set(session.scalars(query)))


def _is_about(place: FilePlace) -> tuple[ColumnElement[bool], ...]:
    return (col(RevisionFile.story) == place.story, col(RevisionFile.language) == place.language)


def _select(edition: str) -> Select[EditionRevision, RevisionFile, str]:
    return (
        sa_select(EditionRevision, RevisionFile, col(TeamMember.name))
        .join(RevisionFile, col(RevisionFile.revision_id) == col(EditionRevision.id))
        .outerjoin(TeamMember, col(TeamMember.id) == col(EditionRevision.member_id))
        # Not the edition of the entry: the index has this one, with the story and the language.
        .where(col(RevisionFile.edition) == edition)
    )


def _find_newest(session: Session, query: Select[EditionRevision, RevisionFile, str]) -> RevisionEntry | None:
    """Return the newest of these entries that was the file."""
    query = query.where(col(EditionRevision.kind) != RevisionKind.set_aside)
    row = session.execute(query.order_by(col(RevisionFile.id).desc()).limit(1)).first()
    return None if row is None else _make_entry(row)


def _make_entry(row: Row[EditionRevision, RevisionFile, str | None]) -> RevisionEntry:
    revision, file, who = row
    return RevisionEntry(revision=revision, file=file, who=who or "")


def list_last_edits(session: Session, *, limit: int) -> dict[str, tuple[str, datetime | None]]:
    """Return who changed the last editions, "" if unknown, and when, the latest first."""
    newest = func.max(EditionRevision.id)
    latest = select(newest).where(col(EditionRevision.kind) != RevisionKind.found)
    latest = latest.group_by(col(EditionRevision.edition)).order_by(newest.desc()).limit(limit)
    rows = session.execute(
        select(EditionRevision, col(TeamMember.name))
        .outerjoin(TeamMember, col(TeamMember.id) == col(EditionRevision.member_id))
        .where(col(EditionRevision.id).in_(latest))
        .order_by(col(EditionRevision.id).desc())
    )
    return {revision.edition: (name or "", revision.ended_at) for revision, name in rows}


def find_last_writers(session: Session, editions: Collection[str]) -> dict[str, tuple[str, datetime]]:
    """Return who last changed each of ``editions`` in Studio, and when, as far as known."""
    latest = (
        sa_select(func.max(EditionRevision.id))
        .where(col(EditionRevision.edition).in_(editions))
        .where(col(EditionRevision.member_id).is_not(None))
        .where(col(EditionRevision.kind) != RevisionKind.set_aside)
        .group_by(col(EditionRevision.edition))
    )
    rows = session.execute(
        sa_select(col(EditionRevision.edition), col(TeamMember.name), col(EditionRevision.ended_at))
        .where(col(TeamMember.id) == col(EditionRevision.member_id))
        .where(col(EditionRevision.id).in_(latest))
    )
    return {edition: (name, at) for edition, name, at in rows}


def find_change_author(
    session: Session, edition: str, file: EditionFile, is_same: Callable[[str], bool]
) -> int | None:
    """Return the number of the member who made a part of ``file`` what it is now; None if it is not known,
    because that was done outside Studio, or many entries of the history ago. ``is_same`` says whether an
    earlier text has the part as it is now."""
    listed = list_history(session, edition, file.place, limit=_LOOKED_BACK)
    entries = [entry for entry in listed if entry.kind is not RevisionKind.set_aside]
    if not entries or entries[0].file.digest != file.digest:
        return None
    author = None
    for entry in entries:
        if not is_same(read_text(session, edition, entry)):
            return author
        author = entry.revision.member_id
    return author if len(listed) < _LOOKED_BACK else None
