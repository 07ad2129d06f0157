"""Bringing a database's tables up to this program, telling when they are not; copying a database whole."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DatabaseError

from mailer.errors import MailerError, StaleSchemaError

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0010_approval"
"""The newest revision. Written down so that an ordinary command need not load Alembic; a test compares it."""

# Any number of our own: PostgreSQL lets one holder at a time migrate.
_ADVISORY_LOCK = 0x70_6D_61_69


class BackupError(MailerError):
    """The database could not be copied."""


def upgrade(engine: Engine) -> None:
    """Create or change the tables until they are what this program needs. Doing it again changes nothing.

    Raises:
        StaleSchemaError: the database was made by a newer program.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with _migration_transaction(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StaleSchemaError(_describe_mismatch(read_revision(connection))) from error


def read_revision(connection: Connection) -> str | None:
    """The revision the database is at; None where it has no tables of ours."""
    has_table = connection.dialect.has_table(connection, "alembic_version")
    return connection.scalar(text("SELECT version_num FROM alembic_version")) if has_table else None


def ensure_current(engine: Engine) -> None:
    """Say nothing if the tables are those this program needs.

    Raises:
        StaleSchemaError: they are older or newer, or there are none; the message names the command.
    """
    with engine.connect().execution_options(read_only=True) as connection:
        revision = read_revision(connection)
    if revision != HEAD:
        raise StaleSchemaError(_describe_mismatch(revision))


def backup(engine: Engine, path: Path) -> None:
    """Copy a SQLite database to the new file ``path``, readable by its owner alone, while others may go on
    writing.

    Raises:
        BackupError: ``path`` exists, cannot be written, or the database is not SQLite.
    """
    if engine.dialect.name != "sqlite":
        raise BackupError(
            "This database is PostgreSQL, which has its own tool. Run `pg_dump --format=custom` on it."
        )
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise BackupError(f"{path} exists and is not overwritten. Name a new file.") from error
    except OSError as error:
        raise BackupError(f"{path}: cannot be written ({error.strerror}). Name another file.") from error
    try:
        _copy(engine, path)
    except sqlite3.Error as error:
        path.unlink()
        raise BackupError(
            f"{path}: the copy failed ({error}). Is the disk full? Nothing was kept."
        ) from error


def _copy(engine: Engine, path: Path) -> None:
    source = engine.raw_connection()
    try:
        with contextlib.closing(sqlite3.connect(path)) as target:
            driver = source.driver_connection
            assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the dialect was looked at by the caller
            driver.backup(target)
    finally:
        source.close()


@contextlib.contextmanager
def _migration_transaction(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction that a migration has for itself."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            with _foreign_keys_off(connection), connection.begin():
                yield connection
                _check_foreign_keys(connection)
        else:
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                yield connection


@contextlib.contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    # Alembic changes a SQLite table by copying and dropping it, and dropping a table deletes its rows: with
    # the checks on, ON DELETE CASCADE would empty every table that points at it.
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the dialect was looked at by the caller
    driver.execute("PRAGMA foreign_keys=OFF")
    # And it renames the copy while triggers of other tables ask the one that is gone; without this, SQLite
    # reads them at that moment and gives up.
    driver.execute("PRAGMA legacy_alter_table=ON")
    try:
        yield
    finally:
        driver.execute("PRAGMA legacy_alter_table=OFF")
        driver.execute("PRAGMA foreign_keys=ON")


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise DatabaseError(
            f"PRAGMA foreign_key_check: {broken[0]}", None, sqlite3.IntegrityError("dangling rows")
        )


def _describe_mismatch(revision: str | None) -> str:
    if revision is None:
        return "The database has no tables yet. Run `mailer db upgrade`."
    if (MIGRATIONS / "versions" / f"{revision}.py").is_file():
        return f"The database is at {revision} and this program needs {HEAD}. Run `mailer db upgrade`."
    return (
        f"The database is at {revision}, which this program does not know: a newer one made it. "
        "Update the program; `mailer db upgrade` cannot go back."
    )
