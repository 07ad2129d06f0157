"""How figures are written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.web.report_pages.section import ON_OWN_MACHINE, format_duration, format_share
from tests.factories.reports import NOW

SPACE = "\N{NO-BREAK SPACE}"


@given(st.integers(1, 10**7), st.data())
def test_only_nobody_is_none_and_only_everybody_is_all(whole: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, whole))
    share = format_share(number, whole)
    assert (share == f"0{SPACE}%") is (number == 0)
    assert (share == f"100{SPACE}%") is (number == whole)


def test_a_share_of_nobody_is_not_said() -> None:
    assert format_share(0, 0) == ""


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (42, "42 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (3_600, "1 h"),
        (187_300, "2 d 4 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, written: str) -> None:
    assert format_duration(seconds).replace(SPACE, " ") == written


def test_what_was_counted_on_another_day_has_its_day() -> None:
    assert ON_OWN_MACHINE.format_counted(None, NOW) == ""
    assert ON_OWN_MACHINE.format_counted(NOW - timedelta(minutes=8), NOW) == "Counted at 10:32 UTC"
    assert (
        ON_OWN_MACHINE.format_counted(NOW - timedelta(days=1), NOW)
        == "Counted on 27 November 2026, 10:40 UTC"
    )
