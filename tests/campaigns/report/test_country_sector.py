"""A campaign by country × sector: what is counted, and what nobody can work out from it."""

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update
from sqlmodel import Session, col

from mailer.campaigns.report.breakdown import (
    Breakdown,
    BreakdownRow,
    CountryCounts,
    count_breakdown,
    hide_small_figures,
)
from mailer.campaigns.report.disclosure import SMALLEST_SHOWN, is_small
from mailer.database.models import Campaign, Delivery, DeliveryState
from subscribers.consent.status_changes import unsubscribe
from subscribers.models import Subscriber, SubscriberSector
from tests.factories.deliveries import START, add_campaign

SECTORS = ("education", "culture")


def put_readers(engine: Engine, country: str | None, numbers: range, **by_sector: int) -> None:
    """Put the readers of these numbers in ``country``; the first of them follow each sector."""
    with Session(engine) as session:
        for number in numbers:
            person = session.get_one(Subscriber, number)
            person.country = country
            session.add(person)
        for sector, count in by_sector.items():
            for number in list(numbers)[:count]:
                session.add(SubscriberSector(subscriber_id=number, sector=sector))
        session.commit()


def send_all(engine: Engine, *, but: range = range(0)) -> None:
    with engine.begin() as connection:
        connection.execute(update(Campaign).values(launched_at=START))
        connection.execute(update(Delivery).values(state=DeliveryState.sent))
        refused = update(Delivery).where(col(Delivery.subscriber_id).in_(but))
        connection.execute(refused.values(state=DeliveryState.rejected))


def test_a_campaign_is_counted_by_country_and_sector(engine: Engine) -> None:
    number = add_campaign(engine, 40)
    put_readers(engine, "MN", range(1, 21), education=12, culture=6)
    put_readers(engine, "CN", range(21, 36), education=10)
    put_readers(engine, None, range(36, 41))
    send_all(engine, but=range(15, 21))
    with engine.connect() as connection:
        found = count_breakdown(connection, number, SECTORS)
    assert found.rows == (
        BreakdownRow(countries=("CN",), sent=15, not_sent=0, left=0, by_sector=(10, 0), no_sector=5),
        BreakdownRow(countries=("MN",), sent=14, not_sent=6, left=0, by_sector=(None, 6), no_sector=None),
        BreakdownRow(countries=(None,), sent=5, not_sent=0, left=0, by_sector=(0, 0), no_sector=5),
    )
    assert (found.total.sent, found.total.not_sent, found.total.by_sector[1]) == (34, 6, 6)
    # 22 in all would tell that 12 of the 14 in Mongolia follow education, and so that two do not.
    assert found.total.by_sector[0] is None


def test_who_has_left_since_is_counted_by_country(engine: Engine) -> None:
    number = add_campaign(engine, 20)
    put_readers(engine, "MN", range(1, 11))
    put_readers(engine, "CN", range(11, 21))
    send_all(engine)
    with Session(engine) as session:
        for person in range(1, 8):
            unsubscribe(session, person, method="page", now=START)
        session.commit()
        found = count_breakdown(session.connection(), number, SECTORS)
    assert {row.countries: row.left for row in found.rows} == {("CN",): 0, ("MN",): 7}


def test_countries_with_too_few_readers_become_one_row(engine: Engine) -> None:
    number = add_campaign(engine, 16)
    put_readers(engine, "MN", range(1, 11))
    put_readers(engine, "CN", range(11, 14))
    put_readers(engine, "KR", range(14, 17))
    send_all(engine)
    with engine.connect() as connection:
        found = count_breakdown(connection, number, SECTORS)
    assert [(row.countries, row.sent) for row in found.rows] == [(("MN",), 10), (("CN", "KR"), 6)]


@pytest.mark.parametrize("readers", [0, 3, 12])
def test_one_row_alone_would_only_repeat_the_total(engine: Engine, readers: int) -> None:
    number = add_campaign(engine, readers)
    put_readers(engine, "MN", range(1, readers + 1))
    send_all(engine)
    with engine.connect() as connection:
        assert count_breakdown(connection, number, SECTORS).rows == ()


# --- what somebody who has only the breakdown can work out


@st.composite
def countries(draw: st.DrawFn) -> list[CountryCounts]:
    """Two to four countries whose readers follow none, one or both of two sectors."""
    found = []
    for code in ("MN", "CN", "KR", "JP")[: draw(st.integers(2, 4))]:
        only_first, only_second, both, neither = (draw(st.integers(0, 9)) for _ in range(4))
        found.append(
            CountryCounts(
                countries=(code,),
                sent=only_first + only_second + both + neither,
                not_sent=draw(st.integers(0, 9)),
                left=draw(st.integers(0, 9)),
                no_sector=neither,
                by_sector=Counter(education=only_first + both, culture=only_second + both),
            )
        )
    return found


@given(countries())
def test_no_figure_that_is_shown_in_a_row_is_small(counted: list[CountryCounts]) -> None:
    found = hide_small_figures(counted, SECTORS)
    for row in found.rows:
        shown = (row.sent, row.not_sent, row.left, row.no_sector, *row.by_sector)
        assert not any(is_small(figure) for figure in shown if figure is not None)
    assert found.total.sent == sum(one.sent for one in counted)


@settings(max_examples=80)
@given(countries())
def test_nobody_can_work_out_a_small_figure_of_a_sector(counted: list[CountryCounts]) -> None:
    found = hide_small_figures(counted, SECTORS)
    for place, row in enumerate(found.rows):
        for column in range(3):
            if _cells(row)[column] is not None:
                continue
            possible = _list_possible(found, place, column)
            # It may be another figure, and for all that anybody can tell, five or more are in it and outside.
            assert len(possible) > 1, (found, place, column)
            assert row.sent is not None
            # (That it is neither nobody nor everybody is told by its being hidden.)
            assert max(possible) >= min(SMALLEST_SHOWN, row.sent - 1), (found, place, column)
            assert row.sent - min(possible) >= min(SMALLEST_SHOWN, row.sent - 1), (found, place, column)


def _cells(row: BreakdownRow) -> tuple[int | None, ...]:
    return (*row.by_sector, row.no_sector)


def _list_possible(found: Breakdown, place: int, column: int) -> set[int]:
    """All values that a hidden figure may have by everything that is shown, found by trying."""
    worlds = [list(_list_rows(row)) for row in found.rows]
    wanted = _cells(found.total)
    fixed = [index for index in range(3) if wanted[index] is not None]
    others = [rows for other, rows in enumerate(worlds) if other != place]
    reachable = {tuple(0 for _ in fixed)}
    for rows in others:
        steps = {tuple(cells[index] for index in fixed) for cells in rows}
        reachable = {
            tuple(map(sum, zip(before, step, strict=True)))
            for before, step in itertools.product(reachable, steps)
        }
    return {
        cells[column]
        for cells in worlds[place]
        if tuple((wanted[index] or 0) - cells[index] for index in fixed) in reachable
    }


def _list_rows(row: BreakdownRow) -> Iterator[tuple[int, int, int]]:
    """All that a row may be: who follows anything is in the one sector, in the other or in both."""
    people = row.sent or 0
    choices = [range(people + 1) if figure is None else (figure,) for figure in _cells(row)]
    for first, second, neither in itertools.product(*choices):
        if max(first, second) <= people - neither <= first + second:
            yield first, second, neither
