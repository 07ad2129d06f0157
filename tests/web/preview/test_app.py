"""The preview, requested over a real connection."""

import html
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine

from mailer.errors import ConfigurationError
from mailer.web.access import LocalAccess, write_opening_page
from mailer.web.mail_preview.query import ColourScheme, ImageLoading, PreviewQuery, ShownWindows, parse_query
from mailer.web.preview import create_preview_app
from mailer.web.security import PREVIEW_POLICY
from mailer.workspace import Workspace, open_workspace
from subscribers.models import Status
from tests.factories.draft_edition import STORY, Draft
from tests.web.site import NOW, HttpResponse, add_reader, dump_tables, opened_engine, send_request, served

ACCESS = LocalAccess("a-secret")
COOKIE = {"cookie": f"{ACCESS.cookie_name}=a-secret"}
STORY_FILE = "stories/010-youth-forum.md"


class Preview:
    """A running preview of a small edition, and a list of three readers."""

    def __init__(self, workspace: Workspace, engine: Engine, draft: Draft, url: str) -> None:
        self.workspace = workspace
        self.engine = engine
        self.draft = draft
        self.url = url
        keys = workspace.keys
        add_reader(engine, keys, "mei@example.org", name="Mei Lin", country="CN", language="zh")
        add_reader(engine, keys, "bat@example.org", name="Bat", country="MN", language="en")
        add_reader(engine, keys, "gone@example.org", country="MN", status=Status.unsubscribed)

    def get(self, path: str = "/", **query: str) -> HttpResponse:
        return send_request(self.url, "GET", f"{path}?{urlencode(query)}" if query else path, headers=COOKIE)

    def words(self, **query: str) -> str:
        text = re.sub(r"<[^>]+>", " ", self.get("/", **query).text)
        return " ".join(html.unescape(text).split())


@pytest.fixture
def preview(workspace: Workspace) -> Iterator[Preview]:
    draft = Draft(workspace.editions / "2021-2")
    app = create_preview_app(workspace, "2021-2", access=ACCESS, clock=lambda: NOW)
    with opened_engine(workspace) as engine, served(app) as running:
        yield Preview(workspace, engine, draft, running.url)


def test_an_unknown_edition_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ConfigurationError, match="There is no edition"):
        create_preview_app(workspace, "2021-3", access=ACCESS)


def test_the_preview_shows_the_mail_and_its_inbox_line(preview: Preview) -> None:
    page = preview.get()
    assert page.status == 200
    for shown in ("What we did this autumn", "Forums, workshops and four campaigns", "UNESCO Beijing"):
        assert shown in page.text
    assert re.findall(r'<iframe[^>]* width="(\d+)"', page.text) == ["700", "375"]
    assert page.text.count('sandbox="allow-popups allow-popups-to-escape-sandbox"') == 2
    assert "The forum met in October." in preview.get("/frame").text


@pytest.mark.parametrize(
    ("show", "widths"), [("desktop", ["700"]), ("phone", ["375"]), ("text", []), ("paper", ["700"])]
)
def test_a_single_view_can_be_chosen(preview: Preview, show: str, widths: list[str]) -> None:
    page = preview.get(show=show).text
    assert re.findall(r'<iframe[^>]* width="(\d+)"', page) == widths
    assert ('<pre class="text"' in page) is (show == "text")


def test_either_form_of_an_edition_can_be_shown(preview: Preview) -> None:
    assert "Read the story" not in preview.get("/frame").text
    digest = preview.get("/frame", form="digest").text
    assert "/e/2021-2/en/youth-forum?v=" in digest
    picture = re.search(r'src="(/media/[^"]+)"', digest)
    assert picture is not None
    assert preview.get(picture[1]).status == 200
    page = preview.get(form="digest").text
    assert 'href="/?form=digest" aria-current="true">Digest</a>' in page
    assert 'href="/?">Full</a>' in page


def test_a_theme_without_digests_is_named_where_one_is_asked_for(preview: Preview) -> None:
    blocks = preview.workspace.root / "templates" / "email" / "blocks"
    blocks.mkdir(parents=True)
    (blocks / "card.mjml.j2").write_text("<div>{{ story.title_html }}</div>")
    assert "has no link to its page" in preview.get(form="digest").text
    assert "The forum met in October." in preview.get("/frame", form="digest").text


