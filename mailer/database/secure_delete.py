"""Remove an address from a database for good: from free text, and from pages that SQLite has freed.

:mod:`subscribers.consent.status_changes` knows which rows belong to a person, and not which text columns may
quote an address, or that a file keeps deleted data until it is overwritten.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Column, Connection, Engine, Enum, String, TypeDecorator, or_, select, text, update
from sqlmodel import SQLModel

from mailer.database import approval_models as approval_models
from mailer.database import feedback_models as feedback_models
from mailer.database import import_models as import_models
from mailer.database import launch_models as launch_models
from mailer.database import report_models as report_models
from mailer.database import team_models as team_models
from mailer.database.models import CompressedText
from mailer.errors import MailerError

MASK = "<…>"
EXEMPT_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "subscriber": "the person's own row is blanked, and other people's rows must not change",
        "consent_record": "append-only; the person's own records are emptied",
        "mailed_link": "the person's own links, and those mailed to their address, are deleted",
        "suppression": "contains only keyed hashes",
        "team_member": "a colleague who uses Studio, whatever they read; members are removed by the team",
        "sign_in_mail": "a link that a member has asked for, and deleted within days",
        "campaign_content": "the organisation's own content, frozen as it was approved",
    }
)
"""The tables whose text is not searched, and why. All other text columns are, including any added later."""

WHOLE_TEXT_TABLES = frozenset({"activity_record"})
"""Tables that are only ever added to: their triggers let a text become the mask, whole, and nothing else."""


class IncompleteErasureError(MailerError):
    """Deleted data could not be removed from the database file completely."""


def list_text_columns() -> Iterator[Column[str]]:
    """Yield every column that may quote an address: free text that is not a key or an enumeration."""
    for table in SQLModel.metadata.sorted_tables:
        if table.name not in EXEMPT_TABLES:
            yield from (column for column in table.columns if _is_free_text(column))


def list_compressed_columns() -> Iterator[Column[str]]:
    """Yield every column of compressed text, which the database cannot search."""
    for table in SQLModel.metadata.sorted_tables:
        yield from (column for column in table.columns if isinstance(column.type, CompressedText))


def _is_free_text(column: Column[str]) -> bool:
    if isinstance(column.type, CompressedText):
        return False
    # SQLModel wraps the type of every plain text column.
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    plain = isinstance(kind, String) and not isinstance(kind, Enum)
    return plain and not column.primary_key and not column.foreign_keys


def mask_addresses(connection: Connection, pattern: re.Pattern[str], addresses: tuple[str, ...]) -> int:
    """Replace every match of ``pattern`` with :data:`MASK` in text columns that contain one of ``addresses``;
    in :data:`WHOLE_TEXT_TABLES`, the whole text. Return the number of rows changed. The caller commits.
    """
    plain = sum(_mask_column(connection, column, pattern, addresses) for column in list_text_columns())
    return plain + sum(_mask_compressed(connection, column, pattern) for column in list_compressed_columns())


def _mask_column(
    connection: Connection, column: Column[str], pattern: re.Pattern[str], addresses: tuple[str, ...]
) -> int:
    table, keys = column.table, list(column.table.primary_key)
    holds_one = or_(*(column.icontains(address, autoescape=True) for address in addresses))
    changed = 0
    for *key, words in connection.execute(select(*keys, column).where(holds_one)).all():
        masked = pattern.sub(MASK, words)
        if masked != words and table.name in WHOLE_TEXT_TABLES:
            masked = MASK
        if masked != words:
            same_row = [name == value for name, value in zip(keys, key, strict=True)]
            connection.execute(update(table).where(*same_row).values({column: masked}))
            changed += 1
    return changed


def _mask_compressed(connection: Connection, column: Column[str], pattern: re.Pattern[str]) -> int:
    table, (key,) = column.table, column.table.primary_key
    numbers = connection.scalars(select(key).where(column.is_not(None))).all()
    changed = 0
    # One text at a time: there may be thousands, and each has a whole story.
    for number in numbers:
        words = connection.scalar(select(column).where(key == number))
        masked = pattern.sub(MASK, words or "")
        if masked != (words or ""):
            connection.execute(update(table).where(key == number).values({column: masked}))
            changed += 1
    return changed


def list_database_files(engine: Engine) -> tuple[Path, ...]:
    """Return the files of a SQLite database that exist: itself, its write-ahead log and the log's index."""
    if engine.dialect.name != "sqlite":
        return ()
    file = Path(str(engine.url.database))
    beside = (file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm", "-journal"))
    return tuple(path for path in (file, *beside) if path.is_file())


def checkpoint_log(engine: Engine) -> None:
    """Checkpoint and truncate SQLite's write-ahead log, which contains old pages. Raise
    IncompleteErasureError if another process kept reading from it for half a minute.
    """
    with _driver_cursor(engine) as cursor:
        busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise IncompleteErasureError(
            "Another program kept the database open, so its log still contains deleted data. "
            "Run the command again in a moment to finish."
        )


def rewrite_file(engine: Engine) -> None:
    """Rewrite a SQLite file so that it contains only current rows.

    SQLite overwrites rows when they are deleted, but copies of data moved within a page can remain. Raise
    IncompleteErasureError if the disk is too full, or another process kept the database busy.
    """
    try:
        with _driver_cursor(engine) as cursor:
            cursor.execute("VACUUM")
    except sqlite3.OperationalError as error:
        raise IncompleteErasureError(
            f"Could not rewrite the database ({error}). This needs disk space for a second copy, and a "
            "moment without other writers. Run the command again to finish."
        ) from error
    checkpoint_log(engine)


def vacuum_tables(engine: Engine) -> None:
    """Let PostgreSQL remove dead rows and their index entries from all our tables."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in SQLModel.metadata.sorted_tables:
            name = connection.dialect.identifier_preparer.format_table(table)
            connection.execute(text(f"VACUUM {name}"))


@contextmanager
def _driver_cursor(engine: Engine) -> Iterator[sqlite3.Cursor]:
    """Open a cursor of the database driver, outside any transaction."""
    with closing(engine.raw_connection()) as raw:
        cursor = raw.cursor()
        assert isinstance(cursor, sqlite3.Cursor)  # noqa: S101 - callers check the dialect
        yield cursor
