"""In which language a page answers."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.reader import read_edition
from mailer.i18n import LANGUAGES
from mailer.rendering.edition_compiler import compile_edition
from mailer.web.app import create_app
from mailer.web.language import choose_translator, parse_accept_language
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.factories.draft_edition import Draft
from tests.web.site import (
    HttpResponse,
    add_reader,
    add_sent,
    find_reader,
    opened_engine,
    send_request,
    served,
)

OWN = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


def scope(query: str = "", accepts: str = "") -> dict[str, object]:
    return {
        "type": "http",
        "query_string": query.encode(),
        "headers": [(b"accept-language", accepts.encode())],
    }


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", ["fr-CH", "fr", "en", "*"]),
        ("en;q=0.1, mn", ["mn", "en"]),
        ("de;q=0, ja", ["ja"]),
        ("ko;q=x, ja;q=2, zh", ["zh"]),
        ("", []),
        (",,;q=1,", []),
    ],
)
def test_the_preferred_language_comes_first(header: str, tags: list[str]) -> None:
    assert parse_accept_language(header) == tags


def test_the_url_takes_precedence_over_the_mail_and_the_mail_over_the_browser() -> None:
    assert choose_translator(scope("lang=ko", "fr"), form_language="ja", mail_language="mn").tag == "ko"
    assert choose_translator(scope("", "fr"), form_language="ja", mail_language="mn").tag == "ja"
    assert choose_translator(scope("", "fr"), mail_language="mn").tag == "mn"
    assert choose_translator(scope("lang=zh-TW", "fr"), mail_language="ar").tag == "fr"
    assert choose_translator(scope("lang=zh-CN")).tag == "zh-Hans"
    assert choose_translator(scope("", "zh-TW, de")).tag == "en"


@given(query=st.text(max_size=60), accepts=st.text(max_size=60))
def test_any_request_gets_a_supported_language(query: str, accepts: str) -> None:
    request_scope = scope(
        "lang=" + query.encode("ascii", "replace").decode(), accepts.encode("ascii", "replace").decode()
    )
    assert choose_translator(request_scope).tag in LANGUAGES


@pytest.fixture
def url(workspace: Workspace) -> Iterator[str]:
    with served(create_app(workspace)) as running:
        yield running.url


def language_of(answer: HttpResponse) -> str:
    found = re.search(r'<html lang="([^"]+)"', answer.text)
    assert found is not None
    assert answer.headers["content-language"] == found[1]
    return found[1]


def test_a_page_is_in_the_language_of_the_mail_the_reader_came_from(workspace: Workspace, url: str) -> None:
    draft = Draft(workspace.editions / "2021-2")
    mail = compile_edition(read_edition(draft.folder, sectors=workspace.settings.sectors), workspace.settings)
    with opened_engine(workspace) as engine:
        add_reader(engine, workspace.keys, "mei@example.org", language="zh-CN")
        add_reader(engine, workspace.keys, "bat@example.org", language="mn")
        add_sent(engine, [mail, replace(mail, language="zh")])
        numbers = {name: find_reader(engine, f"{name}@example.org").id or 0 for name in ("mei", "bat")}
    sign = workspace.keys.tokens.sign
    tokens = {
        name: sign(LinkPurpose.subscription, subscriber_id=number, campaign_id=1)
        for name, number in numbers.items()
    }
    french = {"accept-language": "fr"}
    for path in ("/u/", "/p/"):
        # Her mail was the Chinese one; his was the English one, though he reads Mongolian.
        assert language_of(send_request(url, "GET", path + tokens["mei"], headers=french)) == "zh-Hans"
        assert language_of(send_request(url, "GET", path + tokens["bat"], headers=french)) == "en"
        assert language_of(send_request(url, "GET", f"{path}{tokens['mei']}?lang=ja", headers=french)) == "ja"
    elsewhere = sign(LinkPurpose.subscription, subscriber_id=numbers["bat"], campaign_id=99)
    assert language_of(send_request(url, "GET", f"/u/{elsewhere}", headers=french)) == "mn"


def test_a_page_without_a_reader_is_in_the_browsers_language(url: str) -> None:
    for path in ("/e/", "/link", "/u/wrong", "/nothing"):
        assert (
            language_of(send_request(url, "GET", path, headers={"accept-language": "de, mn-MN;q=0.5"}))
            == "mn"
        )
        assert language_of(send_request(url, "GET", path)) == "en"
    refused = send_request(
        url, "POST", "/link", b"", {"sec-fetch-site": "cross-site", "accept-language": "ko"}
    )
    assert (refused.status, language_of(refused)) == (403, "ko")


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_response_to_a_button_is_in_the_language_of_the_button(
    workspace: Workspace, url: str, tag: str
) -> None:
    with opened_engine(workspace) as engine:
        token = add_reader(engine, workspace.keys, "mei@example.org")
        shown = send_request(url, "GET", f"/u/{token}?lang={tag}").text
        assert f'<input type="hidden" name="lang" value="{tag}">' in shown
        assert f'action="/u/{token}?lang={tag}"' in shown
        left = send_request(
            url, "POST", f"/u/{token}", f"lang={tag}".encode(), {**OWN, "accept-language": "en"}
        )
        assert language_of(left) == tag
        back = send_request(url, "POST", f"/u/{token}/undo", f"lang={tag}&from=undo".encode(), OWN)
        assert language_of(back) == tag
