"""Copy a SQLite database while it is in use."""

import contextlib
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from mailer.database.restore import hold_campaigns
from mailer.errors import MailerError


class BackupError(MailerError):
    """The database could not be copied."""


def backup(engine: Engine, path: Path) -> None:
    """Copy a SQLite database to a new file, readable only by its owner, while other processes may keep
    writing.

    In the copy, campaigns that are being sent or scheduled are held (:mod:`mailer.database.restore`).

    Raises:
        BackupError: ``path`` exists or cannot be written, or the database is not SQLite.
    """
    if engine.dialect.name != "sqlite":
        raise BackupError("This command only copies SQLite. For PostgreSQL, run `pg_dump --format=custom`.")
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise BackupError(f"{path} already exists and is not overwritten. Choose a new file name.") from error
    except OSError as error:
        raise BackupError(f"Cannot write {path} ({error.strerror}). Choose another file.") from error
    try:
        _copy(engine, path)
    except sqlite3.Error as error:
        path.unlink()
        raise BackupError(
            f"The copy to {path} failed ({error}) and was removed. Check whether the disk is full."
        ) from error


def _copy(engine: Engine, path: Path) -> None:
    source = engine.raw_connection()
    try:
        with contextlib.closing(sqlite3.connect(path)) as target:
            driver = source.driver_connection
            assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the caller has checked the dialect
            driver.backup(target)
            hold_campaigns(target, datetime.now(UTC))
    finally:
        source.close()
