"""Two versions of a text, compared: exactly, readably, and in bounded time."""

import pytest
from hypothesis import given

from editions.text_diff.comparison import BlockChangeKind, compare_texts, count_changed_words, list_words
from editions.text_diff.words import WordChangeKind, compare_words, split_words
from tests.editions.text_diff.text_strategies import TEXTS, versions

OLD = "---\ntitle: Water\nnumber: 3\n---\nThe river is clean.\n\nIt was dirty before.\n\n- one\n- two\n"


def show(old: str, new: str) -> str:
    """The words of a comparison, deleted ones in [-…-] and added ones in {+…+}."""
    marks = {WordChangeKind.same: "{}", WordChangeKind.added: "{{+{}+}}", WordChangeKind.deleted: "[-{}-]"}
    words = (word for change in compare_texts(old, new) for word in list_words(change))
    return "".join(marks[word.kind].format(word.text) for word in words)


@given(versions(1))
def test_applying_the_changes_gives_the_new_text(texts: tuple[str, str]) -> None:
    old, new = texts
    changes = compare_texts(old, new)
    assert "".join(change.old for change in changes) == old
    assert "".join(change.new for change in changes) == new
    for change in changes:
        words = [word for word in change.words if change.kind is BlockChangeKind.changed]
        if words:
            assert "".join(one.text for one in words if one.kind is not WordChangeKind.added) == change.old
            assert "".join(one.text for one in words if one.kind is not WordChangeKind.deleted) == change.new


@given(TEXTS)
def test_a_text_is_the_same_as_itself(text: str) -> None:
    assert {change.kind for change in compare_texts(text, text)} <= {BlockChangeKind.same}


@given(TEXTS)
def test_words_joined_are_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text


def test_only_the_words_that_changed_are_marked() -> None:
    new = (
        OLD.replace("is clean", "runs clear")
        .replace("number: 3", "number: 4")
        .replace("- two\n", "- two\n- six\n")
    )
    assert show(OLD, new) == (
        "---\ntitle: Water\nnumber: [-3-]{+4+}\n---\n"
        "The river [-is clean-]{+runs clear+}.\n\nIt was dirty before.\n\n- one\n- two\n{+- six\n+}"
    )


def test_a_paragraph_that_was_rewritten_is_another_one() -> None:
    changes = compare_texts("One thing.\n\nThe end.\n", "Something else entirely, at length.\n\nThe end.\n")
    assert [change.kind for change in changes] == [
        BlockChangeKind.removed,
        BlockChangeKind.added,
        BlockChangeKind.same,
    ]


def test_chinese_and_japanese_are_compared_by_characters_and_korean_by_words() -> None:
    assert show("北京的水很清。", "北京的河水很清。") == "北京的{+河+}水很清。"
    assert show("東京の水", "東京の海") == "東京の[-水-]{+海+}"
    assert show("서울의 강물은 맑다", "서울의 바닷물은 맑다") == "서울의 [-강물은-]{+바닷물은+} 맑다"


def test_space_around_a_block_is_no_change() -> None:
    changes = compare_texts("One.\n\n\n\nTwo.", "One.\n\nTwo.\n")
    assert {change.kind for change in changes} == {BlockChangeKind.same}


def test_words_are_counted_by_what_was_added_and_removed() -> None:
    assert count_changed_words("One two three.\n", "One 2 three four. 水很清\n") == (5, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a " * 100_000, "b " + "a " * 99_000 + "b"),
        ("a b " * 50_000, "b a " * 50_000),
        ("x\n\n" * 60_000, "y\n\n" + "x\n\ny\n\n" * 30_000),
        (" ".join(map(str, range(40_000))), " ".join(map(str, reversed(range(40_000))))),
        ("水" * 66_000, "水火" * 33_000),
        ("- a b c d e f g h\n" * 10_000, "- h g f e d c b a\n" * 9_999),
        ("para one two " * 7_000 + "\n\n" + "z", "para two one " * 7_000 + "\n\n" + "q"),
    ],
)
def test_even_a_hostile_text_of_200_kb_is_compared(old: str, new: str) -> None:
    # Without a bound on the cells that are compared, each of these takes minutes to hours.
    changes = compare_texts(old, new)
    assert "".join(change.new for change in changes) == new


def test_compared_words_come_deleted_first() -> None:
    changes = compare_words("a quick brown fox", "a slow red fox")
    assert [(change.kind.value, change.text) for change in changes] == [
        ("same", "a "),
        ("deleted", "quick brown"),
        ("added", "slow red"),
        ("same", " fox"),
    ]
