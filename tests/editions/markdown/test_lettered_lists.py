"""Lists with letters and roman numerals, and what looks like one and is none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.markdown.dialect import write_marker
from editions.markdown.renderer import render_markdown


@pytest.mark.parametrize(
    ("source", "kind", "style", "text"),
    [
        ("a. one\nb. two", "a", "lower-alpha", "a. one\nb. two"),
        ("a) one\nb) two", "a", "lower-alpha", "a. one\nb. two"),
        ("A.  one\nB.  two", "A", "upper-alpha", "A. one\nB. two"),
        ("i. one\nii. two\niii. three", "i", "lower-roman", "i. one\nii. two\niii. three"),
        ("I.  one\nII. two", "I", "upper-roman", "I. one\nII. two"),
        ("h. one\ni. two\nj. three", "a", "lower-alpha", "h. one\ni. two\nj. three"),
        ("ix. one\nx. two", "i", "lower-roman", "ix. one\nx. two"),
        ("k. one\nl. two", "a", "lower-alpha", "k. one\nl. two"),
    ],
)
def test_a_list_keeps_its_letters_in_both_parts(source: str, kind: str, style: str, text: str) -> None:
    rendered = render_markdown(source, language="en")
    assert re.search(rf'<ol(?: start="\d+")? type="{kind}" style="list-style-type:{style}">', rendered.html)
    assert rendered.text == text
    assert rendered.html.count("<li>") == source.count("\n") + 1


def test_a_list_that_goes_on_from_another_begins_with_its_own_letter() -> None:
    assert '<ol start="11" type="a"' in render_markdown("k. one\nl. two", language="en").html


def test_lists_nest_and_items_go_on() -> None:
    source = (
        "a. one\n   goes on\n\n   1. deep\n   2. deeper\n      i. deepest\n      ii. end\nb. two\n\nAfter."
    )
    rendered = render_markdown(source, language="en")
    assert rendered.html.count("<ol") == 3
    assert rendered.text.splitlines()[-3:] == ["b. two", "", "After."]
    assert "      i. deepest\n      ii. end" in rendered.text


def test_another_list_begins_where_the_letters_do_not_go_on() -> None:
    assert render_markdown("a. one\nb. two\n\ni. one\nii. two", language="en").html.count("<ol") == 2


@pytest.mark.parametrize(
    "source",
    [
        "A. Smith spoke.\nB. Jones answered.",
        "a. alone",
        "a. one\n\nA paragraph.\n\nb. two",
        "It was said by\nA. Smith",
        "e.g. this\nf.g. that",
        "I. Kant wrote.",
        "vx. no\nvxi. number",
    ],
)
def test_what_only_looks_like_a_list_is_none(source: str) -> None:
    assert "<ol" not in render_markdown(source, language="en").html


def test_code_keeps_its_letters() -> None:
    html = render_markdown("a. one\nb. two\n\n```\na. one\nb. two\n```", language="en").html
    assert "<code>a. one\nb. two\n</code>" in html


@given(st.integers(1, 89), st.sampled_from("iI"))
def test_every_roman_number_is_read_as_it_is_written(number: int, kind: str) -> None:
    lines = [f"{write_marker(value, kind)}  item" for value in (number, number + 1)]
    html = render_markdown("\n".join(lines), language="en").html
    start = f' start="{number}"' if number != 1 else ""
    # One sign alone, such as "c.", is a letter too, but then the next one does not follow.
    assert f'<ol{start} type="{kind}"' in html
