"""Saving as one writes, in a real browser: with a slow server, two tabs, a session that ends, a server that
is away, input methods, and without a mouse."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlmodel import Session

from mailer.database.team_models import SignInMethod
from mailer.revisions.unsaved_texts import list_unsaved
from mailer.team.sessions import end_all_sessions, open_team_session
from mailer.web.dependencies import utc_now
from tests.factories.draft_edition import STORY
from tests.servers.process import wait_until
from tests.web.studio.conftest import Studio, serve_studio
from tests.web.studio.stories.conftest import STORY_PATH, Desk, make_workspace
from tests.web.studio.stories.valve import Valve

_PATIENCE = 30_000


@pytest.fixture(scope="module")
def valve() -> Valve:
    return Valve()


@pytest.fixture(scope="module")
def shared_studio(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, valve: Valve
) -> Iterator[Studio]:
    workspace = make_workspace(tmp_path_factory.mktemp("studio"), sqlite_template)
    with serve_studio(workspace, valve.wrap) as studio:
        yield studio


@pytest.fixture
def context(desk: Desk, browser: Browser, valve: Valve) -> Iterator[BrowserContext]:
    valve.reset()
    with desk.studio.open_context(browser, desk.member) as context:
        yield context
    valve.reset()


@pytest.fixture
def page(context: BrowserContext, desk: Desk) -> Page:
    return open_story(context, desk)


def open_story(context: BrowserContext, desk: Desk, query: str = "") -> Page:
    page = context.new_page()
    page.goto(desk.studio.url.removesuffix("/studio") + STORY_PATH + query)
    expect(page.locator("story-editor [role=textbox], #body.mono").first).to_be_visible()
    return page


def type_at_end(page: Page, words: str) -> None:
    surface = page.locator("story-editor [role=textbox]")
    surface.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(words)


def await_saved(page: Page) -> None:
    expect(page.locator("#saving")).to_contain_text("Saved at", timeout=_PATIENCE)


def await_file(page: Page, desk: Desk, text: str) -> None:
    """Wait until the file says ``text``; on a slow machine it is saved several times while one types."""
    wait_until(lambda: desk.read() == text, what=f"{text[-40:]!r} in the file", seconds=30)
    expect(page.locator("#saving")).to_contain_text("Saved at", timeout=_PATIENCE)


def list_kept(page: Page) -> list[str]:
    found = page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('studio:'))")
    assert isinstance(found, list)
    return found


def test_what_is_written_is_saved_by_itself(page: Page, desk: Desk) -> None:
    expect(page.locator("#saving")).to_have_text("")
    type_at_end(page, " It rained.")
    expect(page.locator("#saving")).to_have_text("Not saved yet")
    await_file(page, desk, STORY.replace("October.", "October. It rained."))
    assert list_kept(page) == []
    page.get_by_label("Title").fill("Rain")
    expect(page.locator("#saving")).to_have_text("Not saved yet")
    await_saved(page)
    assert "title: Rain\n" in desk.read()


def test_one_request_is_under_way_and_the_last_word_is_saved(page: Page, desk: Desk, valve: Valve) -> None:
    valve.is_shut = True
    type_at_end(page, " One.")
    valve.await_saves(1)
    type_at_end(page, " Two.")
    page.keyboard.press("Control+s")
    type_at_end(page, " Three.")
    assert valve.saves == 1
    assert desk.read() == STORY
    valve.is_shut = False
    expect(page.locator("#saving")).to_contain_text("Saved", timeout=_PATIENCE)
    valve.await_saves(2)
    await_file(page, desk, STORY.replace("October.", "October. One. Two. Three."))
    assert valve.most == 1


def test_two_tabs_do_not_write_over_each_other(context: BrowserContext, desk: Desk) -> None:
    first, second = open_story(context, desk), open_story(context, desk)
    type_at_end(first, " First.")
    await_saved(first)
    type_at_end(second, " Second.")
    expect(second.locator("#conflict")).to_be_visible(timeout=_PATIENCE)
    expect(second.locator("#conflict")).to_contain_text("by somebody else or in another tab")
    address = second.locator("#conflict a").get_attribute("href") or ""
    assert address.startswith("/studio/editions/2021-2/conflicts/")
    assert desk.read() == STORY.replace("October.", "October. First.")
    expect(second.locator("story-editor [role=textbox]")).to_contain_text("October. Second.")
    wait_until(lambda: "October. Second." in read_kept(desk), what="the whole text to be kept")
    conflict = context.new_page()
    conflict.goto(desk.studio.url.removesuffix("/studio") + address)
    expect(conflict.locator("main")).to_contain_text("Second.")


def read_kept(desk: Desk) -> str:
    with Session(desk.studio.engine) as session:
        return list_unsaved(session, "2021-2")[-1][0].mine


def test_a_session_that_ended_keeps_the_text_and_goes_on(
    page: Page, context: BrowserContext, desk: Desk
) -> None:
    with Session(desk.studio.engine) as session:
        end_all_sessions(session, desk.member.id)
        session.commit()
    type_at_end(page, " Late.")
    notice = page.locator("#signed-out")
    expect(notice).to_be_visible(timeout=_PATIENCE)
    assert notice.locator("a").get_attribute("target") == "_blank"
    expect(page.locator("#saving")).to_have_text("Not saved yet", timeout=_PATIENCE)
    # `wait_for_function` evaluates its words in the page, where the policy forbids it.
    wait_until(lambda: list_kept(page) != [], what="the text to be kept in the browser")
    assert desk.read() == STORY
    with Session(desk.studio.engine) as session:
        secret = open_team_session(
            session, desk.member.id, SignInMethod.link, browser="The same", now=utc_now()
        )
        session.commit()
    context.add_cookies([{"name": "studio", "value": secret, "domain": "localhost", "path": "/"}])
    page.evaluate("dispatchEvent(new Event('focus'))")
    await_file(page, desk, STORY.replace("October.", "October. Late."))
    expect(notice).to_be_hidden()


@pytest.mark.parametrize("way", ["offline", "fault"])
def test_what_could_not_be_saved_is_offered_again(
    context: BrowserContext, desk: Desk, valve: Valve, way: str
) -> None:
    page = open_story(context, desk)
    if way == "offline":
        context.set_offline(True)
    else:
        valve.status = 500
    type_at_end(page, " Kept.")
    words = "cannot be reached" if way == "offline" else "the server has a fault"
    expect(page.locator("#saving")).to_contain_text(words, timeout=_PATIENCE)
    page.close()
    context.set_offline(False)
    valve.reset()
    assert desk.read() == STORY
    again = open_story(context, desk)
    expect(again.locator("#found")).to_contain_text("This browser has a text from")
    again.get_by_role("button", name="Put it into the page").click()
    await_file(again, desk, STORY.replace("October.", "October. Kept."))
    assert list_kept(again) == []
    assert open_story(context, desk).locator("#found").is_hidden()


def test_a_text_of_this_browser_can_be_deleted(context: BrowserContext, desk: Desk, valve: Valve) -> None:
    page = open_story(context, desk, "?as=markdown")
    valve.status = 500
    page.locator("#body").fill("Typed as Markdown.\n")
    expect(page.locator("#saving")).to_contain_text("fault", timeout=_PATIENCE)
    page.close()
    valve.reset()
    again = open_story(context, desk)
    again.get_by_role("button", name="Put it into the page").click()
    # What was typed as Markdown comes back as Markdown.
    again.wait_for_url("**?as=markdown")
    again.get_by_role("button", name="Delete it").click()
    expect(again.locator("#found")).to_be_hidden()
    assert list_kept(again) == []
    assert desk.read() == STORY


def test_the_server_that_comes_back_gets_the_text(page: Page, desk: Desk, valve: Valve) -> None:
    page.clock.install()
    valve.status = 503
    type_at_end(page, " Again.")
    page.clock.run_for(1100)
    expect(page.locator("#saving")).to_contain_text("the server has a fault", timeout=_PATIENCE)
    valve.reset()
    page.clock.run_for(5100)
    await_file(page, desk, STORY.replace("October.", "October. Again."))


def test_leaving_is_only_asked_about_with_something_unsaved(page: Page, valve: Valve) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert asked == []
    valve.is_shut = True
    type_at_end(page, " x")
    page.reload()
    assert asked == ["beforeunload"]
    valve.is_shut = False


def test_a_composition_is_never_saved_half_done(
    page: Page, context: BrowserContext, desk: Desk, valve: Valve
) -> None:
    page.clock.install()
    type_at_end(page, " ")
    devtools = context.new_cdp_session(page)
    for typed in ("n", "ni", "ni h", "ni hao"):
        devtools.send(
            "Input.imeSetComposition",
            {"text": typed, "selectionStart": len(typed), "selectionEnd": len(typed)},
        )
        page.clock.run_for(3000)
    assert valve.saves == 0
    assert desk.read() == STORY
    devtools.send("Input.insertText", {"text": "你好"})
    page.clock.run_for(3000)
    await_file(page, desk, STORY.replace("October.", "October. 你好"))


def test_a_title_in_composition_waits_too(
    page: Page, context: BrowserContext, desk: Desk, valve: Valve
) -> None:
    page.clock.install()
    page.get_by_label("Title").fill("")
    devtools = context.new_cdp_session(page)
    devtools.send("Input.imeSetComposition", {"text": "qing", "selectionStart": 4, "selectionEnd": 4})
    page.clock.run_for(3000)
    assert valve.saves == 0
    devtools.send("Input.insertText", {"text": "青年"})
    page.clock.run_for(3000)
    await_saved(page)
    assert "title: 青年\n" in desk.read()


def test_it_can_all_be_done_by_keyboard(page: Page, desk: Desk, valve: Valve) -> None:
    type_at_end(page, " Now.")
    page.keyboard.press("Control+s")
    await_file(page, desk, STORY.replace("October.", "October. Now."))
    page.keyboard.press("F6")
    expect(page.locator("#preview")).to_be_focused()
    page.keyboard.press("F6")
    expect(page.locator("story-editor [role=textbox]")).to_be_focused()


def test_links_can_be_added_one_after_the_other(page: Page, desk: Desk) -> None:
    for number, what in ((1, "the report"), (2, "the film")):
        page.locator(f'[name="read_more.{number}.what"]').fill(what)
        page.locator(f'[name="read_more.{number}.url"]').fill(f"https://example.org/{number}")
    expect(page.locator("[data-row]")).to_have_count(4)
    page.keyboard.press("Control+s")
    await_saved(page)
    assert desk.read().count("  - what:") == 3
    assert "https://example.org/2" in desk.read()


def test_a_text_that_markdown_cannot_say_stays_with_the_reason_beside_it(page: Page, desk: Desk) -> None:
    document = {
        "type": "doc",
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": "word " * 42_000 + "end"}]}],
    }
    page.evaluate("(json) => { document.querySelector('story-editor').value = json; }", json.dumps(document))
    expect(page.locator("#body-error")).to_contain_text("Markdown cannot", timeout=_PATIENCE)
    expect(page.locator("story-editor [role=textbox]")).to_contain_text("word word")
    assert len(list_kept(page)) == 1
    assert desk.read() == STORY


def test_without_script_it_is_a_form(desk: Desk, browser: Browser) -> None:
    with desk.studio.browse(browser, desk.member, java_script_enabled=False) as page:
        page.goto(desk.studio.url.removesuffix("/studio") + STORY_PATH)
        page.locator("#body").fill("Without script.")
        page.get_by_label("Kind").select_option("feature")
        page.locator("#everyone").check()
        page.get_by_role("button", name="Save", exact=True).first.click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        assert desk.read().endswith("---\n\nWithout script.\n")
        assert "kind: feature\n" in desk.read()
        # Without script, text is Markdown.
        expect(page.locator("#body.mono")).to_have_value("Without script.\n")
        expect(page.frame_locator("#frame").get_by_text("Without script.")).to_be_visible()
