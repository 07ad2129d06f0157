"""The links of a test of a newsletter: whoever clicks is told that it was a test, and nothing changes."""

from urllib.parse import urlencode

import pytest

from mailer.web.app import create_app
from mailer.workspace import Workspace
from tests.web.site import (
    NOW,
    add_archived_edition,
    add_reader,
    dump_tables,
    opened_engine,
    send_request,
    served,
)

FORM = {"content-type": "application/x-www-form-urlencoded"}
SAID = {
    "en": "This was a test.",
    "zh-Hans": "这是一次测试。",
    "ja": "これはテストです。",
    "ko": "테스트였습니다.",
    "mn": "Энэ бол туршилт байсан.",
    "fr": "C’était un test.",
}


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    return either_workspace


def test_every_page_and_form_says_so_and_changes_nothing(workspace: Workspace) -> None:
    token = workspace.keys.tokens.sign_test()
    one_click = b"List-Unsubscribe=One-Click"
    form = urlencode({"name": "Somebody else", "reason": "content", "wish": "erase", "lang": "en"}).encode()
    own = FORM | {"sec-fetch-site": "same-origin"}
    with opened_engine(workspace) as engine, served(create_app(workspace, clock=lambda: NOW)) as running:
        add_reader(engine, workspace.keys, "mei@example.org")
        add_archived_edition(workspace, engine)
        before = dump_tables(engine)
        pages = (f"/u/{token}", f"/u/{token}/undo", f"/p/{token}", f"/p/{token}/look", f"/p/{token}/data")
        for path in pages:
            page = send_request(running.url, "GET", path)
            assert (page.status, SAID["en"] in page.text) == (200, True), path
        posts = (*pages, f"/u/{token}/reason", f"/p/{token}/stay")
        answers = [send_request(running.url, "POST", path, form, own) for path in posts]
        answers.append(send_request(running.url, "POST", f"/u/{token}?lang=fr", one_click, FORM))
        assert [answer.status for answer in answers] == [200] * len(answers)
        assert all(SAID["en"] in answer.text for answer in answers[:-1])
        assert dump_tables(engine) == before


def test_it_is_said_in_the_language_of_the_mail(workspace: Workspace) -> None:
    token = workspace.keys.tokens.sign_test()
    with served(create_app(workspace, clock=lambda: NOW)) as running:
        for language, words in SAID.items():
            page = send_request(
                running.url, "GET", f"/u/{token}?lang={language}", headers={"accept-language": "ko"}
            )
            assert words in page.text
            assert f'<html lang="{language}">' in page.text


def test_a_link_that_is_no_link_of_a_test_is_still_not_found(workspace: Workspace) -> None:
    token = workspace.keys.tokens.sign_test()
    with served(create_app(workspace, clock=lambda: NOW)) as running:
        assert send_request(running.url, "GET", f"/u/{token[:-1]}").status == 404
        assert send_request(running.url, "GET", f"/confirm/{token}").status == 404
