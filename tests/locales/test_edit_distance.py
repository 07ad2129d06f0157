"""Slips between two texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locales.country_names import edit_distance

WORDS = st.text(alphabet="abc", max_size=7)


@pytest.mark.parametrize(
    ("written", "meant", "distance"),
    [
        ("", "", 0),
        ("a", "", 1),
        ("abcd", "abxd", 1),
        ("abcd", "acbd", 1),
        ("abcd", "bcd", 1),
        ("kitten", "sitting", 3),
    ],
)
def test_a_letter_added_left_out_replaced_or_swapped_is_one_slip(
    written: str, meant: str, distance: int
) -> None:
    assert edit_distance(written, meant, 3) == distance


@given(WORDS, WORDS, st.integers(0, 4))
def test_more_slips_than_the_limit_are_not_counted_and_the_limit_changes_no_count(
    a: str, b: str, limit: int
) -> None:
    whole = edit_distance(a, b, 14)
    assert whole is not None
    assert whole == edit_distance(b, a, 14)
    assert edit_distance(a, b, limit) == (whole if whole <= limit else None)
    assert abs(len(a) - len(b)) <= whole <= max(len(a), len(b))
