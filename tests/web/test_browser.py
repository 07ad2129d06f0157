"""The pages in a real browser: what people do there, and no errors in the browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from editions.reader import read_edition
from mailer.i18n import LANGUAGES
from mailer.rendering.edition_compiler import compile_edition
from mailer.web.access import LocalAccess
from mailer.web.app import create_app
from mailer.web.preview import create_preview_app
from mailer.workspace import Workspace
from subscribers.models import Status
from tests.factories.draft_edition import STORY, Draft
from tests.web.site import (
    add_reader,
    add_sent,
    collect_browser_errors,
    find_reader,
    opened_engine,
    served,
)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose test fails at any browser error except a refused form."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    errors = collect_browser_errors(page)
    yield page
    context.close()
    assert [error for error in errors if "status of 422" not in error] == []


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    with opened_engine(workspace) as engine:
        yield engine


@pytest.fixture
def url(workspace: Workspace) -> Iterator[str]:
    with served(create_app(workspace)) as running:
        yield running.url


@pytest.fixture
def draft(workspace: Workspace) -> Draft:
    return Draft(workspace.editions / "2021-2")


@pytest.fixture
def preview(workspace: Workspace, draft: Draft) -> Iterator[str]:
    access = LocalAccess()
    with served(create_preview_app(workspace, draft.folder.name, access=access)) as running:
        yield access.make_url(running.url)


def status_of(engine: Engine) -> Status:
    return find_reader(engine, "mei@example.org").status


def test_a_reader_unsubscribes_and_undoes_it(
    workspace: Workspace, engine: Engine, url: str, page: Page
) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org")
    page.goto(f"{url}/u/{token}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Stop these emails?")
    assert status_of(engine) is Status.active
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed.")
    assert status_of(engine) is Status.unsubscribed
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome back.")
    assert status_of(engine) is Status.active
    page.get_by_role("link", name="Choose what you get").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your preferences")


def test_preferences_are_corrected_and_saved(
    workspace: Workspace, engine: Engine, url: str, page: Page
) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org", sectors=("education",))
    page.goto(f"{url}/p/{token}")
    page.get_by_label("Name").fill("Mei Lin")
    page.get_by_label("Country").select_option(label="Mongolia")
    page.get_by_label("Culture").check()
    expect(page.locator("#until")).to_be_hidden()
    page.get_by_label("Nothing until this date").check()
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_title(re.compile("^Please check your answers"))
    page.get_by_role("link", name="Choose the date").click()
    expect(page.locator("#until")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_value("Mei Lin")
    expect(page.get_by_label("Country")).to_have_value("MN")
    expect(page.get_by_label("Culture")).to_be_checked()
    assert status_of(engine) is Status.active
    # Far enough ahead for any day this runs on, and less than two years.
    until = page.locator("#until").get_attribute("min") or ""
    page.locator("#until").fill(until)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved. We will send you nothing until")
    reader = find_reader(engine, "mei@example.org")
    assert (reader.status, reader.name, reader.country) == (Status.paused, "Mei Lin", "MN")


def test_a_browser_without_fetch_metadata_can_save_preferences(
    workspace: Workspace, engine: Engine, url: str, page: Page
) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org")
    origins = []

    def send_as_an_old_browser(route, request) -> None:  # type: ignore[no-untyped-def]
        headers = {
            name: value for name, value in request.all_headers().items() if not name.startswith("sec-")
        }
        origins.append(headers.get("origin"))
        route.continue_(headers=headers)

    page.goto(f"{url}/p/{token}")
    page.route("**/p/*", send_as_an_old_browser)
    page.get_by_label("Name").fill("Mei Lin")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    assert origins == [url]


LINES = """element => {
    const lines = new Map(), range = document.createRange(), text = element.firstChild;
    for (let at = 0; at < text.length; at++) {
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        const top = range.getBoundingClientRect().top;
        lines.set(top, (lines.get(top) ?? "") + text.data[at]);
    }
    return [...lines.values()];
}"""
"""The text of each line of an element, as it is wrapped now."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_address_is_not_broken_across_lines(
    workspace: Workspace, engine: Engine, url: str, page: Page, language: str
) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org")
    page.goto(f"{url}/p/{token}/data?lang={language}")
    for width in range(320, 440, 5):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.locator(".address").first.evaluate(LINES) == ["m…@e…org"], width


