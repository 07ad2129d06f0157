"""No figure below five can be read from a table, or worked out from what is left in it."""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.campaigns.report.disclosure import Cell, choose_hidden_cells


def add_totals(parts: dict[tuple[str, str], int]) -> Counter[Cell]:
    """A table in which everybody follows one sector, so that every total is a sum."""
    figures: Counter[Cell] = Counter()
    for (country, sector), number in parts.items():
        for cell in ((country, sector), (country, None), (None, sector), (None, None)):
            figures[cell] += number
    return figures


def can_be_worked_out(wanted: Iterable[Cell], figures: Counter[Cell], hidden: frozenset[Cell]) -> bool:
    """Whether the sum of the cells ``wanted`` follows from all that is shown, for somebody who also knows
    which cells are of nobody: whether it is a sum of the equations of the table.
    """
    unknown = sorted(hidden, key=str)
    rows = []
    lines = {cell[0] for cell in figures}, {cell[1] for cell in figures}
    for country in lines[0]:
        parts = [(country, sector) for sector in lines[1] if sector is not None]
        rows.append([(country, None), *parts])
    for sector in lines[1]:
        parts = [(country, sector) for country in lines[0] if country is not None]
        rows.append([(None, sector), *parts])
    equations = [
        [Fraction(-1 if cell == line[0] else 1) if cell in line else Fraction(0) for cell in unknown]
        for line in rows
    ]
    goal = [Fraction(cell in set(wanted)) for cell in unknown]
    return measure_rank([*equations, goal]) == measure_rank(equations)


def measure_rank(rows: list[list[Fraction]]) -> int:
    left, rank = [list(row) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in left if row[column] != 0), None)
        if pivot is None:
            continue
        left.remove(pivot)
        rank += 1
        for row in left:
            factor = row[column] / pivot[column]
            row[:] = [a - factor * b for a, b in zip(row, pivot, strict=True)]
    return rank


tables = st.dictionaries(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from("rstu")),
    st.one_of(st.integers(0, 6), st.integers(0, 60)),
    min_size=1,
)


@given(tables)
def test_no_small_figure_is_shown_or_can_be_worked_out(parts: dict[tuple[str, str], int]) -> None:
    figures = +add_totals(parts)
    hidden = choose_hidden_cells(figures)
    small = [cell for cell, figure in figures.items() if figure < 5]
    assert set(small) <= hidden <= set(figures)
    if (None, None) in small:
        return  # The whole table is of fewer than five people, and nothing of it is shown.
    for cell in small:
        assert not can_be_worked_out([cell], figures, hidden)


@given(tables)
def test_what_is_missing_from_a_total_is_not_small_either(parts: dict[tuple[str, str], int]) -> None:
    figures = +add_totals(parts)
    hidden = choose_hidden_cells(figures)
    for total in set(figures) - hidden:
        for place in (0, 1):
            if total[place] is None:
                line = [
                    cell
                    for cell in figures
                    if cell[place] is not None and cell[1 - place] == total[1 - place]
                ]
                missing = sum(figures[cell] for cell in line if cell in hidden)
                assert missing == 0 or missing >= 5


@given(tables)
def test_a_table_without_small_figures_is_shown_whole(parts: dict[tuple[str, str], int]) -> None:
    assert (
        choose_hidden_cells(add_totals({place: 5 * number for place, number in parts.items()})) == frozenset()
    )


def test_the_smallest_figure_that_serves_goes_with_a_small_one() -> None:
    figures: dict[Cell, int] = {("FR", None): 90, ("MN", None): 3, ("KR", None): 12, (None, None): 105}
    assert choose_hidden_cells(figures) == {("MN", None), ("KR", None)}


def test_two_small_figures_that_are_fewer_than_five_together_take_a_third_with_them() -> None:
    figures: dict[Cell, int] = {("FR", None): 90, ("MN", None): 3, ("KR", None): 1, (None, None): 94}
    assert choose_hidden_cells(figures) == {("MN", None), ("KR", None), ("FR", None)}


def test_two_small_figures_of_five_together_hide_each_other() -> None:
    figures: dict[Cell, int] = {("FR", None): 90, ("MN", None): 3, ("KR", None): 2, (None, None): 95}
    assert choose_hidden_cells(figures) == {("MN", None), ("KR", None)}


def test_the_total_of_all_stays() -> None:
    figures = add_totals({("FR", "culture"): 97, ("MN", "culture"): 3, ("MN", "sciences"): 30})
    assert (None, None) not in choose_hidden_cells(figures)


@pytest.mark.parametrize("number", [1, 4])
def test_a_link_that_few_followed_shows_nothing(number: int) -> None:
    figures = add_totals({("FR", "culture"): number})
    assert choose_hidden_cells(figures) == set(figures)


def test_nobody_is_no_small_figure() -> None:
    assert choose_hidden_cells({("FR", None): 0, ("KR", None): 9, (None, None): 9}) == frozenset()


def test_readers_of_several_sectors_give_nobody_away() -> None:
    """Two of the readers who follow sciences are all who follow nothing else."""
    people = chain.from_iterable(
        [["FR", sectors]] * number for sectors, number in ((("c", "s"), 20), (("s",), 2))
    )
    figures: Counter[Cell] = Counter()
    for country, sectors in people:
        for place in (country, None):
            figures[place, None] += 1
            for sector in sectors:
                figures[place, sector] += 1
    assert choose_hidden_cells(figures) == frozenset()


def test_a_large_table_takes_no_recursion_as_deep_as_it_is_long() -> None:
    parts = {
        (f"{a}{b}", sector): 1 + (ord(a) + ord(b)) % 9
        for a in "ABCDEF"
        for b in "ABCDEFGHIJ"
        for sector in "rstuvw"
    }
    figures = add_totals(parts)
    hidden = choose_hidden_cells(figures)
    assert all(figures[cell] >= 5 or cell in hidden for cell in figures)
    assert (None, None) not in hidden
