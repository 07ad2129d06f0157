"""The email beside the text: what is shown of it, as whom, and that nothing of it leads out."""

import html
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect

from mailer.database.team_models import Role
from mailer.web.studio.stories.preview import StoryView, parse_view
from tests.factories.draft_edition import STORY
from tests.web.site import add_reader
from tests.web.studio.stories.conftest import FILE, LETTER_PATH, STORY_PATH, Desk, change_field

FRAME = f"{STORY_PATH}/preview/frame"
_PATIENCE = 30_000


def get_frame(desk: Desk, path: str = FRAME, **query: str) -> str:
    answer = desk.get(f"{path}?{urlencode(query)}")
    assert answer.status == 200
    return answer.text


def open_story(page: Page, desk: Desk, path: str = STORY_PATH) -> FrameLocator:
    page.goto(desk.studio.url.removesuffix("/studio") + path)
    frame = page.frame_locator("#frame")
    expect(frame.locator("body")).to_be_visible()
    return frame


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_story_alone_or_the_whole_edition_is_shown(desk: Desk) -> None:
    alone, whole = get_frame(desk), get_frame(desk, part="edition")
    assert "The forum met in October." in alone
    assert "The doors stay open." not in alone
    assert "The doors stay open." in whole
    assert 'id="story-youth-forum"' in whole
    letter = get_frame(desk, f"{LETTER_PATH}/preview/frame")
    assert "this was our autumn" in letter
    assert "The forum met" not in letter


@pytest.fixture
def broken_theme(desk: Desk) -> Iterator[None]:
    """The module's Studio with a theme of which a part is missing."""
    folder = desk.studio.workspace.root / "templates"
    (folder / "email").mkdir(parents=True)
    (folder / "email" / "periodical.mjml.j2").write_text("{% include 'email/absent.j2' %}", encoding="utf-8")
    yield
    shutil.rmtree(folder)


@pytest.mark.usefixtures("broken_theme")
def test_why_there_is_no_email_is_said_in_french(desk: Desk) -> None:
    told = html.unescape(desk.get(FRAME, accept_language="fr").text)
    assert "email/absent.j2 : modèle introuvable. email/periodical.mjml.j2 en a besoin." in told


def test_as_whom_a_story_is_shown_is_said_in_french(desk: Desk) -> None:
    engine, keys = desk.studio.engine, desk.studio.workspace.keys
    add_reader(engine, keys, "ana@example.org", name="Ana", country="PT", language="en")
    add_reader(engine, keys, "rui@example.org", name="Rui", country="AO", language="en")
    for query, words in (
        ({"for": "ana@example.org"}, "Montré pour Ana, ana@example.org."),
        ({"for": "none@example.org"}, "Il n’y a pas d’abonné none@example.org."),
        (
            {"segment": "country:PT"},
            "1 lecteur aujourd’hui. Montré pour le numéro 1 : Ana, ana@example.org.",
        ),
        ({"segment": "country:PT or country:AO", "n": "2"}, "2 lecteurs aujourd’hui."),
        ({"segment": "secto:x"}, "Il n’y a pas de clé"),
    ):
        page = desk.get(f"{STORY_PATH}/preview?{urlencode(query)}", accept_language="fr").text
        assert words in html.unescape(page).replace("'", "’"), query


def test_why_a_text_cannot_be_written_is_said_in_french(desk: Desk) -> None:
    block: dict[str, object] = {"type": "paragraph", "content": [{"type": "text", "text": "Deep"}]}
    for _ in range(20):
        block = {"type": "blockquote", "content": [block]}
    document = json.dumps({"type": "doc", "content": [block]})
    fields = [*(field for field in desk.read_form() if field[0] != "body"), ("document", document)]
    refused = desk.post(fields, FRAME, accept_language="fr")
    assert refused.status == 422
    assert refused.text.startswith("Ici, trop de listes et de citations sont imbriquées")
    saved = desk.post(fields, accept="application/json", accept_language="fr")
    assert saved.status == 422
    assert json.loads(saved.text)["error"] == refused.text
    page = html.unescape(desk.post(fields, accept_language="fr").text)
    assert refused.text in page


def test_what_is_not_saved_yet_is_shown_and_stays_unsaved(desk: Desk) -> None:
    before = list_files(desk.draft.folder)
    fields = change_field(desk.read_form(), "title", "Unsaved title")
    fields = change_field(fields, "body", "Unsaved words.")
    for part in ("story", "edition"):
        shown = desk.post(fields, f"{FRAME}?part={part}")
        assert shown.status == 200
        assert "Unsaved title" in shown.text
        assert "Unsaved words." in shown.text
    assert list_files(desk.draft.folder) == before
    assert "Unsaved" not in get_frame(desk)


