"""A team's first newsletter in Studio, from an empty workspace to a translated edition, in a real browser;
and all of it again without JavaScript."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from editions.errors import ProblemLevel
from editions.reader import inspect_edition, read_edition
from mailer.workspace import Workspace
from tests.acceptance.studio_desk import Desk, add_story, begin_edition, make_the_first_account, opened_desk
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.sign_in.visitor import await_mails, find_link, with_maildir

STORIES = (
    ("Teachers meet in Ulaanbaatar", "Education", "Forty teachers met for three days."),
    ("A forest is counted", "Natural Sciences", "Rangers counted every tree."),
    ("Masks on tour", "Culture", "The masks travel to four cities."),
    ("Young voices", "Education", "Young people spoke about their schools."),
    ("Old maps, new paper", "Culture", "A library restores its maps."),
)
WORD_HTML = (
    "<html xmlns:o='urn:schemas-microsoft-com:office:office'><body><!--StartFragment-->"
    "<p class=MsoListParagraph style='mso-list:l0 level1 lfo1'><span style='mso-list:Ignore'>·<span>&nbsp;"
    "</span></span>A <b>first</b> thing<o:p></o:p></p><p class=MsoListParagraph style='mso-list:l0 level1 "
    "lfo1'><span style='mso-list:Ignore'>·<span>&nbsp;</span></span>A second<o:p></o:p></p>"
    "<!--EndFragment--></body></html>"
)


@pytest.fixture
def studio(workspace: Workspace) -> Iterator[Studio]:
    with serve_studio(with_maildir(workspace)) as studio:
        yield studio


OpenDesk = Callable[[], contextlib.AbstractContextManager[Desk]]


@pytest.fixture(params=[True, False], ids=["with-scripts", "without-scripts"])
def open_desk(request: pytest.FixtureRequest, browser: Browser, studio: Studio) -> OpenDesk:
    return functools.partial(opened_desk, browser, studio, scripts=request.param)


def test_a_team_writes_its_first_newsletter(studio: Studio, open_desk: OpenDesk, tmp_path: Path) -> None:
    with open_desk() as manager, open_desk() as author:
        make_the_first_account(manager)
        join_by_invitation(manager, author)
        begin_edition(
            author,
            "Five stories from our office",
            "Teachers, trees, masks, young voices and old maps: what we did.",
        )
        for title, sector, text in STORIES:
            add_story(author, title, sector, text)
        if author.scripts:
            paste_from_word(author)
        for slug in ("teachers-meet-in-ulaanbaatar", "masks-on-tour"):
            add_picture(author, slug, tmp_path)
        reorder(author)
        translate(author, "teachers-meet-in-ulaanbaatar", "教师在乌兰巴托相聚", "四十位教师相聚三天。")
        translate(author, "masks-on-tour", "面具巡展", "面具前往四座城市。")
        comment_and_resolve(manager, author)
        fix_what_the_checks_find(author)
        restore_an_older_text(author)
    check_what_is_on_disk(studio, with_list=author.scripts)


def join_by_invitation(manager: Desk, author: Desk) -> None:
    manager.follow("Team")
    manager.follow("Invite a person")
    manager.page.get_by_label("Their email address").fill("ann@example.org")
    manager.page.get_by_label("Their name").fill("Ann Author")
    manager.press("Invite this person")
    (mail,) = await_mails(manager.studio.workspace, 1)
    author.open(find_link(mail))
    author.press("Sign in")
    expect(author.page.locator(".self")).to_contain_text("Ann Author")


def paste_from_word(author: Desk) -> None:
    author.open("/editions/2026-1/stories/young-voices")
    author.body.click()
    author.page.keyboard.press("Control+End")
    author.page.keyboard.press("Enter")
    author.body.evaluate(
        """(place, html) => {
            const data = new DataTransfer();
            data.setData("text/html", html);
            const options = {clipboardData: data, bubbles: true, cancelable: true};
            place.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        WORD_HTML,
    )
    expect(author.body.locator("li")).to_have_count(2)
    author.save()


def add_picture(author: Desk, slug: str, folder: Path) -> None:
    path = folder / f"{slug}.png"
    Image.new("RGB", (1300, 900), "teal").save(path)
    author.open(f"/editions/2026-1/stories/{slug}/picture")
    author.page.get_by_label("A picture from this computer").set_input_files(path)
    if not author.scripts:
        author.press("Upload the picture")
    author.page.get_by_label("Description").fill("A sheet of teal paper")
    author.page.get_by_label("Nobody can be recognised").check()
    author.page.get_by_label("AI had no part in it").check()
    author.press("Use this picture")
    expect(author.page.get_by_role("status").first).to_contain_text("The picture is saved.")


