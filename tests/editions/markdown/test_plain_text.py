"""The plain-text twin of a body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.markdown.renderer import render_markdown


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("One\ntwo.\n\nThree.", "One two.\n\nThree."),
        ("One  \ntwo.", "One\ntwo."),
        ("**a** *b* `c`", "a b c"),
        ("dear ~~readers~~ partners", "dear [× readers] partners"),
        ("a < b &amp; c", "a < b & c"),
        ("- a\n- b", "• a\n• b"),
        ("- a\n\n- b", "• a\n\n• b"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("- a\n  1. b\n  2. c\n- d", "• a\n  1. b\n  2. c\n• d"),
        ("- a\n\n  b\n- c", "• a\n\n  b\n\n• c"),
        ("10. a\n\n    b", "10. a\n\n    b"),
        ("[the forum](https://example.org/a?b=1&c=2)", "the forum (https://example.org/a?b=1&c=2)"),
        ("<https://example.org>", "https://example.org"),
        ("<me@example.org>", "me@example.org"),
        ("[write](mailto:me@example.org)", "write (me@example.org)"),
        ("[write](mailto:me@example.org?subject=Every%20kind)", "write (me@example.org)"),
        ("[me@example.org](mailto:me@example.org?subject=a)", "me@example.org"),
        ("[write](mailto:o%27neill@example.org)", "write (o'neill@example.org)"),
        ("[write](mailto:a%0Ab@example.org)", "write (a%0Ab@example.org)"),
        ("> a\n>\n> b", "> a\n>\n> b"),
        ("> - a\n> - b", "> • a\n> • b"),
        ("## Head\n\nText.", "Head\n\nText."),
        ("|a|b|\n|-|-|\n|1|**2**|", "a | b\n1 | 2"),
        ("```\nx = 1\n\ny\n```", "    x = 1\n\n    y"),
        ("a\n\n***\n\nb", "a\n\n* * *\n\nb"),
        ("-", "•"),
        ("", ""),
    ],
)
def test_markdown_becomes_plain_text(source: str, text: str) -> None:
    assert render_markdown(source, language="en").text == text


@given(st.text(alphabet=st.sampled_from("ab \n-*>#1.`|[]()"), max_size=60))
def test_plain_text_has_no_space_at_the_end_of_a_line(source: str) -> None:
    text = render_markdown(source, language="en").text
    assert all(line == line.rstrip() for line in text.split("\n") if not line.startswith("    "))
    assert text == text.strip("\n")