def test_the_text_view_shows_the_text_part(preview: Preview) -> None:
    words = preview.words(show="text")
    assert "The forum met in October." in words
    assert "https://example.org/forum" in words


def test_dark_mode_and_missing_images_can_be_simulated(preview: Preview) -> None:
    light, dark = preview.get("/frame").text, preview.get("/frame", scheme="dark").text
    assert "prefers-color-scheme" not in light + dark
    assert "(min-width:0)" in dark
    assert "(min-width:0)" not in light
    assert re.search(r"<img[^>]*\ssrc=", light)
    bare = preview.get("/frame", images="off").text
    assert not re.search(r"<img[^>]*\ssrc=", bare)
    assert 'alt="Young people around a table"' in bare


def test_a_frame_cannot_run_scripts_or_be_embedded_elsewhere(preview: Preview) -> None:
    policy = preview.get("/frame").headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "frame-ancestors 'self'" in policy


def test_images_are_served_from_memory(preview: Preview) -> None:
    (name,) = set(re.findall(r'src="/media/([^"]+)"', preview.get("/frame").text))
    picture = preview.get(f"/media/{name}")
    assert (picture.status, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.body.startswith(b"\xff\xd8")
    assert not preview.workspace.media.exists()
    assert preview.get("/media/0123456789abcdef.jpg").status == 404


def test_an_image_is_still_served_after_a_save_with_an_error(preview: Preview) -> None:
    (name,) = set(re.findall(r'src="/media/([^"]+)"', preview.get("/frame").text))
    preview.draft.write(STORY_FILE, STORY.replace("sector: culture", "sector: cultur"))
    assert "no email to show" in preview.get("/frame").text
    assert preview.get(f"/media/{name}").status == 200


def test_the_mail_of_a_subscriber_is_shown_without_their_links(preview: Preview) -> None:
    words = preview.words(**{"for": "MEI@example.org"})
    assert "Shown for Mei Lin, mei@example.org." in words
    frame = preview.get("/frame", **{"for": "mei@example.org"}).text
    assert "Dear Mei Lin," in frame
    for page in (frame, preview.get("/", show="text", **{"for": "mei@example.org"}).text):
        assert "/u/" not in page
        assert "/p/" not in page


def test_only_subscribers_who_get_mail_are_offered(preview: Preview) -> None:
    offered = re.findall(r'<option value="([^"]+@[^"]+)">', preview.get().text)
    assert offered == ["bat@example.org", "mei@example.org"]


@pytest.mark.parametrize(
    ("address", "reason"), [("nobody@example.org", "There is no subscriber"), ("x", "is not an address")]
)
def test_an_unknown_address_is_named(preview: Preview, address: str, reason: str) -> None:
    page = preview.get("/", **{"for": address})
    assert page.status == 200
    assert reason in html.unescape(page.text)
    assert 'aria-invalid="true" aria-describedby="for-error"' in page.text
    assert preview.get("/frame", **{"for": address}).status == 200


def test_the_readers_of_a_segment_are_shown_one_by_one(preview: Preview) -> None:
    first = preview.words(segment="country:MN,CN")
    assert "2 readers today. Shown for number 1: Mei Lin, mei@example.org." in first
    assert "Next reader" in first
    assert "Previous reader" not in first
    second = preview.words(segment="country:MN,CN", n="2")
    assert "Shown for number 2: Bat, bat@example.org." in second
    assert "Previous reader" in second
    assert "Dear Bat," in preview.get("/frame", segment="country:MN,CN", n="2").text
    assert "Shown for number 2" in preview.words(segment="country:MN,CN", n="99")


def test_a_segment_without_readers_says_so(preview: Preview) -> None:
    assert "Nobody in this segment gets mail today." in preview.words(segment="country:JP")


def test_an_invalid_segment_is_shown_with_the_place_of_the_error(preview: Preview) -> None:
    page = preview.get(segment="country:MN contry:CN")
    assert page.status == 200
    error = html.unescape(re.search(r'<pre class="complaint"[^>]*>(.*?)</pre>', page.text, re.DOTALL)[1])  # type: ignore[index]
    _, query, caret, reason = error.splitlines()[:4]
    assert query.index("contry") == caret.index("^")
    assert "country" in reason


def test_the_language_is_the_readers_or_the_requested_one(preview: Preview) -> None:
    preview.draft.translate()
    assert "The forum met in October." in preview.get("/frame").text
    assert "论坛于十月举行。" in preview.get("/frame", **{"for": "mei@example.org"}).text
    assert "论坛于十月举行。" in preview.get("/frame", language="zh").text
    assert "The forum met in October." in preview.get("/frame", language="tlh").text
    assert '<option value="zh" lang="zh" selected>中文</option>' in preview.get(language="zh").text


def test_errors_are_shown_with_their_file_and_line(preview: Preview) -> None:
    preview.draft.change(STORY_FILE, "sector: culture", "sector: cultur")
    page = preview.get()
    assert page.status == 200
    assert f"<code>{STORY_FILE}</code>" in page.text
    words = preview.words()
    assert "Error, line 3" in words
    assert "unknown-sector" in words
    assert "Nothing to show yet" in words
    assert "<title>(1) " in page.text
    assert "no email to show" in preview.get("/frame").text


def test_an_error_in_a_template_is_shown_too(preview: Preview) -> None:
    own = preview.workspace.root / "templates" / "email" / "blocks"
    own.mkdir(parents=True)
    (own / "masthead.mjml.j2").write_text("{{ page.nothing }}", encoding="utf-8")
    words = preview.words()
    assert "masthead.mjml.j2:1" in words
    assert "Nothing to show yet" in words


def test_an_edition_that_vanishes_is_shown_as_an_error(preview: Preview) -> None:
    preview.draft.folder.rename(preview.draft.folder.with_name("moved"))
    page = preview.get()
    assert page.status == 200
    assert "There is no edition" in page.text


def test_a_problem_is_escaped(preview: Preview) -> None:
    preview.draft.change(STORY_FILE, "sector: culture", 'sector: "<img src=x onerror=alert(1)>"')
    page = preview.get().text
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_a_check_switched_off_is_named_with_its_reason(preview: Preview) -> None:
    assert "Checks switched off" not in preview.get().text
    preview.draft.change(
        "edition.md", "language: en", "language: en\nchecks:\n  long-subject: Our <name> is long."
    )
    page = preview.get().text
    assert "<code>long-subject</code>" in page
    assert "Our &lt;name&gt; is long." in page


def test_the_version_changes_with_the_files(preview: Preview) -> None:
    versions = [preview.get("/version").text]
    for change in (
        lambda: preview.draft.write(STORY_FILE, STORY.replace("October", "November")),
        lambda: preview.draft.write("stories/020-more.md", STORY),
        lambda: (preview.draft.folder / "stories/020-more.md").unlink(),
        lambda: preview.draft.add_image("forum.jpg", 1200, 800),
    ):
        change()
        versions.append(preview.get("/version").text)
    assert all(before != after for before, after in pairwise(versions))
    assert f'data-version="{versions[-1]}"' in preview.get().text
    assert "The forum met in November." in preview.get("/frame").text


def test_without_a_database_the_mail_is_still_shown(workspace: Workspace) -> None:
    Draft(workspace.editions / "2021-2")
    (workspace.root / "mailer.db").unlink()
    with served(create_preview_app(workspace, "2021-2", access=ACCESS)) as running:
        page = send_request(running.url, "GET", "/?segment=all", headers=COOKIE)
        assert (page.status, send_request(running.url, "GET", "/frame", headers=COOKIE).status) == (200, 200)
    assert "mailer db upgrade" in page.text
    assert not (workspace.root / "mailer.db").exists()


def test_a_database_of_another_program_is_not_changed(workspace: Workspace) -> None:
    Draft(workspace.editions / "2021-2")
    (workspace.root / "mailer.db").write_bytes(b"")
    with served(create_preview_app(workspace, "2021-2", access=ACCESS)) as running:
        assert (
            "mailer db upgrade"
            in send_request(running.url, "GET", "/?for=mei@example.org", headers=COOKIE).text
        )


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8026"])
def test_the_preview_accepts_only_local_host_names(preview: Preview, host: str) -> None:
    for path in ("/", "/frame", "/version"):
        answer = send_request(preview.url, "GET", path, headers={"host": host, **COOKIE})
        assert answer.status == 421
        assert "Mei" not in answer.text


@pytest.mark.parametrize(
    "headers", [{}, {"cookie": f"{ACCESS.cookie_name}=another"}, {"cookie": "preview=a-secret"}]
)
def test_another_user_of_the_machine_sees_nothing(preview: Preview, headers: dict[str, str]) -> None:
    for path in (
        "/",
        "/frame",
        "/version",
        "/?token=another",
        "/frame?token=a-secret",
        "/?for=mei@example.org",
    ):
        answer = send_request(preview.url, "GET", path, headers=headers)
        assert answer.status == 403
        assert "open the address that mailer preview has printed" in answer.text
        assert "example.org" not in answer.text.replace("news@example.org", "")
        assert "October" not in answer.text
        assert answer.headers["content-security-policy"] == PREVIEW_POLICY


def test_the_printed_address_opens_it_and_leaves_no_secret_in_the_bar(preview: Preview) -> None:
    url = ACCESS.make_url(preview.url)
    first = send_request(
        preview.url, "GET", url.removeprefix(preview.url) + "&show=phone&for=mei%40example.org"
    )
    assert (first.status, first.headers["location"]) == (303, "/?show=phone&for=mei%40example.org")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"{ACCESS.cookie_name}=a-secret; ")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert first.headers["cache-control"] == "no-store"
    assert LocalAccess().cookie_name != LocalAccess().cookie_name
    assert "secret" not in repr(ACCESS)