def test_a_japanese_heading_is_broken_between_words(
    workspace: Workspace, engine: Engine, url: str, page: Page
) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org")
    page.set_viewport_size({"width": 375, "height": 740})
    page.goto(f"{url}/p/{token}/data?lang=ja")
    assert page.locator("h1").evaluate(LINES) == ["お客様の", "データとアドレス"]


@pytest.mark.parametrize("language", ["zh-Hans", "ja", "ko"])
def test_english_text_uses_a_latin_font(url: str, page: Page, language: str) -> None:
    page.goto(f"{url}/link?lang={language}")
    fonts = "element => getComputedStyle(element).fontFamily"
    assert "CJK" in page.locator(".hint, .lead").first.evaluate(fonts)
    assert "CJK" not in page.locator(".postal [lang=en]").evaluate(fonts)
    assert "CJK" not in page.locator(".tongues [lang=en]").evaluate(fonts)
    assert "CJK" in page.locator(f".tongues [lang={language}]").evaluate(fonts)


def test_a_page_is_printed_on_white(url: str, page: Page) -> None:
    page.goto(f"{url}/link")
    page.emulate_media(media="print")
    for element in ("html", "body", ".sheet"):
        background = page.locator(element).evaluate("element => getComputedStyle(element).backgroundColor")
        assert background == "rgba(0, 0, 0, 0)", element


def test_a_name_that_is_a_script_stays_a_name(
    workspace: Workspace, engine: Engine, url: str, page: Page
) -> None:
    name = "<script>document.title='owned'</script>\"><img src=x onerror=document.title='owned'>"
    token = add_reader(engine, workspace.keys, "mei@example.org")
    page.goto(f"{url}/p/{token}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Nothing until this date").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Name")).to_have_value(name)
    expect(page).to_have_title(re.compile("^Please check your answers"))


def test_the_pages_need_no_script(workspace: Workspace, engine: Engine, url: str, browser: Browser) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org")
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{url}/u/{token}")
        page.get_by_role("button", name="Unsubscribe").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are unsubscribed.")
    assert status_of(engine) is Status.unsubscribed


@pytest.mark.parametrize("width", [320, 375, 700])
def test_every_target_is_large_enough_and_nothing_overflows(
    workspace: Workspace, engine: Engine, url: str, page: Page, width: int
) -> None:
    token = add_reader(engine, workspace.keys, "mei@example.org")
    page.set_viewport_size({"width": width, "height": 800})
    for path in (f"/u/{token}", f"/p/{token}"):
        page.goto(url + path)
        targets = page.locator(
            "a:visible, button:visible, input[type=text]:visible, select:visible, label.choice"
        )
        for box in [target.bounding_box() for target in targets.all()]:
            assert box is not None
            assert box["height"] >= 44
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_archive_shows_the_mail_with_its_images(
    workspace: Workspace, draft: Draft, engine: Engine, url: str, page: Page
) -> None:
    mail = compile_edition(read_edition(draft.folder, sectors=workspace.settings.sectors), workspace.settings)
    workspace.media.mkdir()
    for image in mail.images:
        (workspace.media / image.name).write_bytes(image.data)
    add_sent(engine, [mail])
    page.goto(f"{url}/e/")
    page.get_by_role("link", name="What we did this autumn").click()
    picture = page.get_by_role("img", name="Young people around a table")
    # It is loaded when the reader comes near it.
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    expect(picture).not_to_have_js_property("naturalWidth", 0)


