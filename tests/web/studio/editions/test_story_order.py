"""Moving, adding and removing stories on the page of an edition."""

import json
import re

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import Session, select

from mailer.database.edition_models import EditionRevision, RevisionFile, RevisionText
from mailer.database.team_models import Role
from mailer.workspace import Workspace
from tests.factories.draft_edition import Draft
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.editions.studio_client import StudioClient, list_files, write_story


def list_stories(draft: Draft) -> list[str]:
    return [name.removeprefix("stories/") for name in list_files(draft.folder) if name.startswith("stories/")]


def list_cards(page: str) -> list[str]:
    return re.findall(r'id="story-([^"]+)"', page)


def list_history(studio: Studio) -> list[tuple[str, list[str]]]:
    """The kinds of the entries of the history, each with the names of its files."""
    with Session(studio.engine) as session:
        entries = session.exec(select(EditionRevision)).all()
        files = session.exec(select(RevisionFile)).all()
        return [
            (entry.kind.value, [file.name for file in files if file.revision_id == entry.id])
            for entry in entries
        ]


def test_stories_are_in_the_sections_in_which_readers_find_them(draft: Draft, author: StudioClient) -> None:
    write_story(draft, "050-broken.md", "[", sector="education")
    page = author.get("/editions/2026-1").text
    assert re.findall(r'<span class="square" data-sector="(\w*)"', page) == ["education", "culture", ""]
    assert list_cards(page) == ["schools", "youth-forum", "museum", "dance", "broken"]
    assert "Schools &amp; wells" in page
    assert "5 words · China, Mongolia" in page
    assert "Line 2: the front matter is not valid YAML" in page


OLD_ORDER = "010-youth-forum 020-museum 040-dance"


@pytest.mark.parametrize(
    ("story", "to", "before", "files", "sentence"),
    [
        ("dance", "up", "", "010-youth-forum 015-dance 020-museum", "is now number 2 of 3 in “Culture”."),
        ("youth-forum", "down", "", "020-museum 025-youth-forum 040-dance", "is now number 2 of 3"),
        ("dance", "place", "youth-forum", "005-dance 010-youth-forum 020-museum", "is now number 1 of 3"),
        ("youth-forum", "place", "", "020-museum 040-dance 050-youth-forum", "is now number 3 of 3"),
        ("dance", "down", "", OLD_ORDER, "is now number 3 of 3"),
        ("dance", "place", "schools", OLD_ORDER, ""),
        ("dance", "sideways", "", OLD_ORDER, ""),
    ],
)
def test_a_story_moves_within_its_section_and_takes_its_translations_along(
    draft: Draft, author: StudioClient, story: str, to: str, before: str, files: str, sentence: str
) -> None:
    answer = author.post(f"/editions/2026-1/stories/{story}/move", {"to": to, "before": before})
    assert answer.status == 303
    assert answer.headers["location"] == f"/studio/editions/2026-1?moved={story}#story-{story}"
    shown = author.get(answer.headers["location"].removeprefix("/studio").partition("#")[0]).text
    assert sentence in shown
    names = [name.removesuffix(".md") for name in list_stories(draft)]
    assert [name for name in names if "schools" not in name and ".zh" not in name] == files.split()
    assert "020-museum.zh" in names


def test_a_move_renumbers_where_no_number_is_free_and_is_in_the_history(
    studio: Studio, draft: Draft, author: StudioClient
) -> None:
    (draft.folder / "stories/040-dance.md").rename(draft.folder / "stories/011-dance.md")
    author.post("/editions/2026-1/stories/museum/move", {"to": "up"})
    shown = author.get("/editions/2026-1").text
    assert list_cards(shown) == ["schools", "youth-forum", "museum", "dance"]
    assert list_stories(draft) == [
        "010-youth-forum.md",
        "020-museum.md",
        "020-museum.zh.md",
        "030-dance.md",
        "050-schools.md",
    ]
    kind, names = list_history(studio)[-1]
    assert kind == "moved"
    assert any("museum.zh" in name for name in names)


def test_a_move_that_cannot_be_made_says_why_on_the_same_page(draft: Draft, author: StudioClient) -> None:
    assert author.post("/editions/2026-1/stories/gone/move", {"to": "up"}).status == 422
    write_story(draft, "060-dance.md", "Twice")
    refused = author.post("/editions/2026-1/stories/museum/move", {"to": "up"})
    assert refused.status == 422
    assert "Two stories have the name dance." in refused.text
    assert author.post("/editions/none/stories/dance/move", {"to": "up"}).status == 404


