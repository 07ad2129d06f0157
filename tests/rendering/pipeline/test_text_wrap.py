"""Lines of a plain-text mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.rendering.pipeline.jinja_env import WIDTH, wrap_text


def test_a_long_line_is_broken_at_a_space() -> None:
    wrapped = wrap_text("word " * 40)
    assert max(map(len, wrapped.splitlines())) <= WIDTH
    assert wrapped.split() == ["word"] * 40


def test_list_items_have_a_hanging_indent() -> None:
    assert wrap_text("• one two three four", 12) == "• one two\n  three four"
    assert wrap_text("10. one two three", 12) == "10. one two\n    three"


@pytest.mark.parametrize(
    ("line", "wrapped"),
    [
        ("> one two three", "> one two\n> three"),
        ("> > one two three", "> > one two\n> > three"),
        ("> • one two three", "> • one two\n>   three"),
        ("> > 1. one two", "> > 1. one\n> >    two"),
        ("• > one two three", "• > one two\n  > three"),
        (">one two three", ">one two\nthree"),
    ],
)
def test_every_line_of_a_quotation_starts_with_its_mark(line: str, wrapped: str) -> None:
    assert wrap_text(line, 11) == wrapped


@given(st.lists(st.sampled_from(["> ", "• ", "1. ", "  "]), max_size=5), st.integers(1, 40))
def test_wrapped_lines_are_indented_to_the_first_word(lead: list[str], count: int) -> None:
    first, *others = wrap_text(f"{''.join(lead)}{'word ' * count}").splitlines()
    place = len("".join(lead))
    marks = [(at, sign) for at, sign in enumerate(first[:place]) if sign == ">"]
    for line in others:
        assert [(at, sign) for at, sign in enumerate(line[:place]) if sign != " "] == marks
        assert line[place:].startswith("word")


def test_a_url_is_never_broken() -> None:
    address = "https://example.org/" + "a-b/" * 40
    assert address in wrap_text(f"see {address} now").splitlines()


@given(st.text(alphabet="ab -•1.\n", max_size=400))
def test_wrapping_loses_no_word_and_no_empty_line(text: str) -> None:
    wrapped = wrap_text(text)
    assert wrapped.split() == text.split()
    assert wrap_text(wrapped).split() == wrapped.split()