@pytest.mark.parametrize(
    ("query", "has", "lacks"),
    [
        ({"show": "text"}, "<pre>", "<img"),
        ({"show": "paper"}, "@media all{", "@media print"),
        ({"scheme": "dark"}, "(min-width:0)", "prefers-color-scheme"),
        ({"images": "off"}, 'alt="Young people around a table"', "/media/"),
        ({"form": "digest"}, "/e/2021-2/en/youth-forum", "ReadMore"),
        ({"show": "nonsense", "form": "x", "version": "<", "n": "-1"}, "The forum met", "<pre>"),
    ],
)
def test_a_view_can_be_chosen(desk: Desk, query: dict[str, str], has: str, lacks: str) -> None:
    shown = get_frame(desk, **query)
    assert has in shown
    assert lacks not in shown


def test_another_language_is_shown(desk: Desk) -> None:
    desk.draft.translate()
    desk.draft.write("stories/020-museums.zh.md", "---\ntitle: 夜间博物馆\n---\n\n大门敞开。\n")
    assert "论坛于十月举行。" in get_frame(desk, language="zh")
    assert 'value="zh"' in desk.get(f"{STORY_PATH}/preview").text


def test_the_frame_runs_nothing_and_its_pictures_are_for_members(desk: Desk) -> None:
    answer = desk.get(FRAME)
    policy = answer.headers["content-security-policy"]
    assert "allow-same-origin" in policy
    assert "allow-scripts" not in policy
    assert "script-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    picture = re.search(r'src="(/studio/editions/2021-2/media/[^"]+)"', answer.text)
    assert picture is not None
    shown = desk.get(picture[1])
    assert (shown.status, shown.headers["content-type"]) == (200, "image/jpeg")
    assert "private" in shown.headers["cache-control"]
    assert desk.get("/studio/editions/2021-2/media/0123456789abcdef.jpg").status == 404
    assert desk.get("/studio/editions/2021-2/media/mailer.toml").status == 404
    assert desk.get(picture[1], cookie="studio=none").status == 303


def test_a_reader_is_shown_without_their_links_and_only_to_who_may_write(desk: Desk) -> None:
    keys = desk.studio.workspace.keys
    add_reader(desk.studio.engine, keys, "mei@example.org", name="Mei Lin", country="CN", language="en")
    query = {"part": "edition", "for": "mei@example.org"}
    shown = get_frame(desk, **query)
    assert "Dear Mei Lin," in shown
    assert "/u/" not in shown
    assert "Mei Lin" in desk.get(f"{STORY_PATH}/preview?{urlencode(query)}").text
    unknown = desk.get(f"{STORY_PATH}/preview?for=nobody%40example.org").text
    assert 'id="for-error"' in unknown
    guest = desk.sign_in_as(Role.guest)
    assert "Mei Lin" not in get_frame(guest, **query)
    page = guest.get(f"{STORY_PATH}/preview?{urlencode(query)}").text
    assert "Mei Lin" not in page
    assert 'name="for"' not in page


def test_every_version_is_listed_with_its_readers_and_its_size(desk: Desk) -> None:
    desk.draft.change("edition.md", "language: en", "language: en\npersonalise: filter")
    engine, keys = desk.studio.engine, desk.studio.workspace.keys
    add_reader(engine, keys, "one@example.org", language="en", sectors=("culture",))
    page = desk.get("/studio/editions/2021-2/versions").text
    assert "The whole edition, English" in page
    assert "1 story, English" in page
    assert page.count("<meter ") >= 2
    tag = re.search(r'version=(\w+)"[^>]*>1 story', page)
    assert tag is not None
    shown = get_frame(desk, part="edition", version=tag[1])
    assert "The forum met in October." in shown
    assert "The doors stay open." not in shown
    assert "The doors stay open." in get_frame(desk, part="edition", version="0000000000")


def test_an_edition_that_cannot_be_made_says_so(desk: Desk) -> None:
    desk.draft.write("edition.md", "nothing")
    assert "There is nothing to show yet" in get_frame(desk)
    assert "There is no email to measure" in desk.get("/studio/editions/2021-2/versions").text


def test_a_view_survives_its_address() -> None:
    view = StoryView(is_whole=True, version="a1b2")
    assert parse_view(dict(pair.split("=") for pair in view.encode().split("&"))) == view
    assert parse_view({"part": "all", "version": "../x"}) == StoryView()
    assert replace(view, query=replace(view.query, n=3)).encode().endswith("n=3")


def test_the_story_follows_each_key_before_it_is_saved(desk: Desk, browser: Browser) -> None:
    with desk.studio.browse(browser, desk.member) as page:
        frame = open_story(page, desk)
        # Saving never comes to an end.
        page.route(f"**{STORY_PATH}", lambda _: None)
        page.locator("story-editor [role=textbox]").click()
        page.keyboard.press("Control+End")
        page.keyboard.type(" It rained.")
        expect(frame.get_by_text("October. It rained.")).to_be_visible(timeout=_PATIENCE)
        assert desk.read() == STORY
        page.get_by_label("Title").fill("Rain in Xi’an")
        expect(frame.get_by_text("Rain in Xi’an")).to_be_visible(timeout=_PATIENCE)


def test_what_is_typed_before_the_email_has_come_is_shown_with_it(desk: Desk, browser: Browser) -> None:
    # In the frame's first, empty page, an email would lose its styles to the policy of the page around it.
    with desk.studio.browse(browser, desk.member) as page:
        held: list[Route] = []
        page.route(
            lambda url: "/preview/frame" in url,
            lambda route: held.append(route) if route.request.method == "GET" else route.continue_(),
        )
        page.goto(desk.studio.url.removesuffix("/studio") + STORY_PATH, wait_until="domcontentloaded")
        with page.expect_response(lambda answer: answer.request.method == "POST" and "frame" in answer.url):
            page.get_by_label("Title").fill("Early words")
        for route in held:
            route.continue_()
        expect(page.frame_locator("#frame").locator("body")).to_contain_text("Early words", timeout=_PATIENCE)


def test_the_whole_edition_keeps_its_scroll_and_its_pictures(desk: Desk, browser: Browser) -> None:
    desk.draft.change(FILE, "The forum met in October.", "The forum met in October.\n\n" + "Long.\n\n" * 60)
    with desk.studio.browse(browser, desk.member) as page:
        open_story(page, desk)
        page.get_by_label("Whole edition").check()
        frame = page.frame_locator("#frame")
        expect(frame.get_by_text("The doors stay open.")).to_be_attached(timeout=_PATIENCE)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        inside = page.frames[1]
        inside.evaluate("scrollTo(0, 700)")
        before = inside.evaluate("scrollY")
        page.get_by_label("Title").fill("Another title")
        expect(frame.get_by_text("Another title").first).to_be_attached(timeout=_PATIENCE)
        assert inside.evaluate("scrollY") == before > 0
        assert not [url for url in asked if "/media/" in url]


def test_the_controls_change_what_is_shown(desk: Desk, browser: Browser) -> None:
    add_reader(desk.studio.engine, desk.studio.workspace.keys, "bat@example.org", name="Bat", language="en")
    with desk.studio.browse(browser, desk.member) as page:
        frame = open_story(page, desk)
        page.get_by_role("radio", name="Text").check()
        expect(frame.locator("pre")).to_contain_text("The forum met in October.")
        page.get_by_label("Phone").check()
        expect(page.locator(".window.phone")).to_be_visible()
        page.get_by_label("Whole edition").check()
        page.get_by_text("As whom, and in which language").click()
        page.get_by_label("As this partner").fill("bat@example.org")
        page.get_by_label("As this partner").press("Enter")
        expect(frame.get_by_text("Dear Bat,")).to_be_attached(timeout=_PATIENCE)
        page.get_by_label("As this partner").fill("nobody@example.org")
        page.get_by_label("As this partner").press("Tab")
        expect(page.locator("#for-error")).to_be_visible(timeout=_PATIENCE)
        assert page.evaluate("history.length") <= 2


def test_on_a_narrow_window_it_is_a_page_that_works_without_script(desk: Desk, browser: Browser) -> None:
    with desk.studio.browse(
        browser, desk.member, viewport={"width": 390, "height": 800}, java_script_enabled=False
    ) as page:
        page.goto(desk.studio.url.removesuffix("/studio") + STORY_PATH)
        assert page.locator("#frame").is_hidden()
        page.get_by_role("link", name="Preview").click()
        frame = page.frame_locator("#frame")
        expect(frame.get_by_text("The forum met in October.")).to_be_visible()
        page.get_by_label("Whole edition").check()
        page.get_by_role("button", name="Show").click()
        expect(frame.get_by_text("The doors stay open.")).to_be_attached()


def test_hostile_words_stay_words(desk: Desk, browser: Browser) -> None:
    vector = '<img src=x onerror=alert(1)><script>alert(2)</script>"><svg onload=alert(3)>'
    with desk.studio.browse(browser, desk.member) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        frame = open_story(page, desk, f"{STORY_PATH}?as=markdown")
        page.locator("#body").fill(vector)
        page.get_by_label("Title").fill(vector)
        page.locator("#lead").fill(vector)
        expect(frame.locator("body")).to_contain_text("onload=alert(3)", timeout=_PATIENCE)
        assert frame.locator("script, svg, [onerror], [onload]").count() == 0
        page.keyboard.press("Control+s")
        expect(page.locator("#saving")).to_contain_text("Saved", timeout=_PATIENCE)
        page.reload()
        expect(page.get_by_label("Title")).to_have_value(vector)