def test_the_page_that_opens_the_browser_is_for_its_owner(tmp_path: Path) -> None:
    path = write_opening_page(tmp_path / "outbox", "http://127.0.0.1:1/?token=a&b", title="the preview")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert 'content="0; url=http://127.0.0.1:1/?token=a&amp;b"' in path.read_text()


def test_an_app_may_open_at_a_page_of_its_own() -> None:
    access = LocalAccess("a-secret", opening_path="/campaigns/7")
    assert access.make_url("http://127.0.0.1:1") == "http://127.0.0.1:1/campaigns/7?token=a-secret"


def test_it_takes_nothing(preview: Preview) -> None:
    for method in ("POST", "PUT", "DELETE"):
        headers = {"sec-fetch-site": "same-origin", **COOKIE}
        assert send_request(preview.url, method, "/", headers=headers).status == 405
        assert send_request(preview.url, method, "/", headers=COOKIE).status == 403


def test_viewing_changes_neither_the_database_nor_the_files(workspace: Workspace, database: str) -> None:
    workspace = open_workspace(workspace.root, environ={"MAILER_DATABASE__URL": database})
    draft = Draft(workspace.editions / "2021-2")
    app = create_preview_app(workspace, "2021-2", access=ACCESS, clock=lambda: NOW)
    with opened_engine(workspace) as engine, served(app) as running:
        preview = Preview(workspace, engine, draft, running.url)
        before, files = dump_tables(engine), list_files(workspace.root)
        for path in ("/", "/frame", "/version"):
            for query in ({}, {"for": "mei@example.org"}, {"segment": "all", "show": "text"}):
                assert preview.get(path, **query).status == 200
        assert (dump_tables(engine), list_files(workspace.root)) == (before, files)


