"""Saving a text file of an edition: into the file, or beside it where nothing is lost."""

import json
import logging
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine
from sqlmodel import Session

from editions.source.text_file import normalise_line_ends
from mailer.activity import deeds
from mailer.activity.record import Actor, record_activity
from mailer.atomic_write import sync_folder
from mailer.database.edition_models import RevisionKind, UnsavedReason
from mailer.database.engine import open_session
from mailer.database.team_models import TeamMember
from mailer.errors import ConfigurationError
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FileChangedError,
    FileMissingError,
    TextNotWrittenError,
    TextSave,
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
from mailer.revisions.history import (
    RevisionEntry,
    continues_sitting,
    find_latest,
    find_text,
    record_outside_change,
    record_outside_removal,
    record_sitting,
)
from mailer.revisions.unsaved_texts import forget_unsaved, keep_unsaved
from mailer.team.members import as_member
from mailer.workspace import Workspace

_SUFFIX = ".save"
_log = logging.getLogger(__name__)
_MAX_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class PendingSave:
    """A save that is about to replace the file ``name`` by the text with ``digest``. ``latest`` are the
    number and the digest of the history's latest entry about it before, 0 and "" if there is none. The others
    are as in :class:`~mailer.revisions.edition_file.TextSave`.

    No entry of :mod:`mailer.activity.act_journal` could take its place: the next save needs the answer at
    once, or it would enter this text as a change from outside Studio, and the history needs exactly this
    text, where the log only needs to know that something changed."""

    edition: str
    name: str
    digest: str
    latest: tuple[int, str]
    member_id: int
    sitting: str
    sequence: int
    kind: RevisionKind
    is_logged: bool
    is_confirmed: bool
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


def identify_latest(latest: RevisionEntry | None) -> tuple[int, str]:
    """Return what tells one state of the history of a text from another."""
    return (0, "") if latest is None else (latest.file.id or 0, latest.file.digest)


def note_pending_save(workspace: Workspace, pending: PendingSave) -> None:
    """Note a save before it begins. The caller holds the lock of the edition. A note that cannot be written
    holds nobody up. One that has lines in the log reaches the disk first, so that even a loss of power loses
    none of them."""
    try:
        with _find_note(workspace, pending.edition).open("wb") as file:
            file.write(pending.write())
            file.flush()
            if pending.is_logged or pending.is_confirmed:
                os.fsync(file.fileno())
                sync_folder(find_lock_folder(workspace))
    except OSError as error:
        _log.warning("What is about to be saved could not be noted: %s", error)


def record_pending_save(workspace: Workspace, session: Session, edition: str) -> bool:
    """Enter a save that was interrupted after it had replaced its file; return whether there was one. The
    caller commits, and holds the lock of the edition."""
    pending = _read_note(_find_note(workspace, edition))
    if pending is None or pending.edition != edition:
        return False
    file = _find_interrupted(workspace, session, pending)
    # Who has left since then did it all the same.
    row = session.get(TeamMember, pending.member_id)
    if file is None or row is None:
        return False
    save = TextSave(
        edition=edition,
        name=file.name,
        text=file.text,
        base="",
        member=as_member(row),
        sitting=pending.sitting,
        sequence=pending.sequence,
        now=pending.at,
        kind=pending.kind,
        is_logged=pending.is_logged,
        is_confirmed=pending.is_confirmed,
    )
    _enter(session, file, save)
    return True


def _enter(session: Session, file: EditionFile, save: TextSave) -> None:
    record_sitting(session, file, save)
    _log_deeds(session, file, save)


def _log_deeds(session: Session, file: EditionFile, save: TextSave) -> None:
    is_restored, done = save.kind is RevisionKind.restored, []
    if save.is_logged:
        done.append(deeds.restored_text if is_restored else deeds.wrote_text)
    if save.is_confirmed:
        done.append(deeds.confirmed_translation)
    for make in done:
        record_activity(session, Actor.from_member(save.member), make(save.edition, file.name), now=save.now)


def record_pending_saves(workspace: Workspace, engine: Engine) -> int:
    """Enter, when Studio starts, what was interrupted in any edition; return how many."""
    count = 0
    for path in sorted(find_lock_folder(workspace).glob(f"*{_SUFFIX}")):
        pending = _read_note(path)
        if pending is None:
            continue
        # Without the lock: nobody is kept waiting for what has its entry.
        with open_session(engine, read_only=True) as session:
            if _find_interrupted(workspace, session, pending) is None:
                continue
        with open_session(engine) as session:
            with lock_edition(workspace, session, pending.edition):
                count += record_pending_save(workspace, session, pending.edition)
            session.commit()
    return count


def _find_interrupted(workspace: Workspace, session: Session, pending: PendingSave) -> EditionFile | None:
    """Return the file that a save has replaced without an entry; None if it never did, or has its entry."""
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


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """The text is not in the file but the unsaved text ``number``; ``detail`` is the system's reason."""

    number: int
    reason: UnsavedReason
    detail: str = ""


