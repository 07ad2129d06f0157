"""Alt texts: a description, said once, and short enough to listen to."""

import pytest

from editions.errors import ProblemLevel
from tests.factories.draft_edition import FIRST, Draft, place


@pytest.mark.parametrize("alt", ["forum.jpg", "Forum", "IMG_0042", "picture 7", "some-photo.jpeg"])
def test_an_alt_text_is_not_a_file_name(draft: Draft, alt: str) -> None:
    draft.change(FIRST, "Young people around a table", alt)
    problem = draft.problem()
    assert place(problem) == (FIRST, 7, "alt-is-file-name", ProblemLevel.error)
    assert f"the alt text {alt!r} is a file name, which screen readers would read out" in problem.message


def test_an_alt_text_is_not_the_caption_again(draft: Draft) -> None:
    draft.change(FIRST, "alt: Young people around a table", "alt: the forum in Xi’an")
    problem = draft.problem()
    assert place(problem) == (FIRST, 7, "alt-repeats-caption", ProblemLevel.error)
    assert "would hear it twice. Describe what the picture shows" in problem.message


def test_a_long_alt_text_is_a_warning(draft: Draft) -> None:
    draft.change(FIRST, "Young people around a table", "Young people " * 10)
    problem = draft.problem()
    assert place(problem) == (FIRST, 7, "long-alt", ProblemLevel.warning)
    assert "the alt text has 129 characters" in problem.message


def test_the_portrait_is_held_to_the_same_rules(draft: Draft) -> None:
    draft.add_image("khan.jpg", 400, 400)
    draft.change("edition.md", "  name: ", "  portrait: {file: khan.jpg, alt: khan.jpg}\n  name: ")
    assert place(draft.problem()) == ("edition.md", 11, "alt-is-file-name", ProblemLevel.error)
