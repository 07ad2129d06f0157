"""Numbers in addresses and forms are read as they are written, and nothing else is one."""

import pytest

from mailer.web.forms import read_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), ("999999999", 999_999_999)])
def test_a_whole_number_is_read(text: str, number: int) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", " 1", "1_0", "²", "٣", "1234567890", "9" * 5000, "x"]
)
def test_what_is_no_number_or_a_longer_one_is_none(text: str) -> None:
    assert read_number(text) is None


def test_how_many_digits_it_may_have_can_be_said() -> None:
    assert read_number("123456", digits=6) == 123456
    assert read_number("1234567", digits=6) is None
    assert read_number("123456789012", digits=18) == 123456789012
