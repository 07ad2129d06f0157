"""A Maildir on disk: a complete, synced file in ``tmp``, moved to ``new``."""

import itertools
import os
import socket
import time
from pathlib import Path

_serial = itertools.count(1)


def create_folders(folder: Path) -> None:
    """Create the Maildir at ``folder`` if there is none, readable by its owner only.

    Raises:
        OSError: it cannot be created.
    """
    for part in (folder, *(folder / name for name in ("tmp", "new", "cur"))):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)


def store(folder: Path, content: bytes) -> Path:
    """Store a mail durably in the Maildir at ``folder`` and return its path in ``new``.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    temporary = folder / "tmp" / unique_name()
    try:
        write_synced(temporary, content)
        return move_to_new(temporary)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def move_to_new(temporary: Path) -> Path:
    """Move a file from ``tmp`` to ``new``, durably: from now on it has arrived."""
    target = temporary.parent.parent / "new" / temporary.name
    temporary.rename(target)
    _sync_folder(target.parent)
    return target


def unique_name() -> str:
    """Return a name that no other delivery has, on any host that shares the folder.

    Names from one process are in the order of their deliveries.
    """
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
    seconds, rest = divmod(time.time_ns(), 10**9)
    return f"{seconds}.M{rest // 1000:06d}P{os.getpid()}Q{next(_serial):07d}R{os.urandom(4).hex()}.{host}"


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file, readable by its owner only, and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