def test_a_script_in_an_archived_mail_does_not_run(
    workspace: Workspace, draft: Draft, engine: Engine, url: str, browser: Browser
) -> None:
    mail = compile_edition(read_edition(draft.folder, sectors=workspace.settings.sectors), workspace.settings)
    script = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'></body>"
    # Sent before there were web editions: its page is the mail.
    object.__setattr__(mail, "html", mail.html.replace("</body>", script))
    object.__setattr__(mail, "web", None)
    add_sent(engine, [mail])
    with browser.new_context() as context:
        page = context.new_page()
        errors = collect_browser_errors(page)
        page.goto(f"{url}/e/2021-2/en")
        expect(page).not_to_have_title("owned")
    assert any("script" in error for error in errors)


def test_the_preview_shows_the_mail_in_light_and_dark_mode(preview: str, page: Page) -> None:
    page.goto(preview)
    expect(page).to_have_url(preview.partition("?")[0])
    desktop = page.frame_locator("iframe").nth(0)
    expect(desktop.get_by_text("The forum met in October.")).to_be_visible()
    assert background_luminance(page) > 200
    page.get_by_role("link", name="Dark", exact=True).click()
    expect(page.get_by_role("link", name="Dark", exact=True)).to_have_attribute("aria-current", "true")
    expect(desktop.get_by_text("The forum met in October.")).to_be_visible()
    assert background_luminance(page) < 60


def background_luminance(page: Page) -> float:
    """The luminance of the background of the mail in the first window, from 0 to 255."""
    colour = page.frames[1].evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_preview_shows_the_phone_view_the_text_part_and_no_images(preview: str, page: Page) -> None:
    page.goto(preview)
    page.get_by_role("link", name="Phone", exact=True).click()
    expect(page.locator("iframe")).to_have_count(1)
    assert page.frames[1].evaluate("innerWidth") == 375
    picture = page.frame_locator("iframe").get_by_role("img", name="Young people around a table")
    assert picture.evaluate("picture => picture.naturalWidth") > 0
    page.get_by_role("link", name="No images").click()
    expect(page.get_by_role("link", name="No images")).to_have_attribute("aria-current", "true")
    assert page.frame_locator("iframe").locator("img[src]").count() == 0
    page.get_by_role("link", name="Text", exact=True).click()
    expect(page.locator("pre.text")).to_contain_text("https://example.org/forum")


def test_the_preview_shows_the_mail_of_a_chosen_subscriber(
    workspace: Workspace, engine: Engine, preview: str, page: Page
) -> None:
    add_reader(engine, workspace.keys, "mei@example.org", name="Mei Lin", country="CN")
    page.goto(preview)
    page.get_by_label("As this subscriber").fill("mei@example.org")
    page.get_by_role("button", name="Show").click()
    expect(page.frame_locator("iframe").nth(0).get_by_text("Dear Mei Lin,")).to_be_visible()
    page.get_by_label("As this subscriber").fill("")
    page.get_by_label("Or as readers of a segment").fill("contry:CN")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("Did you mean country?")


def test_the_preview_updates_when_files_change(draft: Draft, preview: str, page: Page) -> None:
    page.goto(preview)
    mail = page.frame_locator("iframe").nth(0)
    expect(mail.get_by_text("The forum met in October.")).to_be_visible()
    draft.write("stories/010-youth-forum.md", STORY.replace("October", "November"))
    expect(mail.get_by_text("The forum met in November.")).to_be_visible(timeout=20_000)
    draft.change("stories/010-youth-forum.md", "sector: culture", "sector: cultur")
    expect(page.get_by_role("heading", name="Nothing to show yet")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("Error, line 3")).to_be_visible()
    draft.write("stories/010-youth-forum.md", STORY)
    expect(mail.get_by_text("The forum met in October.")).to_be_visible(timeout=20_000)