def save_edition_file(workspace: Workspace, session: Session, save: TextSave) -> EditionFile | Conflict:
    """Save a text, if its file is still what the writer began from, and return the file as it is now: its
    story may have been moved. The caller commits, in both cases. ``session`` must be one that writes; it
    holds a lock until it ends, so commit soon. What was changed outside Studio is committed before. Raise
    ConfigurationError if there is no such edition, FileNameError if this is no name of a text, and
    TextRefusedError if no file can have it: it is kept nowhere, so show it to the writer."""
    parse_file_name(save.name)
    encode_text(save.text)
    saver = _Saver(workspace, session, replace(save, text=normalise_line_ends(save.text)))
    for _ in range(_MAX_TRIES):
        with lock_edition(workspace, session, save.edition):
            is_entered = record_pending_save(workspace, session, save.edition)
            done = None if is_entered else saver.save_or_keep()
        if done is not None:
            return done
        # What was changed outside Studio, or by whom a kill interrupted: no program has that text but the
        # file, which is about to change.
        session.commit()
    with lock_edition(workspace, session, save.edition):
        return saver.keep(UnsavedReason.not_written, detail="another program changes the file all the time")


class _Saver:
    """Saves one text under the lock of its edition."""

    def __init__(self, workspace: Workspace, session: Session, save: TextSave) -> None:
        self._workspace = workspace
        self._folder = workspace.edition_folder(save.edition)
        self._session = session
        self._save = save

    def save_or_keep(self) -> EditionFile | Conflict | None:
        """Save, or keep what was written; None if the history has to be committed first."""
        try:
            name = locate_file(self._folder, self._save.name)
            return self._save_missing() if name is None else self._save_over(name)
        except FileChangedError:
            return None
        except TextNotWrittenError as error:
            return self.keep(UnsavedReason.not_written, detail=error.why)
        except EditionFileError as error:
            return self.keep(UnsavedReason.not_written, detail=str(error))

    def _save_over(self, name: str) -> EditionFile | Conflict | None:
        save = self._save
        try:
            before = read_file_bytes(self._folder, name)
        except FileMissingError as error:
            raise FileChangedError from error
        text = decode_text(name, before)
        current = EditionFile(name=name, text=text, digest=digest_text(text))
        if record_outside_change(self._session, save.edition, current, now=save.now):
            return None
        latest = find_latest(self._session, save.edition, save.place)
        is_own = self._is_own(current, latest)
        is_overtaken = is_own and latest is not None and save.sequence <= latest.file.sequence
        if current.text == save.text or is_overtaken:
            _log_deeds(self._session, current, _leave_out_writing(save))
            return self._finish(current)
        if save.base != current.digest and not is_own:
            return self.keep(UnsavedReason.changed, name=name)
        return self._write(name, encode_text(save.text, like=before), expected=before, latest=latest)

    def _save_missing(self) -> EditionFile | Conflict:
        save, place = self._save, self._save.place
        latest = find_latest(self._session, save.edition, place)
        record_outside_removal(self._session, save.edition, save.name, now=save.now)
        numbers = list_story_numbers(self._folder, place.story) if place.story else []
        is_orphan = bool(place.story and place.language) and not numbers
        if save.base or is_orphan:
            return self.keep(UnsavedReason.removed)
        name = save.name
        if numbers and place.language:
            # The story may have been moved since the page was opened.
            name = f"stories/{numbers[0]}-{place.story}.{place.language}.md"
        return self._write(name, encode_text(save.text), expected=None, latest=latest)

    def _is_own(self, current: EditionFile, latest: RevisionEntry | None) -> bool:
        """Return whether the same page wrote what the file has now, and its answer got lost."""
        save = self._save
        return (
            latest is not None
            and bool(save.sequence and save.sitting)
            and latest.revision.sitting == save.sitting
            and latest.revision.member_id == save.member.id
            and latest.file.digest == current.digest
        )

    def _write(
        self, name: str, data: bytes, *, expected: bytes | None, latest: RevisionEntry | None
    ) -> EditionFile:
        """Replace the file, or make it; ``latest`` is the latest entry about it that was committed."""
        save = self._save
        if continues_sitting(latest, save):
            save = _leave_out_writing(save)
        file = EditionFile(name=name, text=save.text, digest=digest_text(save.text))
        pending = PendingSave(
            edition=save.edition,
            name=name,
            digest=file.digest,
            latest=identify_latest(latest),
            member_id=save.member.id,
            sitting=save.sitting,
            sequence=save.sequence,
            kind=save.kind,
            is_logged=save.is_logged,
            is_confirmed=save.is_confirmed,
            at=save.now,
        )
        note_pending_save(self._workspace, pending)
        replace_file(self._folder, name, data, expected=expected)
        _enter(self._session, file, save)
        return self._finish(file)

    def _finish(self, file: EditionFile) -> EditionFile:
        forget_unsaved(self._session, self._save)
        return file

    def keep(self, reason: UnsavedReason, *, name: str = "", detail: str = "") -> Conflict:
        """Keep the text beside the file, which may have another name by now."""
        save = self._save
        base = find_text(self._session, save.edition, save.base)
        number = keep_unsaved(
            self._session, save, name or save.name, reason=reason, base=base, detail=detail[:300]
        )
        return Conflict(number=number, reason=reason, detail=detail)


def _leave_out_writing(save: TextSave) -> TextSave:
    return replace(save, is_logged=save.is_logged and save.kind is RevisionKind.restored)