def list_files(folder: Path) -> set[str]:
    # SQLite's own two files come and go with the connections.
    return {str(path) for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm"))}


def test_a_view_is_encoded_in_its_url() -> None:
    view = PreviewQuery(
        show=ShownWindows.phone,
        scheme=ColourScheme.dark,
        images=ImageLoading.off,
        segment="country:MN -tag:a&b",
        n=3,
    )
    query = dict(pair.split("=", 1) for pair in view.encode().split("&"))
    assert query["show"] == "phone"
    assert PreviewQuery().encode() == ""
    assert (
        parse_query(
            {"show": "phone", "scheme": "dark", "images": "off", "segment": "country:MN -tag:a&b", "n": "3"}
        )
        == view
    )


@pytest.mark.parametrize(
    "query", [{"n": "0"}, {"n": "-1"}, {"n": "9" * 30}, {"n": "²"}, {"show": "all"}, {"scheme": ""}]
)
def test_an_invalid_view_is_the_default_one(query: dict[str, str]) -> None:
    assert parse_query(query) == PreviewQuery()


def test_an_unknown_merge_tag_is_shown_as_an_error(preview: Preview) -> None:
    own = preview.workspace.root / "templates" / "email" / "blocks"
    own.mkdir(parents=True)
    (own / "logo.mjml.j2").write_text("<mj-text><p>@@surprise@@</p></mj-text>", encoding="utf-8")
    assert preview.get("/frame").status == 200
    words = preview.words()
    assert "@@surprise@@" in words
    assert "Nothing to show yet" in words
