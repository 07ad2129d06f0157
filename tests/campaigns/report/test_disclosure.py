"""Small figures: hidden, and not to be had by subtraction from what is shown."""

from hypothesis import given
from hypothesis import strategies as st

from mailer.campaigns.report.disclosure import (
    SMALLEST_SHOWN,
    format_figure,
    hide_groups,
    hide_parts,
    is_small,
)

NUMBERS = st.lists(st.integers(0, 30), min_size=2, max_size=12)


def test_a_figure_of_one_to_four_is_small_and_zero_is_nobody() -> None:
    assert [number for number in range(8) if is_small(number)] == [1, 2, 3, 4]


def test_a_hidden_figure_is_a_dash() -> None:
    assert (format_figure(None), format_figure(0), format_figure(1200)) == ("–", "0", "1,200")


def test_one_small_part_takes_the_next_smallest_with_it() -> None:
    assert hide_parts([40, 3, 7, 90, 0]) == (40, None, None, 90, 0)


def test_parts_that_are_all_too_small_are_hidden_with_the_zeros() -> None:
    assert hide_parts([1, 0, 1]) == (None, None, None)


def test_parts_without_a_small_one_are_all_shown() -> None:
    assert hide_parts([5, 0, 900]) == (5, 0, 900)


def test_a_group_of_all_but_a_few_is_hidden_with_the_few() -> None:
    assert hide_groups(100, [97, 3, 50, 100, 0]) == (None, None, 50, 100, 0)


def test_among_too_few_people_not_even_a_zero_is_shown() -> None:
    assert hide_groups(4, [0, 4]) == (None, None)


@given(NUMBERS)
def test_by_the_total_every_hidden_part_may_be_five_or_more(numbers: list[int]) -> None:
    shown = hide_parts(numbers)
    assert not any(is_small(figure) for figure in shown if figure is not None)
    hidden = [place for place, figure in enumerate(shown) if figure is None]
    assert {place for place, number in enumerate(numbers) if is_small(number)} <= set(hidden)
    if hidden and len(hidden) < len(numbers):
        left = sum(numbers) - sum(figure for figure in shown if figure is not None)
        # Each other is at least 1.
        assert left - (len(hidden) - 1) >= SMALLEST_SHOWN
        assert len(hidden) >= 2


@given(st.integers(0, 40), st.lists(st.floats(0, 1), max_size=8))
def test_no_shown_group_and_no_rest_is_small(people: int, shares: list[float]) -> None:
    numbers = [round(people * share) for share in shares]
    for figure in hide_groups(people, numbers):
        assert figure is None or not (is_small(figure) or is_small(people - figure))
