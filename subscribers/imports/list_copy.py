"""Copy rows straight into the tables of a PostgreSQL list on which nobody is.

Nothing has to be asked of such a list first, so its rows need no staging table: COPY stores them in half the
time that it takes to load them there and insert them from it. What is the same in all rows is the default of
its column meanwhile, so that it need not be sent and read a million times.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table
from sqlmodel import SQLModel

from subscribers.imports.bulk_insert import EncodedRows, encode_rows, insert_rows
from subscribers.imports.import_origin import ImportOrigin
from subscribers.models import Status

if TYPE_CHECKING:
    from psycopg.sql import Composable

_subscriber: Table = SQLModel.metadata.tables["subscriber"]
_sector: Table = SQLModel.metadata.tables["subscriber_sector"]
_tag: Table = SQLModel.metadata.tables["subscriber_tag"]
_consent_record: Table = SQLModel.metadata.tables["consent_record"]

EncodedPeople = tuple[tuple[Table, EncodedRows], ...]
"""New subscribers, their consent records, sectors and tags: the rows for each table."""


def set_defaults(connection: Connection, origin: ImportOrigin) -> None:
    """Let the columns that :func:`encode_people` leaves out have the values of this import.

    Only whoever has locked the tables until the transaction ends may do so.
    """
    from psycopg import sql

    for table, values in _find_defaults(origin).items():
        set_default = sql.SQL("SET DEFAULT {}")
        actions = {name: set_default.format(sql.Literal(value)) for name, value in values.items()}
        _alter_columns(connection, table, actions)


def drop_defaults(connection: Connection, origin: ImportOrigin) -> None:
    """Undo :func:`set_defaults`."""
    from psycopg import sql

    for table, values in _find_defaults(origin).items():
        _alter_columns(connection, table, dict.fromkeys(values, sql.SQL("DROP DEFAULT")))


def encode_people(
    columns: Sequence[Sequence[Any]], lists: Mapping[int, Sequence[str]], origin: ImportOrigin
) -> EncodedPeople:
    """Return people in the form in which PostgreSQL takes them.

    ``columns`` are those of the staging table from ``row`` to ``tags``; ``lists`` are the values of each list
    number, also of 0. This uses no connection.
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
    """Store them.

    Raises:
        sqlalchemy.exc.DBAPIError: the database refuses them, or cannot be used.
    """
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


def _find_defaults(origin: ImportOrigin) -> dict[Table, dict[str, Any]]:
    people = {"status": Status.active.value, "created_at": origin.now, "updated_at": origin.now}
    # The basis is sent, because its column has a default of its own.
    consent = {name: value for name, value in origin.consent.items() if name != "basis"}
    return {_subscriber: people, _consent_record: consent}


def _alter_columns(connection: Connection, table: Table, actions: Mapping[str, "Composable"]) -> None:
    from psycopg import sql

    parts = [
        sql.SQL("ALTER COLUMN {} {}").format(sql.Identifier(name), action) for name, action in actions.items()
    ]
    statement = sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(table.name), sql.SQL(", ").join(parts))
    connection.exec_driver_sql(statement.as_string(None).replace("%", "%%"))
