"""Checks that an edition switches off, each with a reason."""

from editions.errors import ProblemLevel
from tests.factories.draft_edition import BODY, FIRST, Draft, place


def test_a_check_that_is_switched_off_finds_nothing_and_its_reason_stays(draft: Draft) -> None:
    draft.change(FIRST, BODY, "word " * 401)
    draft.change("edition.md", "letter:\n", "checks:\n  long-story: the minister’s words, in full\nletter:\n")
    inspection = draft.inspect()
    assert inspection.problems == ()
    (off,) = inspection.disabled_results
    assert (off.code, off.reason, len(off.problems)) == ("long-story", "the minister’s words, in full", 1)
    assert inspection.edition is not None
    assert dict(inspection.edition.checks) == {"long-story": "the minister’s words, in full"}


def test_what_makes_an_edition_unusable_cannot_be_switched_off(draft: Draft) -> None:
    draft.change(FIRST, "[CN, MN]", "[CN, XX]")
    draft.change("edition.md", "letter:\n", "checks: {unknown-country: it is ours}\nletter:\n")
    assert draft.problem().code == "unknown-country"


def test_a_check_without_a_reason_stays_on(draft: Draft) -> None:
    draft.change("edition.md", "letter:\n", "checks:\n  long-story:\nletter:\n")
    assert place(draft.problem()) == ("edition.md", 10, "check-without-reason", ProblemLevel.error)