def test_renames_that_a_kill_interrupted_are_finished_by_the_next_change(
    draft: Draft, author: StudioClient
) -> None:
    draft.write(
        ".moves.json",
        '[["stories/020-museum.md", "stories/050-museum.md"],'
        ' ["stories/020-museum.zh.md", "stories/050-museum.zh.md"]]',
    )
    (draft.folder / "stories/020-museum.md").rename(draft.folder / "stories/050-museum.md")
    author.post("/editions/2026-1/stories/dance/move", {"to": "up"})
    assert "050-museum.zh.md" in list_stories(draft)
    assert ".moves.json" not in list_files(draft.folder)


def test_a_new_story_comes_last_with_a_name_made_of_its_heading(
    studio: Studio, draft: Draft, author: StudioClient
) -> None:
    answer = author.post(
        "/editions/2026-1/new-story", {"title": " Уран зохиол: 2026 ", "sector": "culture", "kind": "feature"}
    )
    assert (answer.status, answer.headers["location"]) == (
        303, "/studio/editions/2026-1/stories/uran-zokhiol-2026",
    )  # fmt: skip
    text = (draft.folder / "stories/050-uran-zokhiol-2026.md").read_text(encoding="utf-8")
    assert text == '---\ntitle: "Уран зохиол: 2026"\nsector: culture\nkind: feature\n---\n\n'
    assert list_history(studio) == [("added", ["stories/050-uran-zokhiol-2026.md"])]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"title": " "}, "title", "Enter the story’s heading."),
        ({"title": "Dance"}, "slug", "There is a story with the name dance in this edition already."),
        ({"title": "x", "slug": "../x"}, "slug", "Write the name in small letters"),
        ({"title": "x", "slug": "a" * 81}, "slug", "Write the name in small letters"),
        ({"title": "<script>alert(1)</script>", "slug": "<b>"}, "slug", "Write the name in small letters"),
    ],
)
def test_a_story_that_cannot_be_added_keeps_what_was_typed(
    draft: Draft, author: StudioClient, fields: dict[str, str], field: str, words: str
) -> None:
    before = list_files(draft.folder)
    refused = author.post("/editions/2026-1/new-story", {**fields, "sector": "culture"})
    assert refused.status == 422
    assert words in refused.text
    assert f'<a href="#{field}">' in refused.text
    assert '<option value="culture" selected>' in refused.text
    assert "<script>alert" not in refused.text
    assert list_files(draft.folder) == before


def test_a_removed_story_stays_in_the_history_with_its_translations(
    studio: Studio, draft: Draft, author: StudioClient
) -> None:
    answer = author.post("/editions/2026-1/stories/museum/remove")
    assert answer.headers["location"] == "/studio/editions/2026-1?removed=museum&notice=story-removed"
    assert not any("museum" in name for name in list_files(draft.folder))
    with Session(studio.engine) as session:
        texts = session.exec(select(RevisionText.text)).all()
    assert sum("博物馆开放" in text or "A museum opens" in text for text in texts) == 2
    assert list_history(studio)[-1][0] == "removed"
    assert author.post("/editions/2026-1/stories/museum/remove").status == 404


def test_a_story_that_the_history_cannot_hold_is_not_removed(draft: Draft, author: StudioClient) -> None:
    draft.write("stories/020-museum.zh.md", b"---\ntitle: \xff\n---\n")
    refused = author.post("/editions/2026-1/stories/museum/remove")
    assert refused.status == 422
    assert "is not UTF-8" in refused.text
    assert "020-museum.md" in list_stories(draft)


def test_guests_see_everything_and_change_nothing(studio: Studio, draft: Draft) -> None:
    guest = StudioClient(studio, Role.guest)
    page = guest.get("/editions/2026-1").text
    assert list_cards(page) == ["schools", "youth-forum", "museum", "dance"]
    assert "<form" not in page.partition('id="main"')[2]
    assert "Add story" not in page
    before = list_files(draft.folder)
    for path in ("stories/dance/move", "stories/dance/remove", "new-story"):
        assert guest.post(f"/editions/2026-1/{path}", {"to": "up", "title": "x"}).status == 403
    assert list_files(draft.folder) == before


def focused(page: Page) -> str:
    return str(
        page.evaluate("document.activeElement.closest('.story')?.id ?? document.activeElement.tagName")
    )


