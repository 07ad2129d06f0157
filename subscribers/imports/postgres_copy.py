"""PostgreSQL's COPY, which loads rows in a tenth of the time of as many INSERTs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table

NULL = "\x02"
"""Stands for NULL in a cell; no text has a control character."""


@dataclass(frozen=True, kw_only=True)
class CopyLines:
    """Rows for some columns of a table, as PostgreSQL's text format has them."""

    table: str
    columns: tuple[str, ...]
    text: str


def make_lines(table: Table, cells: Mapping[str, Iterable[str]]) -> CopyLines:
    """Prepare rows whose ``cells`` are given by column.

    Joining them here and sending them at once takes half the time of handing them to the driver row by row,
    and another thread can work while they are sent.

    Raises:
        ValueError: a cell contains a tab or a line break, which would end it.
    """
    rows = list(map("\t".join, zip(*cells.values(), strict=True)))
    text = "\n".join(rows)
    ends = text.count("\t"), text.count("\n"), text.count("\r")
    if ends != (len(rows) * (len(cells) - 1), len(rows) - 1, 0):
        raise ValueError("a cell contains a tab or a line break")
    return CopyLines(table=table.name, columns=tuple(cells), text=text.replace("\\", "\\\\"))


def send_lines(connection: Connection, lines: CopyLines) -> None:
    """Load the rows into the table."""
    from psycopg import Connection as Driver
    from psycopg import sql

    driver = connection.connection.driver_connection
    assert isinstance(driver, Driver)  # noqa: S101 - the caller checked the dialect
    statement = sql.SQL("COPY {} ({}) FROM STDIN (NULL {})").format(
        sql.Identifier(lines.table), sql.SQL(", ").join(map(sql.Identifier, lines.columns)), sql.Literal(NULL)
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(lines.text)
