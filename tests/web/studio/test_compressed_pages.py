"""Studio's pages on their way to the browser: compressed, unless another site asks for them."""

import gzip
import http.client
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Response

from mailer.database.team_models import Role
from tests.factories.small_edition import SLUG, write_edition
from tests.web.studio.conftest import Studio

CHROMIUM = {"accept-encoding": "gzip, deflate, br, zstd"}


def get_story(studio: Studio, headers: Mapping[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
    """The page of a story as it comes over the wire."""
    write_edition(studio.workspace.editions)
    cookie = studio.sign_in(studio.add_member(Role.author))
    parts = urlsplit(studio.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    try:
        connection.request(
            "GET", f"{parts.path}/editions/{SLUG}/stories/teachers", headers={"cookie": cookie, **headers}
        )
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_that_our_own_page_or_a_person_asks_for_is_compressed(studio: Studio, site: str) -> None:
    answer, body = get_story(studio, {**CHROMIUM, "sec-fetch-site": site})
    assert answer.status == 200
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(body)
    page = gzip.decompress(body)
    assert b"Sixty teachers" in page
    assert len(body) < len(page) / 2
    vary = {name.strip() for name in answer.headers["vary"].lower().split(",")}
    assert {"accept-encoding", "sec-fetch-site"} <= vary


@pytest.mark.parametrize(
    "headers",
    [
        {**CHROMIUM, "sec-fetch-site": "cross-site"},
        {**CHROMIUM, "sec-fetch-site": "same-site"},
        CHROMIUM,
        {"accept-encoding": "identity", "sec-fetch-site": "same-origin"},
    ],
    ids=["of another site", "of another name of the site", "of who knows", "of who takes none"],
)
def test_any_other_request_gets_it_at_its_own_length(studio: Studio, headers: dict[str, str]) -> None:
    answer, body = get_story(studio, headers)
    assert answer.status == 200
    assert "content-encoding" not in answer.headers
    assert b"Sixty teachers" in body


def test_a_browser_loads_the_editor_by_brotli_and_what_is_not_needed_at_first_later(
    studio: Studio, browser: Browser
) -> None:
    write_edition(studio.workspace.editions)
    answers: dict[str, Response] = {}
    with studio.browse(browser, studio.add_member(Role.author)) as page:
        page.on("response", lambda answer: answers.update({read_name(answer.url): answer}))
        page.goto(f"{studio.url}/editions/{SLUG}/stories/teachers")
        page.wait_for_function("() => document.querySelector('story-editor')?.isReadyToPaste")
        page.locator("[data-comments]").wait_for()
        page.wait_for_load_state("networkidle")
        named = {
            read_name(path) for path in page.eval_on_selector_all("head script", "all => all.map(e => e.src)")
        }
        codings = {name: answers[name].headers.get("content-encoding") for name in answers if name in named}
        assert codings.pop("story_editor.js") == codings.pop("htmx.js") == "br"
        assert set(codings.values()) == {"gzip"}
        assert answers["story_paste.js"].headers["content-encoding"] == "br"
        assert answers["teachers"].headers["content-encoding"] == "gzip"
        assert {"comments.js", "story_paste.js"} <= answers.keys() - named


def read_name(url: str) -> str:
    """The last part of an address, without the sum in it."""
    parts = urlsplit(url).path.rpartition("/")[2].split(".")
    return ".".join(dict.fromkeys([parts[0], parts[-1]]))
