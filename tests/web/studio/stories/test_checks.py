"""The problems of a story, each leading to its place."""

import pytest
from playwright.sync_api import Browser, expect

from editions.changes.story_text import FieldLocation
from editions.errors import Problem, ProblemLevel
from mailer.revisions.edition_file import read_edition_file
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.web.studio.stories.preview import sort_problems
from tests.web.studio.stories.conftest import FILE, LETTER_PATH, STORY_PATH, Desk

CHECKS = f"{STORY_PATH}/checks"


def list_own(desk: Desk, name: str = FILE, story: str = "youth-forum") -> list[tuple[Problem, FieldLocation]]:
    problems = PreviewCompiler(desk.studio.workspace, "2021-2").compile().problems
    return sort_problems(problems, read_edition_file(desk.draft.folder, name), story)[0]


@pytest.mark.parametrize(
    ("old", "new", "code", "field"),
    [
        ("sector: culture", "sector: cultur", "unknown-sector", "sector"),
        ("[CN, MN]", "[CN, XX]", "unknown-country", "countries"),
        ("url: https://example.org/forum", "url: example.org", "relative-link", "read_more.0.url"),
        ("alt: Young people around a table", "alt: ''", "missing-field", "picture"),
        ("title: A forum for youth", "title: ''", "missing-field", "title"),
        ("The forum met in October.", "[here](javascript:x)", "unsafe-link", "body"),
    ],
)
def test_a_problem_leads_to_its_field(desk: Desk, old: str, new: str, code: str, field: str) -> None:
    desk.draft.change(FILE, old, new)
    found = [(problem, place) for problem, place in list_own(desk) if problem.level is ProblemLevel.error]
    assert found, "no error was found"
    assert field in {place.field for _, place in found}, found


def test_a_problem_of_the_text_leads_to_its_block_and_line(desk: Desk) -> None:
    desk.draft.change(
        FILE, "The forum met in October.", "One.\n\n* a\n* b\n\nThree [here](https://example.org).\n"
    )
    (place,) = [place for _, place in list_own(desk) if place.field == "body"]
    assert (place.block, place.line) == (2, 6)


def test_a_problem_of_the_letter_leads_to_its_field(desk: Desk) -> None:
    desk.draft.change("edition.md", "  name: Shahbaz Khan\n", "")
    found = list_own(desk, "edition.md", "")
    errors = [place for problem, place in found if problem.level is ProblemLevel.error]
    assert {place.field.partition(".")[0] for place in errors} == {"letter"}


def test_its_own_problems_come_first_then_those_of_other_files(desk: Desk) -> None:
    desk.draft.change(FILE, "sector: culture", "sector: cultur")
    desk.draft.change("stories/020-museums.md", "sector: education", "sector: educatio")
    desk.draft.change("edition.md", "language: en", "language: en\nchecks:\n  long-story: It is meant to be.")
    page = desk.get(CHECKS).text
    assert page.index("cultur&#39;") < page.index("educatio&#39;")
    assert f'href="{STORY_PATH}#sector"' in page
    assert 'href="/studio/editions/2021-2/stories/museums"' in page
    assert "nothing can be sent until they are mended" in page
    assert "It is meant to be." in page
    assert "<html" not in desk.get(CHECKS, hx_request="true").text
    assert desk.get(f"{LETTER_PATH}/checks").status == 200


def test_a_problem_is_escaped(desk: Desk) -> None:
    desk.draft.change(FILE, "sector: culture", "sector: <script>alert(1)</script>")
    assert "<script>alert" not in desk.get(CHECKS).text


def test_without_problems_it_says_so(desk: Desk) -> None:
    (desk.draft.folder / "stories/020-museums.md").unlink()
    page = desk.get(CHECKS).text
    assert "No problems" in page


def test_a_click_leads_to_the_place_in_the_editor(desk: Desk, browser: Browser) -> None:
    desk.draft.change(FILE, "sector: culture", "sector: cultur")
    desk.draft.change(FILE, "The forum met in October.", "One.\n\nTwo [here](javascript:x).\n\nThree.")
    with desk.studio.browse(browser, desk.member) as page:
        page.goto(desk.studio.url.removesuffix("/studio") + STORY_PATH)
        page.locator('#checks a[data-field="sector"]').click(timeout=20_000)
        expect(page.locator("#sector")).to_be_focused()
        page.locator('#checks a[data-field="body"]').first.click()
        expect(page.locator("story-editor [role=textbox]")).to_be_focused()
        assert "here" in page.evaluate("getSelection().toString()")
        page.goto(desk.studio.url.removesuffix("/studio") + f"{STORY_PATH}?as=markdown")
        page.locator('#checks a[data-field="body"]').first.click(timeout=20_000)
        expect(page.locator("#body")).to_be_focused()
        selected = page.evaluate(
            "document.getElementById('body').value.slice(document.getElementById('body').selectionStart, "
            "document.getElementById('body').selectionEnd)"
        )
        assert selected == "Two [here](javascript:x)."
        page.goto(desk.studio.url.removesuffix("/studio") + f"{STORY_PATH}#sector")
        page.reload()
        expect(page.locator("#sector")).to_be_focused()
