import pytest

from mailer.web.studio.page import read_row_number


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("42", 42), ("999999999", 999_999_999)])
def test_a_number_is_read_as_it_is_written(text: str, number: int) -> None:
    assert read_row_number(text) == number


@pytest.mark.parametrize("text", ["", "0", "007", "-1", "+1", " 1", "1\n", "1.0", "٣", "1000000000", "x"])
def test_what_no_row_has_is_no_number(text: str) -> None:
    assert read_row_number(text) is None
