"""The lock under which the files of one edition are changed: one process, one thread at a time."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text
from sqlmodel import Session

from mailer.workspace import Workspace


@contextmanager
def lock_edition(workspace: Workspace, session: Session, edition: str) -> Iterator[None]:
    """Wait until nobody else changes the files of ``edition``, and keep others waiting during the block.

    The system releases the lock of a killed process. The database's part lasts until the transaction of
    ``session`` ends, so that whoever comes next finds the history of what was written. It is always taken
    first, so that two who wait for both cannot wait for each other. For the same reason, do not commit in
    the block; and a block within a block waits for ever.
    """
    _lock_in_database(session, _make_key(edition))
    find_lock_folder(workspace).mkdir(mode=0o700, exist_ok=True)
    # The file stays: deleting it could take the lock from whoever opens it now.
    descriptor = os.open(find_lock_file(workspace, edition), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def find_lock_folder(workspace: Workspace) -> Path:
    """The folder of the locks, whether it exists or not."""
    return workspace.root / "run"


def find_lock_file(workspace: Workspace, edition: str) -> Path:
    """The file that is locked for an edition, whether it exists or not."""
    return find_lock_folder(workspace) / f"edition-{_make_key(edition).hex()[:16]}.lock"


def _make_key(edition: str) -> bytes:
    return hashlib.sha256(edition.encode("utf-8", "surrogatepass")).digest()


def _lock_in_database(session: Session, key: bytes) -> None:
    # SQLite's lock comes with the transaction.
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(key[:8], "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