def reorder(author: Desk) -> None:
    """Young voices come before the teachers: by the keyboard, or by the button."""
    author.open("/editions/2026-1")
    card = author.page.locator("#story-young-voices")
    if author.scripts:
        card.get_by_role("link").first.focus()
        author.page.keyboard.press("Alt+Shift+ArrowUp")
    else:
        card.get_by_role("button", name="Up").click()
    expect(author.page.locator("#moved")).to_contain_text("is now number 1 of 2")


def translate(author: Desk, slug: str, title: str, text: str) -> None:
    author.open(f"/editions/2026-1/stories/{slug}/translations/zh-Hans")
    author.page.locator("#title").fill(title)
    if author.scripts:
        author.body.click()
        author.page.keyboard.press("Control+a")
        compose(author.page, text)
    else:
        author.body.fill(text)
    author.save()


def compose(page: Page, text: str) -> None:
    """Type as an input method does: what is composed changes until it is committed."""
    devtools = page.context.new_cdp_session(page)
    for step in ("si shi", text[:2]):
        devtools.send(
            "Input.imeSetComposition", {"text": step, "selectionStart": len(step), "selectionEnd": len(step)}
        )
    devtools.send("Input.insertText", {"text": text})


def comment_and_resolve(manager: Desk, author: Desk) -> None:
    path = "/editions/2026-1/stories/masks-on-tour/comments"
    manager.open(path)
    manager.page.locator("#new-text").fill("Which cities? @Ann Author")
    manager.press("Comment on this story")
    expect(manager.page.locator(".thread")).to_contain_text("Which cities?")
    author.open("/")
    expect(author.page.locator("main")).to_contain_text("Which cities?")
    author.open(path)
    author.page.get_by_text("Reply", exact=True).first.click()
    author.page.get_by_label("Your reply").first.fill("The four are in the text.")
    author.press("Send reply")
    expect(author.page.locator(".thread")).to_contain_text("The four are in the text.")
    author.press("Resolve")
    expect(author.page.locator("#comments")).to_contain_text("One resolved comment")


def fix_what_the_checks_find(author: Desk) -> None:
    path = "/editions/2026-1/stories/a-forest-is-counted"
    author.open(f"{path}?as=markdown")
    author.page.locator("#body").fill("# Too high\n\nRangers counted every tree.")
    author.save()
    author.open(f"{path}/checks")
    expect(author.page.get_by_text("Error").first).to_be_visible()
    author.open(f"{path}?as=markdown")
    author.page.locator("#body").fill("## By hand\n\nRangers counted every tree.")
    author.save()
    author.open(f"{path}/checks")
    expect(author.page.get_by_text("No problems in this text")).to_be_visible()


def restore_an_older_text(author: Desk) -> None:
    path = "/editions/2026-1/stories/old-maps-new-paper"
    author.open(path)
    author.page.get_by_label("Title").first.fill("Spoilt")
    author.save()
    author.open(f"{path}/history")
    author.page.get_by_role("link", name="See what changed").nth(1).click()
    author.press("Restore this text")
    author.open(path)


def check_what_is_on_disk(studio: Studio, *, with_list: bool) -> None:
    folder = studio.workspace.editions / "2026-1"
    sectors = studio.workspace.settings.sectors
    problems = inspect_edition(folder, sectors=sectors).problems
    assert [problem for problem in problems if problem.level is ProblemLevel.error] == []
    edition = read_edition(folder, sectors=sectors)
    slugs = [story.slug for story in edition.stories]
    assert slugs.index("young-voices") < slugs.index("teachers-meet-in-ulaanbaatar")
    assert len(slugs) == 5
    texts = {story.slug: (folder / story.source).read_text("utf-8") for story in edition.stories}
    for _, _, text in STORIES:
        assert any(text in written for written in texts.values())
    assert "## By hand" in texts["a-forest-is-counted"]
    assert "title: Old maps, new paper" in texts["old-maps-new-paper"].replace('"', "")
    assert ("- A **first** thing\n- A second" in texts["young-voices"]) is with_list
    translated = (folder / "stories").glob("*.zh-Hans.md")
    assert {path.name.split("-", 1)[1] for path in translated} == {
        "teachers-meet-in-ulaanbaatar.zh-Hans.md",
        "masks-on-tour.zh-Hans.md",
    }
    assert any(
        "四十位教师相聚三天。" in path.read_text("utf-8") for path in (folder / "stories").glob("*zh*")
    )
    assert sum(story.image is not None for story in edition.stories) == 2
