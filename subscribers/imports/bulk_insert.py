"""Insert thousands of rows by one call: SQLite's ``executemany``, PostgreSQL's COPY.

Rows are given by the column, because thousands of tuples would have Python's garbage collector traverse
everything that is alive, again and again. A PostgreSQL list on which nobody is needs no staging table: COPY
straight into its tables takes half the time. What is the same in all rows is the default of its column
meanwhile, and not sent a million times.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from subscribers.models import ConsentEvent, Status

Cell = str | int | None
"""What one row has in one column; None is NULL."""

# https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_NULL = r"\N"
_ROWS_AT_ONCE = 500
"""Another thread that wants to go on waits until such a portion is done."""
_subscriber: Table = SQLModel.metadata.tables["subscriber"]
_sector: Table = SQLModel.metadata.tables["subscriber_sector"]
_tag: Table = SQLModel.metadata.tables["subscriber_tag"]
_consent_record: Table = SQLModel.metadata.tables["consent_record"]


@dataclass(frozen=True, kw_only=True)
class EncodedRows:
    """Rows as :func:`insert_rows` takes them: the cells of each column, and for PostgreSQL ``copy_text``, the
    same in the text format of COPY.
    """

    columns: Mapping[str, Sequence[Cell]]
    copy_text: str | None

    def __bool__(self) -> bool:
        return bool(next(iter(self.columns.values())))


def encode_rows(columns: Mapping[str, Sequence[Cell]], *, dialect: str) -> EncodedRows:
    """Return rows in the form in which a database of ``dialect`` takes them; the columns are as long as each
    other. This uses no connection, so a thread may do it while another waits for the database.
    """
    text = None if dialect == "sqlite" else _format_copy_text(list(columns.values()))
    return EncodedRows(columns=columns, copy_text=text)


def insert_rows(connection: Connection, table: Table, rows: EncodedRows) -> None:
    if not rows:
        return
    if rows.copy_text is None:
        _execute_many(connection, table, rows.columns)
    else:
        _copy(connection, table, list(rows.columns), rows.copy_text)


def _format_copy_text(columns: Sequence[Sequence[Cell]]) -> str:
    starts = range(0, len(columns[0]), _ROWS_AT_ONCE)
    return "".join(
        _format_lines([values[start : start + _ROWS_AT_ONCE] for values in columns]) for start in starts
    )


def _format_lines(columns: Sequence[Sequence[Cell]]) -> str:
    nulls = [values.count(None) for values in columns]
    lines = _join(
        [
            [_NULL if cell is None else str(cell) for cell in values] if some else map(str, values)
            for values, some in zip(columns, nulls, strict=True)
        ]
    )
    count = len(columns[0])
    # To look for what has to be escaped in all cells together takes a tenth of the time of one after another.
    is_plain = (
        "\r" not in lines
        and lines.count("\\") == sum(nulls)
        and lines.count("\n") == count
        and lines.count("\t") == count * (len(columns) - 1)
    )
    return lines if is_plain else _join([map(_escape, values) for values in columns])


def _escape(cell: Cell) -> str:
    return _NULL if cell is None else str(cell).translate(_ESCAPES)


def _join(columns: Sequence[Iterable[str]]) -> str:
    return "\n".join([*map("\t".join, zip(*columns, strict=True)), ""])


def _execute_many(connection: Connection, table: Table, columns: Mapping[str, Sequence[Cell]]) -> None:
    statement = str(
        insert(table).values({name: bindparam(name) for name in columns}).compile(dialect=connection.dialect)
    )
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the rows were encoded for it
    # SQLAlchemy takes a list. The driver takes an iterator, and zip() fills the same tuple for every row.
    with _translated_errors(connection, statement):
        driver.executemany(statement, zip(*columns.values(), strict=True))


def _copy(connection: Connection, table: Table, names: Sequence[str], copy_text: str) -> None:
    from psycopg import Connection as Driver
    from psycopg import sql

    driver = connection.connection.driver_connection
    assert isinstance(driver, Driver)  # noqa: S101 - the rows were encoded for it
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
    with (
        _translated_errors(connection, statement.as_string(driver)),
        driver.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        copy.write(copy_text)


@contextmanager
def _translated_errors(connection: Connection, statement: str) -> Iterator[None]:
    """Raise an error of the driver as SQLAlchemy would, which did not see the statement."""
    dialect = connection.dialect
    base = dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        raise DBAPIError.instance(statement, None, error, base, dialect=dialect) from error


@dataclass(frozen=True, kw_only=True)
class ImportOrigin:
    """The import that is stored with every record it writes."""

    import_id: int
    source: str
    basis: str
    now: datetime

    @property
    def consent(self) -> dict[str, Any]:
        """What the consent records of all new subscribers have in common."""
        return {
            "event": ConsentEvent.imported,
            "at": self.now,
            "method": "import",
            "source": self.source,
            "wording": "",
            "wording_version": "",
            "language": "",
            "basis": self.basis,
            "import_id": self.import_id,
        }


EncodedPeople = tuple[tuple[Table, EncodedRows], ...]
"""New subscribers, their consent records, sectors and tags: the rows for each table."""


def change_defaults(connection: Connection, origin: ImportOrigin, *, are_set: bool) -> None:
    """Let the columns that :func:`encode_people` leaves out have the values of this import, or no longer.

    The tables must be locked until the transaction ends.
    """
    from psycopg import sql

    people = {"status": Status.active.value, "created_at": origin.now, "updated_at": origin.now}
    # The basis is sent, because its column has a default of its own.
    consent = {name: value for name, value in origin.consent.items() if name != "basis"}
    words = sql.SQL("ALTER COLUMN {} SET DEFAULT {}" if are_set else "ALTER COLUMN {} DROP DEFAULT")
    for table, values in ((_subscriber, people), (_consent_record, consent)):
        actions = [words.format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()]
        statement = sql.SQL("ALTER TABLE {} {}").format(
            sql.Identifier(table.name), sql.SQL(", ").join(actions)
        )
        connection.exec_driver_sql(statement.as_string(None).replace("%", "%%"))


def encode_people(
    columns: Sequence[Sequence[Any]], lists: Mapping[int, Sequence[str]], origin: ImportOrigin
) -> EncodedPeople:
    """Return people in the form in which PostgreSQL takes them: ``columns`` are those of the staging table
    from ``row`` to ``tags``, ``lists`` the values of each list number, also of 0. This uses no connection.
    """
    numbers, _, email, envelope, name, organisation, country, language, sectors, tags = columns
    ids = list(map(str, columns[1]))
    people = {
        "id": ids,
        "email": email,
        "envelope": envelope,
        "name": name,
        "organisation": organisation,
        "country": [code or None for code in country],
        "language": [code or None for code in language],
    }
    consent = {
        "subscriber_id": ids,
        "evidence": list(map("row ".__add__, map(str, numbers))),
        "basis": [origin.basis] * len(ids),
    }
    return (
        (_subscriber, _encode(people)),
        (_consent_record, _encode(consent)),
        (_sector, _encode_lists(_sector, ids, sectors, lists)),
        (_tag, _encode_lists(_tag, ids, tags, lists)),
    )


def insert_people(connection: Connection, people: EncodedPeople) -> None:
    for table, rows in people:
        insert_rows(connection, table, rows)


def _encode(columns: Mapping[str, Sequence[Any]]) -> EncodedRows:
    return encode_rows(columns, dialect="postgresql")


def _encode_lists(
    table: Table, ids: Sequence[str], numbers: Sequence[int], lists: Mapping[int, Sequence[str]]
) -> EncodedRows:
    # Thousands of pairs would be as many objects for Python's garbage collector to go through.
    of_whom = [
        subscriber_id for subscriber_id, number in zip(ids, numbers, strict=True) for _ in lists[number]
    ]
    values = list(chain.from_iterable(map(lists.__getitem__, numbers)))
    return _encode(dict(zip(table.c.keys(), (of_whom, values), strict=True)))
