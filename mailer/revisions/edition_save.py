"""Saving a text file of an edition: into the file, or beside it where nothing is lost."""

import json
import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine
from sqlmodel import Session

from editions.source.text_file import normalise_line_ends
from mailer.database.edition_models import RevisionKind, UnsavedReason
from mailer.database.engine import open_session
from mailer.database.team_models import TeamMember
from mailer.errors import ConfigurationError
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FileChangedError,
    FileMissingError,
    FilePlace,
    TextNotWrittenError,
    decode_text,
    digest_text,
    encode_text,
    find_lock_file,
    find_lock_folder,
    list_story_numbers,
    locate_file,
    lock_edition,
    parse_file_name,
    read_edition_file,
    read_file_bytes,
    replace_file,
)
from mailer.revisions.revision_log import (
    LatestRevision,
    find_latest,
    find_text,
    record_outside_change,
    record_outside_removal,
    record_sitting,
)
from mailer.revisions.unsaved_texts import forget_unsaved, keep_unsaved
from mailer.team.members import Member, find_member
from mailer.workspace import Workspace

_SUFFIX = ".save"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PendingSave:
    """A save that is about to replace the file ``name`` by the text with ``digest``.

    ``latest`` are the number and the digest of the history's latest entry about it before, 0 and "" if there
    is none. The others are as :func:`~mailer.revisions.revision_log.record_sitting` has them.
    """

    edition: str
    name: str
    digest: str
    latest: tuple[int, str]
    member_id: int
    sitting: str
    sequence: int
    kind: RevisionKind
    at: datetime

    def write(self) -> bytes:
        return json.dumps({**asdict(self), "at": self.at.isoformat()}).encode()

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Raises ValueError, KeyError or TypeError if this is no note of this program."""
        values: dict[str, Any] = json.loads(data)
        number, digest = values["latest"]
        return cls(
            **{
                **values,
                "latest": (int(number), str(digest)),
                "kind": RevisionKind(values["kind"]),
                "at": datetime.fromisoformat(values["at"]),
            }
        )


def identify_latest(latest: LatestRevision | None) -> tuple[int, str]:
    """Return what tells one state of the history of a text from another."""
    return (0, "") if latest is None else (latest.file.id or 0, latest.file.digest)


def note_pending_save(workspace: Workspace, pending: PendingSave) -> None:
    """Note a save before it begins. The caller holds the lock of the edition. A note that cannot be written
    holds nobody up."""
    try:
        _find_note(workspace, pending.edition).write_bytes(pending.write())
    except OSError as error:
        _log.warning("What is about to be saved could not be noted: %s", error)


def record_pending_save(workspace: Workspace, session: Session, edition: str) -> bool:
    """Enter a save that was interrupted after it had replaced its file; return whether there was one. The
    caller commits, and holds the lock of the edition."""
    pending = _read_note(_find_note(workspace, edition))
    if pending is None or pending.edition != edition:
        return False
    file = _find_interrupted(workspace, session, pending)
    member = find_member(session, pending.member_id)
    if file is None or member is None:
        return False
    record_sitting(
        session,
        edition,
        file,
        member=member,
        sitting=pending.sitting,
        sequence=pending.sequence,
        now=pending.at,
        kind=pending.kind,
    )
    return True


def record_pending_saves(workspace: Workspace, engine: Engine) -> int:
    """Enter, when Studio starts, what was interrupted in any edition; return how many."""
    count = 0
    for path in sorted(find_lock_folder(workspace).glob(f"*{_SUFFIX}")):
        pending = _read_note(path)
        if pending is None or not _is_interrupted(workspace, engine, pending):
            continue
        with open_session(engine) as session:
            with lock_edition(workspace, session, pending.edition):
                count += record_pending_save(workspace, session, pending.edition)
            session.commit()
    return count


def _is_interrupted(workspace: Workspace, engine: Engine, pending: PendingSave) -> bool:
    """Return whether it seems so: nobody is kept waiting for that."""
    with open_session(engine, read_only=True) as session:
        return _find_interrupted(workspace, session, pending) is not None


def _find_interrupted(workspace: Workspace, session: Session, pending: PendingSave) -> EditionFile | None:
    """Return the file that a save has replaced without an entry; None if it never came to it, or has its
    entry."""
    try:
        file = read_edition_file(workspace.edition_folder(pending.edition), pending.name)
    except (ConfigurationError, EditionFileError):
        return None
    latest = identify_latest(find_latest(session, pending.edition, file.place))
    return file if file.digest == pending.digest and latest == pending.latest else None


def _find_note(workspace: Workspace, edition: str) -> Path:
    return find_lock_file(workspace, edition).with_suffix(_SUFFIX)


def _read_note(path: Path) -> PendingSave | None:
    try:
        return PendingSave.read(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        # Its program was killed while it wrote it, before the file.
        return None


_MAX_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The text is in the file. ``name`` is what the file is called now: its story may have been moved.
    ``digest`` is that of the text, from which the next save begins."""

    name: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """The text is not in the file, and is kept as number ``number`` of the unsaved texts.

    ``mine`` is what the writer sent, ``base`` what they began from (None if it is not known any more), and
    ``theirs`` what the file has now (None if there is none, or it cannot be read). ``by`` is the name of the
    member who wrote that, "" if it is not known; ``changed_at`` is when. ``detail`` is the system's reason if
    the file could not be written.
    """

    number: int
    reason: UnsavedReason
    name: str
    base: str | None
    mine: str
    theirs: str | None = None
    by: str = ""
    changed_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class _Save:
    """One request to save."""

    workspace: Workspace
    folder: Path
    session: Session
    edition: str
    name: str
    place: FilePlace
    text: str
    base: str
    member: Member
    sitting: str
    sequence: int
    kind: RevisionKind
    now: datetime


