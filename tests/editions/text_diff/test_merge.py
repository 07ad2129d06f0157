"""Merging: what only one changed is taken, what both changed is asked, and nothing else happens."""

import pytest
from hypothesis import given

from editions.text_diff.merge import (
    MergeChoice,
    MergeKind,
    MergePart,
    UnsettledError,
    list_conflicts,
    merge_texts,
    settle_merge,
)
from tests.editions.text_diff.text_strategies import versions

BASE = "---\ntitle: Water\nsector: culture\n---\nFirst one here.\n\nSecond one here.\n\nThird one here.\n"


def settle_all(parts: tuple[MergePart, ...], choice: MergeChoice) -> str:
    return settle_merge(parts, dict.fromkeys(list_conflicts(parts), choice))


@given(versions(2))
def test_both_texts_are_in_the_parts_whole(texts: tuple[str, str, str]) -> None:
    base, mine, theirs = texts
    for parts in (merge_texts(base, mine, theirs), merge_texts(None, mine, theirs)):
        assert "".join(part.my_text for part in parts) == mine
        assert "".join(part.their_text for part in parts) == theirs


@given(versions(1))
def test_where_only_one_changed_the_text_the_outcome_is_theirs(texts: tuple[str, str]) -> None:
    base, changed = texts
    for parts in (merge_texts(base, base, changed), merge_texts(base, changed, base)):
        assert list_conflicts(parts) == []
        assert settle_merge(parts, {}) == changed


@given(versions(1))
def test_where_both_made_the_same_of_it_there_is_nothing_to_ask(texts: tuple[str, str]) -> None:
    base, changed = texts
    parts = merge_texts(base, changed, changed)
    assert list_conflicts(parts) == []
    assert settle_merge(parts, {}) == changed


@given(versions(2))
def test_every_word_of_a_choice_is_in_the_outcome(texts: tuple[str, str, str]) -> None:
    base, mine, theirs = texts
    parts = merge_texts(base, mine, theirs)
    settled = settle_all(parts, MergeChoice.both)
    for part in parts:
        taken = [block.content for block in (*part.mine, *part.theirs) if part.kind is MergeKind.conflict]
        assert all(content in settled for content in taken)


@given(versions(1))
def test_without_a_common_text_one_side_can_be_taken_whole(texts: tuple[str, str]) -> None:
    mine, theirs = texts
    parts = merge_texts(None, mine, theirs)
    assert [line for line in settle_all(parts, MergeChoice.mine).split("\n") if line.strip()] == [
        line for line in mine.split("\n") if line.strip()
    ]


def test_neighbours_that_two_people_changed_are_merged() -> None:
    mine = BASE.replace("title: Water", "title: Clean water").replace("First", "My first")
    theirs = BASE.replace("culture", "education").replace("Second", "Their second") + "\nFourth.\n"
    parts = merge_texts(BASE, mine, theirs)
    assert list_conflicts(parts) == []
    assert settle_merge(parts, {}) == (
        "---\ntitle: Clean water\nsector: education\n---\n"
        "My first one here.\n\nTheir second one here.\n\nThird one here.\n\nFourth.\n"
    )


def test_what_both_changed_is_asked_and_no_more() -> None:
    mine = BASE.replace("Second", "My second").replace("Water", "Rivers")
    theirs = BASE.replace("Second", "Their second").replace("Water", "Seas")
    parts = merge_texts(BASE, mine, theirs)
    asked = [parts[number] for number in list_conflicts(parts)]
    assert [(part.key, part.my_text, part.their_text) for part in asked] == [
        ("title", "title: Rivers\n", "title: Seas\n"),
        ("", "My second one here.\n\n", "Their second one here.\n\n"),
    ]
    with pytest.raises(UnsettledError):
        settle_merge(parts, {})
    title, body = list_conflicts(parts)
    assert settle_merge(parts, {title: MergeChoice.theirs, body: MergeChoice.both}) == (
        "---\ntitle: Seas\nsector: culture\n---\n"
        "First one here.\n\nMy second one here.\n\nTheir second one here.\n\nThird one here.\n"
    )


def test_a_paragraph_that_one_removed_and_the_other_changed_is_asked() -> None:
    parts = merge_texts("A b c.\n\nD e f.\n", "A b c.\n", "A b c.\n\nD e f g.\n")
    (number,) = list_conflicts(parts)
    assert (parts[number].my_text, parts[number].their_text) == ("", "D e f g.\n")


def test_paragraphs_from_two_sides_do_not_run_together() -> None:
    parts = merge_texts("A.", "A.\n\nMine at the end", "A.\n\nTheirs at the end")
    assert settle_all(parts, MergeChoice.both) == "A.\n\nMine at the end\n\nTheirs at the end"
    parts = merge_texts("- a\n- b\n", "- a\n- mine\n- b\n", "- a\n- b\n- theirs\n")
    assert settle_merge(parts, {}) == "- a\n- mine\n- b\n- theirs\n"
