"""The lead of a story that its author wrote none for: how its text begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.markdown.plain_text import MAX_LEAD_WIDTH, find_lead, shorten_at_sentence

LONG = "word " * 60


@pytest.mark.parametrize(
    ("html", "lead"),
    [
        ("<p>One &amp; <strong>two</strong>.</p><p>Three.</p>", "One & two."),
        ("<h4>A heading</h4><ul><li>The first item</li><li>The second</li></ul>", "The first item"),
        ("<p> </p><p>Not the empty one.</p>", "Not the empty one."),
        ('<p>A claim<sup><a href="#n1">1</a></sup>.</p>', "A claim."),
        ("<p>One line<br />and another</p>", "One line and another"),
        ("<table><tr><td>1</td></tr></table>", ""),
        ("", ""),
    ],
)
def test_a_lead_is_the_first_paragraph_as_plain_text(html: str, lead: str) -> None:
    assert find_lead(html) == lead


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        (f"The forum met for three days in Ulaanbaatar, and 40 people came. {LONG}", 64),
        (f"Twenty ministers and their staff signed it in the autumn (2021). {LONG}", 64),
        (f"“Will anybody come to the forum on teaching in the open air?” {LONG.capitalize()}", 61),
        (
            f"论坛于十月在北京举行，来自十个国家的四十位青年代表参加了会议，讨论了教育的未来。{'其他' * 60}",
            40,
        ),
    ],
)
def test_a_long_paragraph_ends_with_a_sentence(text: str, lead: int) -> None:
    found = shorten_at_sentence(text.replace("word", "Word", 1))
    assert found == text[:lead]


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    text = f"At the opening of the fourth forum on media and information, Dr. Bat of the U.N. Academy {LONG}"
    assert shorten_at_sentence(text).startswith(
        "At the opening of the fourth forum on media and information, Dr. Bat"
    )


def test_a_long_first_sentence_is_cut_between_words_and_says_so() -> None:
    lead = shorten_at_sentence(LONG)
    assert lead.endswith("word…")
    assert len(lead) <= MAX_LEAD_WIDTH
    assert shorten_at_sentence("字" * 200) == "字" * ((MAX_LEAD_WIDTH - 1) // 2) + "…"


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=400), st.integers(10, 150))
def test_a_lead_is_never_longer_than_allowed_and_never_says_anything_else(text: str, most: int) -> None:
    lead = shorten_at_sentence(text, most)
    assert len(lead) <= most
    assert text.startswith(lead) or text.startswith(lead.removesuffix("…"))