def save_edition_file(
    workspace: Workspace,
    session: Session,
    edition: str,
    name: str,
    text: str,
    *,
    base: str,
    member: Member,
    sitting: str,
    now: datetime,
    sequence: int = 0,
    kind: RevisionKind = RevisionKind.written,
) -> Saved | Conflict:
    """Save ``text`` as the file ``name`` of ``edition``, if that is still what the writer began from: the
    text with the digest ``base``, "" for a file that is new. The caller commits, in both cases.

    ``sitting`` is a random word for each page that is opened. ``sequence`` counts its saves from 1; with it,
    a page whose answer got lost does not meet itself as another writer, and a request that took long does not
    undo a later one. ``kind`` is what the history calls it, if it is not writing. ``session`` must be one
    that writes; it holds a lock until it ends, so commit soon. What was changed outside Studio is committed
    before.

    Raises:
        ConfigurationError: there is no such edition.
        FileNameError: ``name`` is no name of a text of an edition.
        TextRefusedError: no file can have this text; it is kept nowhere, so show it to the writer.
    """
    place = parse_file_name(name)
    encode_text(text)
    save = _Save(
        workspace=workspace,
        folder=workspace.edition_folder(edition),
        session=session,
        edition=edition,
        name=name,
        place=place,
        text=normalise_line_ends(text),
        base=base,
        member=member,
        sitting=sitting,
        sequence=sequence,
        kind=kind,
        now=now,
    )
    for _ in range(_MAX_TRIES):
        with lock_edition(workspace, session, edition):
            is_entered = record_pending_save(workspace, session, edition)
            done = None if is_entered else _save_or_keep(save)
        if done is not None:
            return done
        # What was changed outside Studio, or by whom a kill interrupted: no program has that text but the
        # file, which is about to change.
        session.commit()
    with lock_edition(workspace, session, edition):
        return _keep(save, UnsavedReason.not_written, detail="another program changes the file all the time")


def _save_or_keep(save: _Save) -> Saved | Conflict | None:
    """Save, or keep what was written; None if the history has to be committed first."""
    try:
        return _try_save(save)
    except FileChangedError:
        return None
    except TextNotWrittenError as error:
        return _keep(save, UnsavedReason.not_written, detail=error.why)
    except EditionFileError as error:
        return _keep(save, UnsavedReason.not_written, detail=str(error))


def _try_save(save: _Save) -> Saved | Conflict | None:
    name = locate_file(save.folder, save.name)
    if name is None:
        return _save_missing(save)
    try:
        before = read_file_bytes(save.folder, name)
    except FileMissingError as error:
        raise FileChangedError from error
    text = decode_text(name, before)
    current = EditionFile(name=name, text=text, digest=digest_text(text))
    if record_outside_change(save.session, save.edition, current, now=save.now):
        return None
    latest = find_latest(save.session, save.edition, save.place)
    if current.text == save.text or _is_overtaken(save, current, latest):
        return _finish(save, current)
    if save.base != current.digest and not _is_own(save, current, latest):
        return _keep(save, UnsavedReason.changed, current=current, latest=latest)
    _write(save, name, encode_text(save.text, like=before), expected=before, latest=latest)
    return _finish_written(save, name)


