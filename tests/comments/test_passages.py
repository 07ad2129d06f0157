"""A passage is found again after the story around it was edited, and only as long as its words are there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.comments.thread_list import Anchor, anchor_passage, find_passage, list_passages

BODY = """\
## A heading

Sixty teachers met **to share**
what works.

- First point
- Second point

> Quoted words

| a | b |
|---|---|
| 1 | 2 |

The same words. The same words.

Last: what works.
"""
PASSAGES = list_passages(("Teachers meet", ""), BODY)


def anchor(quote: str, near: int = 0) -> Anchor:
    found = anchor_passage(PASSAGES, quote, near=near)
    assert found is not None
    return found


def test_a_story_is_read_as_its_readers_see_it() -> None:
    assert PASSAGES == [
        "Teachers meet",
        "A heading",
        "Sixty teachers met to share what works.",
        "First point",
        "Second point",
        "Quoted words",
        "| a | b | |---|---| | 1 | 2 |",
        "The same words. The same words.",
        "Last: what works.",
    ]


@pytest.mark.parametrize(
    ("quote", "block"),
    [
        ("Teachers meet", 0),
        ("met to share", 2),
        ("  met\nto   share ", 2),
        ("Second point", 4),
        ("First point Second", 3),
        ("what works.\nFirst point", 2),
        ("The same words.", 7),
    ],
)
def test_a_passage_is_where_its_words_are(quote: str, block: int) -> None:
    assert anchor(quote).block == block


def test_of_the_same_words_in_two_places_the_nearer_is_meant() -> None:
    assert anchor("what works.").block == 2
    assert anchor("what works.", near=8).block == 8


@pytest.mark.parametrize("quote", ["", "   ", "met **to share**", "no such words", "a heading"])
def test_what_the_story_does_not_say_is_no_passage_of_it(quote: str) -> None:
    assert anchor_passage(PASSAGES, quote) is None


def test_a_passage_is_found_after_edits_elsewhere() -> None:
    place = anchor("what works.", near=8)
    body = BODY.replace("Sixty", "Seventy").replace("## A heading\n", "New.\n\nNewer.\n")
    edited = list_passages(("Other title",), body)
    found = find_passage(edited, place)
    assert found is not None
    assert edited[found] == "Last: what works."


def test_a_passage_moves_with_its_block_even_past_another_with_the_same_words() -> None:
    place = anchor("what works.")
    moved = [one for one in PASSAGES if not one.startswith("Sixty")] + [PASSAGES[2]]
    assert find_passage(moved, place) == len(moved) - 1


def test_a_passage_is_found_when_the_rest_of_its_block_has_changed() -> None:
    edited = [one.replace("Sixty teachers", "Many people") for one in PASSAGES]
    assert find_passage(edited, anchor("to share what works")) == 2


def test_a_passage_whose_words_have_changed_is_not_found() -> None:
    edited = [one.replace("to share", "to discuss") for one in PASSAGES]
    assert find_passage(edited, anchor("met to share")) is None
    assert find_passage([], anchor("met to share")) is None


@given(
    passages=st.lists(
        st.text(alphabet="ab 文", min_size=1, max_size=6).map(str.strip).filter(bool), max_size=6
    ),
    quote=st.text(alphabet="ab 文", max_size=5),
)
def test_what_is_anchored_is_found(passages: list[str], quote: str) -> None:
    clean = [" ".join(one.split()) for one in passages]
    if (place := anchor_passage(clean, quote)) is not None:
        found = find_passage(clean, place)
        assert found is not None
        assert " ".join(clean[found:]).find(place.quote) in range(len(clean[found]))
