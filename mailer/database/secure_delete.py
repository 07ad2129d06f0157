"""Taking somebody out of a database for good: out of the words others wrote, and out of the pages it freed.

Whose rows are whose, :mod:`subscribers.consent.status_changes` knows. Here are the two things beneath: columns of words in
which an address may have been quoted, and a file that keeps what was deleted until it is overwritten.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Column, Connection, Engine, Enum, String, TypeDecorator, or_, select, text, update
from sqlmodel import SQLModel

from mailer.errors import MailerError

MASK = "<…>"
EXEMPT_TABLES: Mapping[str, str] = MappingProxyType(
    {
        "subscriber": "a person's own row is blanked, and nobody else's may change with it",
        "consent_record": "only ever added to; a person's own are emptied",
        "mailed_link": "a person's own are deleted, and so are those to their address",
        "suppression": "holds keyed hashes alone",
        "campaign_content": "what an edition says is the organisation's; it is frozen as it was approved",
    }
)
"""The tables whose words are left alone, and why. Every other column of words is looked through, also one
that nobody thought of when this was written."""


class IncompleteErasureError(MailerError):
    """The database could not be cleaned of what it had freed."""


def list_text_columns() -> Iterator[Column[str]]:
    """Every column that may quote somebody: text of any length that is no key and no enumeration."""
    for table in SQLModel.metadata.sorted_tables:
        if table.name not in EXEMPT_TABLES:
            yield from (column for column in table.columns if _is_free_text(column))


def _is_free_text(column: Column[str]) -> bool:
    # SQLModel decorates the type of every plain text.
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    plain = isinstance(kind, String) and not isinstance(kind, Enum)
    return plain and not column.primary_key and not column.foreign_keys


def mask_addresses(connection: Connection, pattern: re.Pattern[str], addresses: tuple[str, ...]) -> int:
    """Put :data:`MASK` in the place of every match of ``quoted``, wherever one of ``addresses`` stands in a
    column of words; how many rows changed. The caller commits.
    """
    return sum(_mask_column(connection, column, pattern, addresses) for column in list_text_columns())


def _mask_column(
    connection: Connection, column: Column[str], pattern: re.Pattern[str], addresses: tuple[str, ...]
) -> int:
    table, keys = column.table, list(column.table.primary_key)
    holds_one = or_(*(column.icontains(address, autoescape=True) for address in addresses))
    changed = 0
    for *key, words in connection.execute(select(*keys, column).where(holds_one)).all():
        masked = pattern.sub(MASK, words)
        if masked != words:
            same_row = [name == value for name, value in zip(keys, key, strict=True)]
            connection.execute(update(table).where(*same_row).values({column: masked}))
            changed += 1
    return changed


def list_database_files(engine: Engine) -> tuple[Path, ...]:
    """The files of a SQLite database that are there: itself, its write-ahead log and its index of that."""
    if engine.dialect.name != "sqlite":
        return ()
    file = Path(str(engine.url.database))
    beside = (file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm", "-journal"))
    return tuple(path for path in (file, *beside) if path.is_file())


def checkpoint_log(engine: Engine) -> None:
    """Bring SQLite's write-ahead log home and empty it: it holds the pages as they were.

    Raises:
        IncompleteErasureError: somebody kept reading from it for half a minute.
    """
    with _driver_cursor(engine) as cursor:
        busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise IncompleteErasureError(
            "Another program kept the database open for reading, so its log still holds what was deleted. "
            "Give the command again in a moment; it finishes what is left."
        )


def rewrite_file(engine: Engine) -> None:
    """Write a SQLite file anew, of living rows alone. Deleted rows are overwritten as they go, but what was
    moved within a page on the way can stay behind in it.

    Raises:
        IncompleteErasureError: the disk is too full, or somebody kept the database busy.
    """
    try:
        with _driver_cursor(engine) as cursor:
            cursor.execute("VACUUM")
    except sqlite3.OperationalError as error:
        raise IncompleteErasureError(
            f"The database could not be written anew ({error}): it needs room for a second one beside it, "
            "and a moment without other writers. Then give the command again; it finishes what is left."
        ) from error
    checkpoint_log(engine)


def vacuum_tables(engine: Engine) -> None:
    """Let PostgreSQL take dead rows and their index entries out of every table of ours."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in SQLModel.metadata.sorted_tables:
            name = connection.dialect.identifier_preparer.format_table(table)
            connection.execute(text(f"VACUUM {name}"))


class _driver_cursor:  # noqa: N801 - used as a verb, in a with
    """A cursor of the bare driver, outside any transaction."""

    def __init__(self, engine: Engine) -> None:
        self._raw = engine.raw_connection()

    def __enter__(self) -> sqlite3.Cursor:
        cursor = self._raw.cursor()
        assert isinstance(cursor, sqlite3.Cursor)  # noqa: S101 - callers ask the dialect
        return cursor

    def __exit__(self, *_: object) -> None:
        self._raw.close()
