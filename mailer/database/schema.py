"""Create and upgrade the tables, and check that they are current."""

import contextlib
import sqlite3
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DatabaseError

from locales.phrase import Phrase, gettext_noop
from mailer.errors import StaleSchemaError

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0001_tables"
"""The newest revision. Kept here so that ordinary commands need not load Alembic; a test compares it."""

# What checkouts from before the first release made their tables with.
_UNRELEASED = {
    *("0001_first", "0002_dispatch", "0003_tickets", "0004_imports", "0005_segments", "0006_consent"),
    *("0007_pages", "0008_checks", "0009_lifted", "0010_approval", "0011_subject", "0012_network_rank"),
    *("0013_correction", "0014_tests", "0015_feedback", "0016_mail_tokens", "0017_feedback_mailbox"),
    *("0018_providers", "0019_trial", "0020_clicks", "0021_reports", "0022_dmarc", "0023_verification"),
    *("0024_reconfirmation", "0025_team", "0026_sign_in", "0027_activity", "0028_revisions", "0029_comments"),
    *("0030_translations", "0031_partners", "0032_import_files", "0033_counts", "0034_campaign_drafts"),
    *("0035_approval_steps", "0036_launches", "0037_sign_up_review", "0038_segment_name"),
    "0039_tests_in_doubt",
}

# An arbitrary number of our own: PostgreSQL lets only one process at a time hold it and migrate.
_ADVISORY_LOCK = 0x70_6D_61_69
_PACKAGE = "procrastinate"
_TYPE = "procrastinate_job_to_defer_v1"
# An arbitrary number of our own: only one process at a time creates the tables.
_JOB_TABLES_LOCK = 0x70_6D_74_6B


def upgrade(engine: Engine) -> None:
    """Create or upgrade the tables. If they are current, nothing changes. Raise StaleSchemaError if the
    database was created by a newer version of the program, or before the first release.
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
    """Return the database's revision; None if it has none of our tables."""
    has_table = connection.dialect.has_table(connection, "alembic_version")
    return connection.scalar(text("SELECT version_num FROM alembic_version")) if has_table else None


def ensure_current(engine: Engine) -> None:
    """Check that the tables are those this program needs. Raise StaleSchemaError if they are older, newer or
    missing; the message names the command to run.
    """
    with engine.connect().execution_options(read_only=True) as connection:
        revision = read_revision(connection)
    if revision != HEAD:
        raise StaleSchemaError(_describe_mismatch(revision))


@contextlib.contextmanager
def _migration_transaction(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that no other migration can hold at the same time."""
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
    # foreign keys on, ON DELETE CASCADE would empty every table that refers to it.
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the caller has checked the dialect
    driver.execute("PRAGMA foreign_keys=OFF")
    # It also renames the copy while triggers of other tables refer to the dropped table; without this option,
    # SQLite checks the triggers at that moment and fails.
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
        return gettext_noop("The database has no tables yet. Run `mailer db upgrade`.")
    if revision in _UNRELEASED:
        # English alone: only who worked with such a checkout reads it.
        return (
            f"The database has version {revision}, which a checkout from before the first release made. It "
            "was left as it is, and only such a checkout can use it. Set [database] url to a new database."
        )
    if (MIGRATIONS / "versions" / f"{revision}.py").is_file():
        return Phrase(
            "The database has version %(revision)s, but this program needs %(head)s. Run `mailer db "
            "upgrade`.",
            revision=revision,
            head=HEAD,
        )
    return Phrase(
        "The database has version %(revision)s, which is from a newer version of this program. "
        "Update the program; the database cannot be downgraded.",
        revision=revision,
    )


def has_job_tables(connection: Connection) -> bool:
    """Return whether the tables exist, so that a launch can wake the workers."""
    if connection.dialect.name != "postgresql":
        return False
    found = connection.execute(text("SELECT to_regtype(:name)"), {"name": _TYPE}).scalar()
    return found is not None


def create_job_tables(connection: Connection) -> bool:
    """Create the tables in the caller's transaction if they are missing; return whether they exist now: not
    on SQLite, and not if the package is not installed. Any number of processes may call this at the same
    time.
    """
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _JOB_TABLES_LOCK})
    if has_job_tables(connection):
        return True
    script = _find_sql_script()
    if script is None:
        return False
    # Without parameters, because the script contains several statements and percent signs.
    connection.exec_driver_sql(script.read_text(encoding="utf-8"), execution_options={"no_parameters": True})
    return True


def is_own_table(name: str | None, kind: str, _: Any) -> bool:
    """Return whether Alembic should compare a table (``include_name``): the job queue's are not ours."""
    return not (kind == "table" and (name or "").startswith(f"{_PACKAGE}_"))


def _find_sql_script() -> Path | None:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "sql" / "schema.sql"
