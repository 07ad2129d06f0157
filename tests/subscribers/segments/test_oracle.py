"""Random segments over random lists, compared with an oracle in plain Python, on both databases."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, select

from mailer.campaigns.delivery_history import DeliveryHistory
from subscribers.segments.segment import parse_segment
from subscribers.segments.terms import Expression, conjuncts, to_text
from tests.subscribers.segments.oracle import (
    ID,
    SECTORS,
    SENT,
    Person,
    add_campaigns,
    fill,
    holds,
    people,
    spelt,
)

_QUIET = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as made:
        add_campaigns(made)
    with engine.connect() as connection:
        yield connection


@_QUIET
@given(
    listed=st.lists(people, min_size=1, max_size=12),
    asked=st.lists(spelt(), min_size=1, max_size=5),
)
def test_random_segments_match_the_same_people_as_plain_python(
    connection: Connection, listed: list[Person], asked: list[tuple[Expression, str]]
) -> None:
    with connection.begin() as transaction:
        numbered = fill(connection, listed)
        for tree, text in asked:
            segment = parse_segment(text, sectors=SECTORS, deliveries=DeliveryHistory(connection))
            found = set(connection.scalars(select(ID).where(segment.where())))
            assert found == {id_ for id_, person in numbered.items() if holds(person, tree)}, text
        transaction.rollback()


@settings(deadline=None, max_examples=400)
@given(spelt())
def test_written_and_printed_segments_are_parsed_to_the_same_tree(
    asked: tuple[Expression, str],
) -> None:
    tree, text = asked
    for written in (text, to_text(tree)):
        segment = parse_segment(written, sectors=SECTORS, deliveries=SENT)
        assert segment.terms == conjuncts(tree)
        assert segment.canonical == to_text(tree)
