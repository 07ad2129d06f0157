"""The folder of files that wait: each readable by its owner only, and locked by whoever works on it."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from mailer.workspace import Workspace

SUFFIX = ".upload"
_UNFINISHED = ".part"


class UploadWriter:
    """Writes a file piece by piece, which is kept only if :meth:`keep` is reached."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._name = secrets.token_hex(16)
        self._folder = folder
        self._path = folder / f"{self._name}{_UNFINISHED}"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add ``data``.

        Raises:
            OSError: the disk is full, for example.
        """
        self._file.write(data)
        self.size += len(data)

    def keep(self) -> str:
        """Make sure that the file is on the disk, and return its name in the folder.

        Raises:
            OSError: it could not be written.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        stored_as = f"{self._name}{SUFFIX}"
        self._path.rename(self._folder / stored_as)
        return stored_as

    def discard(self) -> None:
        """Delete the file, unless it is kept. Calling it again does nothing."""
        try:
            self._file.close()
        except OSError:
            # What was still to be written found no room.
            pass
        finally:
            self._path.unlink(missing_ok=True)


def begin_upload(workspace: Workspace) -> UploadWriter:
    """Begin to write a file into the folder of uploads.

    Raises:
        OSError: the folder cannot be written.
    """
    return UploadWriter(workspace.uploads)


def find_upload(workspace: Workspace, stored_as: str) -> Path:
    """The path of a kept file, which may be gone."""
    return workspace.uploads / stored_as


@contextmanager
def lock_upload(path: Path) -> Iterator[bool]:
    """Whether this thread alone may work on the file at ``path`` during the block. The system releases the
    lock of a killed process.

    Raises:
        FileNotFoundError: the file is gone.
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
        find_upload(workspace, stored_as).unlink(missing_ok=True)


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
