"""What a copy of the database must say once it is put in place of the database.

A restored ledger does not know whom its campaigns reached after the copy was made, and would send to them
again. Nothing in a restored file tells that it was restored, so the copy is prepared when it is made.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from locales.phrase import gettext_noop
from mailer.database.number_series import BEGIN, draw_series
from mailer.errors import MailerError
from mailer.utc import format_utc

_RESTORED: Final = "The database was restored from a backup"
_SENDING: Final = gettext_noop(
    "The database was restored from a backup made on %(at)s, while this campaign was being "
    "sent. Readers who got it after that are queued again. Compare with the relay's log, "
    "then resume or cancel the campaign."
)
_WAITING: Final = gettext_noop(
    "The database was restored from a backup made on %(at)s, while this campaign waited for "
    "the end of its canary. If the rest got it after that, cancel the campaign; otherwise "
    "resume it."
)
_PENDING: Final = gettext_noop(
    "The database was restored from a backup made on %(at)s, when this launch waited for its "
    "time. If the campaign was sent after that, do not send it again; otherwise launch it "
    "again."
)
_SCHEDULED: Final = gettext_noop(
    "The database was restored from a backup made on %(at)s, when this campaign was "
    "scheduled. If it was sent after that, do not send it again; otherwise schedule it again."
)
_PARTIAL_SUFFIX = ".partial"
"""What the name of a copy ends with until it is complete."""


def hold_campaigns(copy: sqlite3.Connection, now: datetime) -> None:
    """Change a ``copy`` of the database, made at ``now``, so that it starts no message by itself: campaigns
    that are being sent are paused, those paused for a canary wait for a person, and those that are scheduled
    are not any more. Launches that wait for their time are given up. Whoever is added to it gets numbers of
    another series than whoever is added to the database.

    The change is in the file when this returns. Raise sqlite3.Error if the copy cannot be written.
    """
    at = format_utc(now)
    copy.execute(
        "UPDATE campaign SET state_reason = ?, canary_until = NULL "
        "WHERE state = 'paused' AND canary_until IS NOT NULL",
        (_WAITING % {"at": at},),
    )
    copy.execute(
        "UPDATE campaign SET state = 'paused', state_reason = ? WHERE state = 'sending'",
        (_SENDING % {"at": at},),
    )
    copy.execute(
        "UPDATE campaign SET state_reason = ?, scheduled_at = NULL, state = "
        "CASE WHEN approved_digest <> '' AND approved_digest = digest THEN 'approved' ELSE 'draft' END "
        "WHERE state = 'scheduled'",
        (_SCHEDULED % {"at": at},),
    )
    if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'pending_launch'").fetchone():
        # The copy may be one of an older program's database, made before it is upgraded.
        copy.execute(
            "UPDATE pending_launch SET state = 'refused', reason = ? "
            "WHERE state = 'waiting' OR state = 'unconfirmed'",
            (_PENDING % {"at": at},),
        )
    if copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'number_series'").fetchone():
        copy.execute(BEGIN, draw_series(now))
    copy.commit()
    # What is in a write-ahead log would not be part of the file.
    busy, *_ = copy.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the copy is in use")


def is_held(state_reason: str) -> bool:
    """Return whether a campaign with this reason was held because its database was restored."""
    return state_reason.startswith(_RESTORED)


class BackupError(MailerError):
    """The database could not be copied."""


def backup(engine: Engine, path: Path) -> None:
    """Copy a SQLite database to a new file, readable only by its owner, while other processes may keep
    writing.

    The copy is made in ``path`` with ``.partial`` at the end. It gets its name once it is on the disk and has
    been checked, so no file called ``path`` is ever incomplete. What a killed run has left is replaced by the
    next. In the copy, campaigns that are being sent or scheduled are held.

    Raise BackupError if ``path`` exists or cannot be written, another run is writing it, the copy is not what
    the database was, or the database is not SQLite.
    """
    if engine.dialect.name != "sqlite":
        raise BackupError("This command only copies SQLite. For PostgreSQL, run `pg_dump --format=custom`.")
    _refuse_existing(path)
    try:
        with _partial_file(path) as partial:
            _copy(engine, partial)
            _give_name(partial, path)
    except sqlite3.Error as error:
        raise BackupError(
            f"The copy to {path} failed ({error}) and was removed. Check whether the disk is full."
        ) from error
    except OSError as error:
        raise BackupError(f"Cannot write {path} ({error.strerror}). Choose another file.") from error


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise BackupError(f"{path} already exists and is not overwritten. Choose a new file name.")


@contextlib.contextmanager
def _partial_file(path: Path) -> Iterator[Path]:
    """An empty file beside ``path``, which only this process writes and which is gone at the end."""
    partial = path.with_name(path.name + _PARTIAL_SUFFIX)
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        # The lock tells a run that is still going from one that was killed. A run that ends while we open its
        # file has renamed or removed it, and what we have locked is then no longer the file of that name.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = partial.exists() and partial.stat().st_ino == os.fstat(descriptor).st_ino
        except BlockingIOError:
            is_ours = False
        if not is_ours:
            raise BackupError(f"Another backup to {path} is running. Wait for it, or choose another file.")
        try:
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
            yield partial
        finally:
            for suffix in ("", "-journal", "-wal", "-shm"):
                partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _copy(engine: Engine, partial: Path) -> None:
    source = engine.raw_connection()
    try:
        driver = source.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the caller has checked the dialect
        with contextlib.closing(sqlite3.connect(partial)) as target:
            driver.backup(target)
        # A new connection, so that the file is read and not what the other one remembers of it.
        with contextlib.closing(sqlite3.connect(partial)) as target:
            revision = _read_revision(target)
            if revision is None or revision != _read_revision(driver):
                raise BackupError(_describe_fault("its tables are missing"))
            hold_campaigns(target, datetime.now(UTC))
            faults = [row[0] for row in target.execute("PRAGMA quick_check(1)") if row[0] != "ok"]
        if faults:
            raise BackupError(_describe_fault(", ".join(faults)))
    finally:
        source.close()


def _describe_fault(fault: str) -> str:
    return (
        f"The copy is not what the database was ({fault}), and was removed. Run `mailer doctor`, then try "
        "again."
    )


def _read_revision(connection: sqlite3.Connection) -> str | None:
    """Return the revision of the tables; None if there are none."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return None if row is None else str(row[0])


def _give_name(partial: Path, path: Path) -> None:
    """Give the finished copy its name, durably, unless another file has taken it meanwhile."""
    _sync(partial, os.O_RDONLY)
    try:
        # Unlike a rename, a link never replaces a file.
        os.link(partial, path)
    except FileExistsError:
        _refuse_existing(path)
    except OSError:
        # Some file systems, such as those of USB sticks, have no links.
        _refuse_existing(path)
        partial.rename(path)
    _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
