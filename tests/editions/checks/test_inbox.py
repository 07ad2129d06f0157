"""The subject and the preheader, as an inbox shows them."""

import pytest

from editions.errors import ProblemLevel
from tests.factories.draft_edition import Draft, place


def test_a_long_subject_is_a_warning(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", "What we did " * 6)
    problem = draft.problem()
    assert place(problem) == ("edition.md", 7, "long-subject", ProblemLevel.warning)
    assert "the subject has 71 characters, and inboxes will cut it off. Keep it to 70" in problem.message


def test_chinese_characters_count_for_two(draft: Draft) -> None:
    draft.translate()
    draft.change("edition.zh.md", "今年秋天我们做了什么", "今年秋天我们做了什么" * 4)
    assert place(draft.problem()) == ("edition.zh.md", 3, "long-subject", ProblemLevel.warning)


def test_a_subject_in_capitals_is_a_warning(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", "NEWS FROM BEIJING")
    problem = draft.problem()
    assert place(problem) == ("edition.md", 7, "shouting-subject", ProblemLevel.warning)
    assert "all in capitals" in problem.message


def test_an_abbreviation_is_not_shouting(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", "UNESCO")
    assert draft.problems() == ()


@pytest.mark.parametrize(("preheader", "columns"), [("Forums.", 7), ("Forums, workshops, " * 7, 132)])
def test_a_preheader_of_the_wrong_length_is_a_warning(draft: Draft, preheader: str, columns: int) -> None:
    draft.change(
        "edition.md",
        "preheader: Forums, workshops and four campaigns, from September to December.",
        f"preheader: '{preheader}'",
    )
    problem = draft.problem()
    assert place(problem) == ("edition.md", 8, "preheader-length", ProblemLevel.warning)
    assert f"the preheader has {columns} characters" in problem.message


def test_a_preheader_that_repeats_the_subject_is_a_warning(draft: Draft) -> None:
    draft.change(
        "edition.md",
        "What we did this autumn",
        "forums, workshops and four campaigns, from September to December",
    )
    problem = draft.problem()
    assert place(problem) == ("edition.md", 8, "preheader-repeats-subject", ProblemLevel.warning)
    assert "show the two side by side" in problem.message


@pytest.mark.parametrize(
    "subject", ["What we did!!", "这就是我们！！", "100% guaranteed results", "Act now, partners"]
)
def test_a_subject_that_sounds_like_an_advertisement_is_a_warning(draft: Draft, subject: str) -> None:
    draft.change("edition.md", "What we did this autumn", subject)
    assert place(draft.problem()) == ("edition.md", 7, "loud-subject", ProblemLevel.warning)
