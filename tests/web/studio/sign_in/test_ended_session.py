"""A session that has ended: nobody loses what they have typed."""

import html
import re
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect

from mailer.team.sessions import TicketPurpose, TicketSigner
from mailer.web.studio.sign_in.arrival import check_next_path
from tests.web.site import write_form_data
from tests.web.studio.conftest import Studio
from tests.web.studio.sign_in.visitor import visiting

BESIDE = "/studio/sign-in?next=%2Fsigned-in"


def read_hidden_fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {html.unescape(name): html.unescape(value) for name, value in found}


def test_a_page_leads_to_the_sign_in_and_back_with_its_query(studio: Studio) -> None:
    with visiting(studio) as visitor:
        answer = visitor.get("/account?lang=fr&notice=x")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/studio/sign-in?next=%2Faccount%3Flang%3Dfr%26notice%3Dx"


def test_a_script_is_told_where_to_sign_in(studio: Studio) -> None:
    with visiting(studio, accept="application/json") as visitor:
        for answer in (visitor.post("/account", name="Ann"), visitor.get("/account")):
            assert (answer.status_code, answer.json()) == (401, {"sign_in": BESIDE})


def test_a_fragment_puts_its_notice_above_the_page_and_touches_nothing_else(studio: Studio) -> None:
    with visiting(studio, **{"hx-request": "true"}) as visitor:
        for answer in (visitor.post("/account", name="Ann"), visitor.get("/account")):
            assert answer.status_code == 401
            assert answer.headers["hx-retarget"] == "#session-notice"
            assert answer.text.lstrip().startswith('<div id="session-notice"')
            assert BESIDE in answer.text


@given(
    fields=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=60),
        max_size=4,
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_field_that_was_sent_comes_back_to_be_sent_again(
    studio: Studio, fields: dict[str, str]
) -> None:
    kept = {name: value for name, value in fields.items() if "password" not in name}
    with visiting(studio) as visitor:
        answer = visitor.post("/account", **{"text": "two\r\nlines", **kept})
        assert answer.status_code == 401
        assert read_hidden_fields(answer.text) == {"text": "two\r\nlines", **kept}


def test_no_password_is_sent_back_into_a_page(studio: Studio) -> None:
    with visiting(studio) as visitor:
        answer = visitor.post("/account/password", password="correct battery horse")
        assert answer.status_code == 401
        assert "correct battery horse" not in answer.text


def test_the_words_beside_a_file_are_kept_and_the_file_is_named_as_missing(studio: Studio) -> None:
    body, kind = write_form_data({"picture": b"\x89PNG"})
    text = b'\r\nContent-Disposition: form-data; name="alt"\r\n\r\nA boat \xe2\x80\x94 on the river\r\n'
    boundary = kind.partition("boundary=")[2].encode()
    body = b"--" + boundary + text + body
    with visiting(studio) as visitor:
        answer = visitor.client.post(f"{studio.url}/account", content=body, headers={"content-type": kind})
        assert answer.status_code == 401
        assert read_hidden_fields(answer.text) == {"alt": "A boat — on the river"}
        assert 'enctype="multipart/form-data"' in answer.text
        assert "choose them again" in answer.text


@pytest.mark.parametrize("is_known", [True, False])
def test_a_large_form_is_kept_only_where_somebody_was_signed_in(studio: Studio, is_known: bool) -> None:
    text = "A boat on the river. " * 20_000
    known = TicketSigner(studio.workspace.keys.suppression).make(
        TicketPurpose.known, {}, lifetime=timedelta(days=1), now=studio.clock()
    )
    cookie = {"cookie": f"studio-known={known}"} if is_known else {}
    with visiting(studio, **cookie) as visitor:
        answer = visitor.post("/editions/2026-1/details", text=text)
        assert answer.status_code == 401
        assert "Your session has ended" in answer.text
        assert read_hidden_fields(answer.text) == ({"text": text} if is_known else {})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"&".join(b"a=b" for _ in range(500)), "application/x-www-form-urlencoded"),
        (b"\xff\xfe=\x00", "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
        (b"{", "application/json"),
    ],
)
def test_what_is_no_form_is_answered_all_the_same(studio: Studio, body: bytes, kind: str) -> None:
    with visiting(studio) as visitor:
        answer = visitor.client.post(f"{studio.url}/account", content=body, headers={"content-type": kind})
        assert answer.status_code == 401
        assert "Your session has ended" in answer.text


def test_without_script_one_signs_in_beside_and_sends_it_again(studio: Studio, browser: Browser) -> None:
    member = studio.add_member()
    with studio.open_context(browser, member, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{studio.url}/account")
        page.get_by_label("Your name").fill("Ann “Ann” Autor & Söhne")
        context.clear_cookies()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your session has ended")
        with context.expect_page() as opened:
            page.get_by_role("link", name="Sign in, in a new tab").click()
        beside = opened.value
        expect(beside.get_by_role("heading", level=1)).to_have_text("Sign in")
        secret = studio.sign_in(member).partition("=")[2]
        context.add_cookies([{"name": "studio", "value": secret, "domain": "localhost", "path": "/"}])
        beside.reload()
        expect(beside.get_by_text("You may close this tab")).to_be_visible()
        page.get_by_role("button", name="Send it again").click()
        expect(page.get_by_text("Your account is saved.")).to_be_visible()
        expect(page.get_by_label("Your name")).to_have_value("Ann “Ann” Autor & Söhne")


@given(st.text(max_size=60))
def test_a_path_to_go_on_to_is_one_of_ours_or_nothing(text: str) -> None:
    checked = check_next_path(text)
    assert checked in {"", text}
    if checked:
        assert checked.startswith("/")
        assert not checked.startswith("//")
        assert not set(checked) & set("\\\r\n\t ")