def test_a_story_is_moved_by_keyboard_and_the_move_is_said(
    studio: Studio, draft: Draft, browser: Browser
) -> None:
    with studio.browse(browser, studio.add_member()) as page:
        page.goto(f"{studio.url}/editions/2026-1")
        page.locator("#story-dance h3 a").focus()
        page.keyboard.press("Alt+Shift+ArrowUp")
        expect(page.locator("#said")).to_have_text("“A dance is listed” is now number 2 of 3 in “Culture”.")
        assert focused(page) == "story-dance"
        page.keyboard.press("Alt+Shift+ArrowUp")
        expect(page.locator("#said")).to_contain_text("number 1 of 3")
        assert focused(page) == "story-dance"
        expect(page.locator(".story").nth(1)).to_have_id("story-dance")
        page.locator("#story-dance").get_by_role("button", name="Down").press("Enter")
        expect(page.locator("#said")).to_contain_text("number 2 of 3")
        assert page.evaluate("document.activeElement.value") == "down"
        page.locator("#story-dance summary").press("Enter")
        page.locator("#before-dance").select_option("The end of this section")
        page.locator("#story-dance").get_by_role("button", name="Move story", exact=True).press("Enter")
        expect(page.locator("#said")).to_contain_text("number 3 of 3")
        assert page.url == f"{studio.url}/editions/2026-1"
    assert list_cards_of(draft) == ["youth-forum", "museum", "dance", "schools"]


def list_cards_of(draft: Draft) -> list[str]:
    return [name[4:-3] for name in list_stories(draft) if name.count(".") == 1]


def test_a_story_is_dragged_within_its_section_only(studio: Studio, draft: Draft, browser: Browser) -> None:
    with studio.browse(browser, studio.add_member()) as page:
        page.goto(f"{studio.url}/editions/2026-1")
        page.locator("#story-dance img, #story-dance .blank").drag_to(
            page.locator("#story-youth-forum"), target_position={"x": 20, "y": 5}
        )
        expect(page.locator("#said")).to_contain_text("“A dance is listed” is now number 1 of 3")
        page.locator("#story-dance .blank").drag_to(page.locator("#story-schools"))
        expect(page.locator(".story").nth(1)).to_have_id("story-dance")
    assert list_cards_of(draft) == ["dance", "youth-forum", "museum", "schools"]


def test_an_act_that_fails_is_explained_with_script_too(
    studio: Studio, draft: Draft, browser: Browser
) -> None:
    with studio.browse(browser, studio.add_member()) as page:
        page.goto(f"{studio.url}/editions/2026-1")
        (draft.folder / "stories/040-dance.md").unlink()
        page.locator("#story-dance").get_by_role("button", name="Up").click()
        expect(page.locator("#errors")).to_contain_text("Somebody has removed that story.")


def test_everything_works_without_script(studio: Studio, draft: Draft, browser: Browser) -> None:
    with studio.browse(browser, studio.add_member(), java_script_enabled=False) as page:
        page.goto(f"{studio.url}/editions/2026-1")
        page.locator("#story-dance").get_by_role("button", name="Up").click()
        expect(page.locator("#moved")).to_contain_text("number 2 of 3")
        page.locator("#story-dance summary").click()
        page.locator("#story-dance").get_by_role("button", name="Remove story").click()
        expect(page.get_by_role("status").first).to_contain_text("The story is removed.")
        page.get_by_role("link", name="Look for problems").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Problems")
    assert list_cards_of(draft) == ["youth-forum", "museum", "schools"]


def test_renames_that_a_kill_interrupted_are_finished_when_studio_starts(workspace: Workspace) -> None:
    draft = Draft(workspace.editions / "2026-1")
    (draft.folder / "stories/010-youth-forum.md").rename(draft.folder / "stories/020-youth-forum.md")
    draft.write("stories/010-youth-forum.mn.md", "---\ntitle: х\n---\n")
    moves = [[f"stories/010-youth-forum{end}", f"stories/020-youth-forum{end}"] for end in (".md", ".mn.md")]
    draft.write(".moves.json", json.dumps(moves))
    with serve_studio(workspace):
        assert list_stories(draft) == ["020-youth-forum.md", "020-youth-forum.mn.md"]


def test_who_has_changed_an_edition_last_is_named(studio: Studio, draft: Draft, author: StudioClient) -> None:
    assert "Last changed by" not in author.get("/editions/2026-1").text
    author.post("/editions/2026-1/stories/dance/move", {"to": "up"})
    assert "Last changed by Author Member, " in author.get("/editions/2026-1").text
    assert "Author Member, " in author.get("/editions").text