def _save_missing(save: _Save) -> Saved | Conflict:
    """Save a file that does not exist: create it if it is new, or else keep what was written."""
    latest = find_latest(save.session, save.edition, save.place)
    record_outside_removal(save.session, save.edition, save.name, now=save.now)
    numbers = list_story_numbers(save.folder, save.place.story) if save.place.story else []
    is_orphan = bool(save.place.story and save.place.language) and not numbers
    if save.base or is_orphan:
        return _keep(save, UnsavedReason.removed)
    name = save.name
    if numbers and save.place.language:
        # The story may have been moved since the page was opened.
        name = f"stories/{numbers[0]}-{save.place.story}.{save.place.language}.md"
    _write(save, name, encode_text(save.text), expected=None, latest=latest)
    return _finish_written(save, name)


def _write(
    save: _Save, name: str, data: bytes, *, expected: bytes | None, latest: LatestRevision | None
) -> None:
    """Replace the file, or make it; ``latest`` is the latest entry about it that was committed."""
    pending = PendingSave(
        edition=save.edition,
        name=name,
        digest=digest_text(save.text),
        latest=identify_latest(latest),
        member_id=save.member.id,
        sitting=save.sitting,
        sequence=save.sequence,
        kind=save.kind,
        at=save.now,
    )
    note_pending_save(save.workspace, pending)
    replace_file(save.folder, name, data, expected=expected)


def _is_own(save: _Save, current: EditionFile, latest: LatestRevision | None) -> bool:
    """Return whether the same page wrote what the file has now, and does not know: the answer got lost."""
    return (
        latest is not None
        and bool(save.sequence and save.sitting)
        and latest.revision.sitting == save.sitting
        and latest.revision.member_id == save.member.id
        and latest.file.digest == current.digest
    )


def _is_overtaken(save: _Save, current: EditionFile, latest: LatestRevision | None) -> bool:
    """Return whether the same page has saved something later, so that this request has no news."""
    return latest is not None and _is_own(save, current, latest) and save.sequence <= latest.file.sequence


def _finish_written(save: _Save, name: str) -> Saved:
    file = EditionFile(name=name, text=save.text, digest=digest_text(save.text))
    record_sitting(
        save.session,
        save.edition,
        file,
        kind=save.kind,
        member=save.member,
        sitting=save.sitting,
        sequence=save.sequence,
        now=save.now,
    )
    return _finish(save, file)


def _finish(save: _Save, file: EditionFile) -> Saved:
    forget_unsaved(
        save.session,
        save.edition,
        save.place,
        base_digest=save.base,
        member=save.member,
        sitting=save.sitting,
        sequence=save.sequence,
    )
    return Saved(name=file.name, digest=file.digest)


def _keep(
    save: _Save,
    reason: UnsavedReason,
    *,
    current: EditionFile | None = None,
    latest: LatestRevision | None = None,
    detail: str = "",
) -> Conflict:
    base = find_text(save.session, save.edition, save.base)
    number = keep_unsaved(
        save.session,
        save.edition,
        current.name if current is not None else save.name,
        save.text,
        reason=reason,
        base_digest=save.base,
        base=base,
        member=save.member,
        sitting=save.sitting,
        sequence=save.sequence,
        now=save.now,
        detail=detail[:300],
    )
    author = _find_author(save.session, latest)
    return Conflict(
        number=number,
        reason=reason,
        name=current.name if current is not None else save.name,
        base=base,
        mine=save.text,
        theirs=current.text if current is not None else None,
        by=author,
        changed_at=latest.revision.ended_at if latest is not None and author else None,
        detail=detail,
    )


def _find_author(session: Session, latest: LatestRevision | None) -> str:
    """Return the name of the member who wrote the latest entry; "" if it is not known."""
    if latest is None or latest.revision.member_id is None:
        return ""
    member = session.get(TeamMember, latest.revision.member_id)
    return "" if member is None else member.name
