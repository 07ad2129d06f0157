"""An audience by country and sector."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event
from sqlmodel import Session

from subscribers.models import Status
from subscribers.queries import CrossTable, make_cross_table
from subscribers.segments.segment import parse_segment
from tests.subscribers.segments.oracle import NOW, SECTORS, Person, add_campaigns, fill, people

ASKED = ("education", "culture")
"""Of the three sectors of the lists, so that one is another."""


@pytest.fixture
def opened(engine: Engine) -> Iterator[Session]:
    with engine.begin() as connection:
        add_campaigns(connection)
    with Session(engine) as session:
        yield session


def add_up(listed: list[Person]) -> dict[str | None, tuple[int, ...]]:
    """The same in plain Python."""
    rows: dict[str | None, list[int]] = {}
    for person in listed:
        row = rows.setdefault(person.country, [0, 0, 0, 0, 0])
        row[0] += "education" in person.sectors
        row[1] += "culture" in person.sectors
        row[2] += "sciences" in person.sectors
        row[3] += not person.sectors
        row[4] += 1
    return {country: tuple(row) for country, row in rows.items()}


def numbers(table: CrossTable) -> dict[str | None, tuple[int, ...]]:
    return {
        country: (*counts.by_sector, counts.other, counts.none, counts.people)
        for country, counts in table.countries.items()
    }


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(people, max_size=14))
def test_a_table_counts_what_plain_python_counts_and_adds_up(opened: Session, listed: list[Person]) -> None:
    fill(opened.connection(), listed)
    everybody = make_cross_table(opened, parse_segment("all"), ASKED)
    some = make_cross_table(opened, parse_segment("-country:JP -tag:press"), ASKED, today=NOW.date())
    opened.rollback()
    assert numbers(everybody) == add_up(listed)
    active = [person for person in listed if person.status is Status.active]
    assert numbers(some) == add_up(
        [person for person in active if person.country != "JP" and "press" not in person.tags]
    )
    for table in (everybody, some):
        rows = list(numbers(table).values())
        total = (*table.total.by_sector, table.total.other, table.total.none, table.total.people)
        assert total == tuple(map(sum, zip(*rows, strict=True))) if rows else (0,) * 5
    # The country with the most people first, the unknown last.
    found = [(country is None, -row[-1]) for country, row in numbers(everybody).items()]
    assert found == sorted(found)


def test_a_table_is_one_query(opened: Session, engine: Engine) -> None:
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def count(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    make_cross_table(opened, parse_segment("country:MN sector:education"), SECTORS, today=NOW.date())
    assert len([statement for statement in statements if not statement.startswith("BEGIN")]) == 1
