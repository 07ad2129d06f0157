"""How a length is shared among values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.web.report_pages.charts.bar_chart import spread_widths

VALUES = st.lists(st.integers(0, 10**7), max_size=12)


@given(VALUES, st.sampled_from([0.5, 1.2, 4.0]))
def test_the_parts_make_the_whole_and_every_one_that_counts_can_be_seen(
    values: list[int], least: float
) -> None:
    widths = spread_widths(values, 100, least=least)
    assert sum(widths) == pytest.approx(100 if any(values) else 0)
    for value, width in zip(values, widths, strict=True):
        assert width >= least - 1e-9 if value else width == 0


@given(VALUES)
def test_a_larger_value_never_gets_a_smaller_part(values: list[int]) -> None:
    widths = spread_widths(values, 100, least=1)
    pairs = sorted(zip(values, widths, strict=True))
    assert [width for _, width in pairs] == pytest.approx(sorted(width for _, width in pairs))


def test_one_in_doubt_of_a_million_is_seen() -> None:
    sent, doubt = spread_widths([999_999, 1], 100, least=1.2)
    assert (sent, doubt) == pytest.approx((98.8, 1.2))


def test_a_bar_too_short_for_its_parts_is_still_seen() -> None:
    assert spread_widths([1, 1], 0.1, least=0.7) == pytest.approx([0.35, 0.35])
