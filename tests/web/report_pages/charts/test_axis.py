"""The axis of a chart has round numbers and holds what it shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.web.report_pages.charts.line_chart import choose_axis, shorten_number


@given(st.floats(1e-3, 1e9), st.booleans())
def test_an_axis_holds_the_largest_value_with_few_lines(largest: float, whole: bool) -> None:
    axis = choose_axis(largest, whole=whole)
    assert axis.ticks[0] == 0
    assert axis.ticks[-1] == pytest.approx(axis.top)
    assert axis.top >= largest * (1 - 1e-6)
    assert len(axis.ticks) <= 6
    if whole:
        assert all(tick == int(tick) for tick in axis.ticks)
    assert 0 <= axis.place(largest) <= 100


def test_an_axis_of_nothing_has_a_foot_and_a_top() -> None:
    assert choose_axis(0).ticks == (0, 1)


def test_an_axis_counts_people_in_whole_numbers() -> None:
    assert choose_axis(3).ticks == (0, 1, 2, 3)
    assert choose_axis(1_000_000).ticks == (0, 250_000, 500_000, 750_000, 1_000_000)


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "0"), (950, "950"), (1_500, "1.5k"), (12_000, "12k"), (250_000, "250k"), (2_000_000, "2m")],
)
def test_a_number_is_written_in_few_letters(number: float, written: str) -> None:
    assert shorten_number(number) == written
