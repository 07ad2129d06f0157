"""Write a file atomically: it appears complete, or the old file stays."""

import fcntl
import glob
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
"""The permissions of a file for its owner alone."""

_LEFT_BEHIND_SECONDS = 3600


@contextmanager
def atomic_file(path: Path, *, mode: int = PRIVATE, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file to write in pieces, which replaces ``path`` only when the block ends normally.

    It gets the permissions ``mode``. Until then only its owner can read it, and by default afterwards too:
    most of what the program writes contains addresses or links that work. A ``durable`` file is on the disk
    before it replaces the old one, so that a power cut cannot leave an empty one.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, data: bytes, *, mode: int = PRIVATE, durable: bool = True) -> None:
    """Write ``data`` to ``path`` as :func:`atomic_file` does."""
    with atomic_file(path, mode=mode, durable=durable) as file:
        file.write(data)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, so that a power cut does not take back a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_left_behind(path: Path) -> None:
    """Remove drafts of the file ``path`` that a killed process left, which nobody would find."""
    oldest = time.time() - _LEFT_BEHIND_SECONDS
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if draft.lstat().st_mtime < oldest:
            draft.unlink(missing_ok=True)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for one change of a file in it; whoever else asks for it waits. The system releases it if
    the process dies. At the end, what was renamed is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
