"""The uploaded files: their rows, their choices, and the folder in which they wait."""

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlmodel import Session, col, select

from mailer.database.import_models import WORKING, ImportFile, ImportFileState
from mailer.database.team_models import TeamMember
from mailer.errors import MailerError
from mailer.list_imports.checked_file import ImportChoices, read_checked_file, read_choices
from mailer.workspace import Workspace

_OPEN = WORKING | {ImportFileState.checked}
SUFFIX = ".upload"
_UNFINISHED = ".part"
_MAX_OPEN = 20


class NotWaitingError(MailerError):
    """The file is not waiting for a person: it is being read or imported, was imported, or is deleted."""


class OutdatedVersionError(MailerError):
    """The person has seen something else than what is known by now."""


def add_import_file(
    session: Session, *, name: str, stored_as: str, size: int, member_id: int, now: datetime
) -> int:
    """Add a file that was kept, to be checked, and return its number. The caller commits."""
    clean = _clean_name(name)
    row = ImportFile(
        name=clean,
        stored_as=stored_as,
        size=size,
        member_id=member_id,
        state=ImportFileState.checking,
        choices=ImportChoices(name=clean).write_json(),
        uploaded_at=now,
    )
    session.add(row)
    session.flush()
    return row.id or 0


def find_file_of_import(session: Session, import_id: int) -> ImportFile | None:
    """Return the file that an import was made from; None if it did not come through Studio."""
    return session.exec(select(ImportFile).where(ImportFile.import_id == import_id)).first()


def find_importers(session: Session, numbers: Sequence[int]) -> Mapping[int, str]:
    """Return the names of the members who made these imports in Studio, by the imports' numbers."""
    found = session.exec(
        select(ImportFile.import_id, TeamMember.name).where(
            col(ImportFile.import_id).in_(numbers), ImportFile.asked_by == TeamMember.id
        )
    )
    return {number: name for number, name in found if number is not None}


def list_open_files(session: Session) -> Sequence[tuple[int, str, str, datetime]]:
    """Return number, name, uploader and time of the last files that wait or are worked on, the newest
    first."""
    found = session.exec(
        select(ImportFile.id, ImportFile.name, TeamMember.name, ImportFile.uploaded_at)
        .where(col(ImportFile.state).in_(sorted(_OPEN)), ImportFile.member_id == TeamMember.id)
        .order_by(col(ImportFile.id).desc())
        .limit(_MAX_OPEN)
    )
    return [(number or 0, name, member, at) for number, name, member, at in found]


def list_waiting_files(session: Session, member_id: int, *, limit: int) -> Sequence[tuple[int, str]]:
    """Return the number and name of each file of a member that waits for a person, the newest first."""
    found = session.exec(
        select(ImportFile.id, ImportFile.name)
        .where(ImportFile.state == ImportFileState.checked, ImportFile.member_id == member_id)
        .order_by(col(ImportFile.id).desc())
        .limit(limit)
    )
    return [(number or 0, name) for number, name in found]


def ask_for_check(session: Session, number: int, choices: ImportChoices) -> None:
    """Let the file be read anew by ``choices``. The caller commits, and wakes the runner. Raise
    NotWaitingError if it does not wait for a person.
    """
    row = _lock_waiting(session, number)
    row.choices = choices.write_json()
    row.state, row.began_at, row.hitch = ImportFileState.checking, None, None


def ask_for_import(session: Session, number: int, *, version: str, member_id: int, basis: str) -> None:
    """Let the file be imported as its dry run of that ``version`` said, with ``basis`` as the reason for
    writing to its people. The caller commits, and wakes the runner. Raise NotWaitingError if it does not wait
    for a person, and OutdatedVersionError if its dry run says something else by now, or more must be asked.
    """
    row = _lock_waiting(session, number)
    if row.version != version or read_checked_file(row.result).report is None:
        raise OutdatedVersionError("The numbers are not those that you have seen.")
    row.state, row.began_at, row.hitch = ImportFileState.importing, None, None
    row.asked_by = member_id
    row.choices = replace(read_choices(row.choices), basis=basis).write_json()


def discard_import_file(session: Session, number: int, *, now: datetime) -> str:
    """Give the file up, and return its name in the folder of uploads. The caller commits, and deletes it
    there. Raise NotWaitingError if it does not wait for a person.
    """
    return forget_row(_lock_waiting(session, number), now=now)


def forget_row(row: ImportFile, *, now: datetime) -> str:
    """Mark a file as discarded, forget what was found in it, and return its name in the folder."""
    stored_as = row.stored_as
    row.state, row.stored_as, row.result, row.version = ImportFileState.discarded, "", None, ""
    row.choices, row.ended_at, row.began_at, row.hitch = ImportChoices().write_json(), now, None, None
    return stored_as


def _lock_waiting(session: Session, number: int) -> ImportFile:
    row = session.get_one(ImportFile, number, populate_existing=True, with_for_update=True)
    if row.state != ImportFileState.checked:
        raise NotWaitingError(f"{row.name} is not waiting for anybody.")
    return row


def _clean_name(name: str) -> str:
    plain = name.encode("utf-8", "replace").decode("utf-8")
    line = " ".join("".join(char if char.isprintable() else " " for char in plain).split())
    return line[-300:] or "file"


class UploadWriter:
    """Writes a file of at most ``most`` bytes piece by piece. It is kept only if :meth:`keep` is reached."""

    def __init__(self, workspace: Workspace, *, most: int) -> None:
        self._folder = workspace.uploads
        self._name = secrets.token_hex(16)
        self._path = self._folder / f"{self._name}{_UNFINISHED}"
        self._most = most
        self._file: BinaryIO | None = None
        self._fault: OSError | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add ``data``, unless the file is too large with it, or could not be written before."""
        if self._fault is not None or self.size + len(data) > self._most:
            return
        try:
            if self._file is None:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                self._file = os.fdopen(os.open(self._path, flags, 0o600), "wb")
            self._file.write(data)
            self.size += len(data)
        except OSError as error:
            self._fault = error
            self.discard()

    def keep(self) -> str:
        """Make sure that the file is on the disk, and return its name in the folder. Raise OSError if it
        could not be written; the disk is full, for example.
        """
        if self._fault is not None:
            raise self._fault
        assert self._file is not None  # noqa: S101 - no file without bytes is kept
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        stored_as = f"{self._name}{SUFFIX}"
        self._path.rename(self._folder / stored_as)
        return stored_as

    def discard(self) -> None:
        """Delete the file, unless it is kept. Calling it again does nothing."""
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError:
            # What was still to be written found no room.
            pass
        finally:
            self._path.unlink(missing_ok=True)


@contextmanager
def lock_upload(path: Path) -> Iterator[bool]:
    """Whether this thread alone may work on the file at ``path`` during the block. The system releases the
    lock of a killed process. Raise FileNotFoundError if the file is gone.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def delete_upload(workspace: Workspace, stored_as: str) -> None:
    """Delete a kept file, if it is there."""
    if stored_as:
        (workspace.uploads / stored_as).unlink(missing_ok=True)


def delete_strays(workspace: Workspace, known: frozenset[str], *, before: datetime) -> None:
    """Delete files that a killed program left: not among ``known``, and last written ``before``."""
    if not workspace.uploads.is_dir():
        return
    for path in workspace.uploads.iterdir():
        if path.suffix not in {SUFFIX, _UNFINISHED} or path.name in known:
            continue
        try:
            if path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue
