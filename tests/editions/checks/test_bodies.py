"""A story and the letter have something to say, and not too much."""

import pytest

from editions.errors import ProblemLevel
from tests.factories.draft_edition import BODY, FIRST, Draft, place


def test_a_long_story_is_a_warning(draft: Draft) -> None:
    draft.change(FIRST, BODY, "word " * 401)
    problem = draft.problem()
    assert place(problem) == (FIRST, 14, "long-story", ProblemLevel.warning)
    assert "the story has 401 words, and few people read more than 400" in problem.message


@pytest.mark.parametrize("body", ["", "\n\n", "---", "&nbsp;", "[unused]: https://example.org"])
def test_a_story_without_words_is_an_error(draft: Draft, body: str) -> None:
    draft.change(FIRST, BODY, body)
    problem = draft.problem()
    assert place(problem) == (FIRST, 14, "empty-story", ProblemLevel.error)
    assert "the story has no text" in problem.message


def test_a_letter_without_words_is_an_error(draft: Draft) -> None:
    draft.change("edition.md", "Dear colleagues, this was our autumn.", "")
    problem = draft.problem()
    assert place(problem) == ("edition.md", 9, "empty-letter", ProblemLevel.error)
    assert "the letter has a heading but no text" in problem.message


def test_a_letter_without_a_heading_is_an_error(draft: Draft) -> None:
    front, _, letter = (draft.folder / "edition.md").read_text().partition("letter:")
    draft.write("edition.md", f"{front}---{letter.partition('---')[2]}")
    problem = draft.problem()
    assert place(problem) == ("edition.md", 10, "letter-without-heading", ProblemLevel.error)
    assert "the letter has no heading" in problem.message


def test_an_edition_needs_no_letter(draft: Draft) -> None:
    front = (draft.folder / "edition.md").read_text().partition("letter:")[0]
    draft.write("edition.md", f"{front}---\n")
    inspection = draft.inspect()
    assert inspection.problems == ()
    assert inspection.edition is not None
    assert inspection.edition.letter is None
