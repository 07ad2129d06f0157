"""The sign of a merge tag, wherever it may hide."""

import pytest

from editions.errors import ProblemLevel
from tests.factories.draft_edition import BODY, FIRST, Draft, place


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (BODY, "Write to @@name@@.", 15),
        (BODY, "Write to &#64;@name.", 14),
        (BODY, "Write to \\@\\@name.", 14),
        ("title: A forum for youth", "title: A @@ forum", 2),
        ("title: A forum for youth", 'title: "A \\x40@ forum"', 1),
        ("https://example.org/forum", "https://example.org/@@forum", 12),
    ],
)
def test_two_at_signs_are_an_error_wherever_they_stand(draft: Draft, old: str, new: str, line: int) -> None:
    draft.change(FIRST, old, new)
    problem = draft.problem()
    assert place(problem) == (FIRST, line, "reserved-sign", ProblemLevel.error)
    assert "@@ marks a place that is filled in for each reader" in problem.message


def test_two_at_signs_in_an_introduction_are_an_error(draft: Draft) -> None:
    draft.change("edition.md", "letter:", "introductions: {culture: '&#64;@'}\nletter:")
    assert place(draft.problem()) == ("edition.md", 9, "reserved-sign", ProblemLevel.error)


def test_one_at_sign_is_fine(draft: Draft) -> None:
    draft.change(FIRST, BODY, "Write to <office@example.org> or follow @unesco.")
    assert draft.problems() == ()
