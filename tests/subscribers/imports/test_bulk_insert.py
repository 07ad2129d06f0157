"""Rows by the thousand are stored to the letter, and whatever goes wrong is an error of SQLAlchemy's."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Connection, Engine, MetaData, String, Table, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from subscribers.imports.bulk_insert import encode_rows, insert_rows

ROWS = Table(
    "any_rows",
    MetaData(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String),
    Column("note", String),
    prefixes=["TEMPORARY"],
)
ODD = [
    *("", "\\", "\\N", "\\.", "\\\\N", "a\tb", "a\nb", "a\rb", "\r\n", "\n", "\\t", "NULL", "None", "'", '"'),
    *("{x}", "%s", "?", ":name", "陈晓", "Батсүх", "😀", "\u2028", "\x02", "\x7f", "x" * 5000),
]
# PostgreSQL stores no NUL, and no half of a surrogate pair is a character.
cells = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)


def insert(connection: Connection, names: list[str | None], notes: list[str | None]) -> None:
    columns = {"number": range(1, len(names) + 1), "name": names, "note": notes}
    rows = encode_rows(
        {name: list(values) for name, values in columns.items()}, dialect=connection.dialect.name
    )
    insert_rows(connection, ROWS, rows)


def store(engine: Engine, names: list[str | None], notes: list[str | None]) -> list[tuple[object, ...]]:
    """Insert the rows, and return what is stored then."""
    with engine.connect() as connection:
        ROWS.create(connection)
        insert(connection, names, notes)
        found = [tuple(row) for row in connection.execute(select(ROWS).order_by(ROWS.c.number))]
        connection.rollback()
    return found


@pytest.mark.parametrize("among", [0, 499, 500, 1201])
def test_odd_texts_are_stored_to_the_letter_among_any_number_of_others(engine: Engine, among: int) -> None:
    names = [*["Ann"] * among, *ODD, None, "Ann"]
    notes = [*ODD, None, *["ok"] * (among + 1)]
    assert store(engine, names, notes) == list(zip(range(1, len(names) + 1), names, notes, strict=True))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(cells, cells), max_size=8))
def test_any_text_is_stored_to_the_letter(engine: Engine, rows: list[tuple[str | None, str | None]]) -> None:
    found = store(engine, [name for name, _ in rows], [note for _, note in rows])
    assert found == [(number, *row) for number, row in enumerate(rows, 1)]


def test_what_the_database_refuses_is_an_error_of_sqlalchemy(engine: Engine) -> None:
    with engine.connect() as connection:
        ROWS.create(connection)
        insert(connection, ["Ann"], [None])
        with pytest.raises(IntegrityError, match="any_rows"):
            insert(connection, ["Bat"], [None])
        connection.rollback()


def test_a_connection_that_is_cut_meanwhile_is_an_error_of_sqlalchemy(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no server")
    with engine.connect() as connection:
        ROWS.create(connection)
        connection.commit()
        number = connection.scalar(select(func.pg_backend_pid()))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:number, 5000)"), {"number": number})
        with pytest.raises(DBAPIError, match=r"terminat|closed"):
            insert(connection, ["Ann"], [None])
        connection.invalidate()
