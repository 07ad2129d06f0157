"""Passkeys in Chromium, with an authenticator of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlmodel import Session, select

from mailer.database.team_models import MemberPasskey, TeamSession
from tests.web.site import collect_browser_errors
from tests.web.studio.conftest import Studio
from tests.web.studio.sign_in.visitor import visiting

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@contextmanager
def holding_authenticator(context: BrowserContext, **options: bool) -> Iterator[Page]:
    """A page of a browser with a device that makes passkeys, and answers at once when asked for one."""
    page = context.new_page()
    errors = collect_browser_errors(page)
    protocol = context.new_cdp_session(page)
    protocol.send("WebAuthn.enable")
    protocol.send("WebAuthn.addVirtualAuthenticator", {"options": {**AUTHENTICATOR, **options}})
    yield page
    assert [error for error in errors if "status of 4" not in error] == []


def add_passkey(page: Page, url: str, name: str = "My laptop") -> None:
    page.goto(f"{url}/account")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("What is this device called?").fill(name)
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_text("Your passkey is added")).to_be_visible()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You have signed out.")).to_be_visible()


@pytest.fixture
def context(studio: Studio, browser: Browser) -> Iterator[BrowserContext]:
    with studio.open_context(browser, studio.add_member()) as context:
        yield context


def test_a_passkey_is_made_used_renamed_and_removed(studio: Studio, context: BrowserContext) -> None:
    with holding_authenticator(context) as page:
        # A browser that offers nothing in the address field, or the next page would sign in by itself.
        page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
        add_passkey(page, studio.url)
        sign_out(page)
        page.goto(f"{studio.url}/sign-in?next=/account")
        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url(f"{studio.url}/account")
        page.get_by_role("link", name="Rename or remove My laptop").click()
        page.get_by_label("Name").fill("Office laptop")
        page.get_by_role("button", name="Save the name").click()
        page.get_by_role("link", name="Rename or remove Office laptop").click()
        page.get_by_role("button", name="Remove this passkey").click()
        expect(page.get_by_text("The passkey is removed")).to_be_visible()
        with Session(studio.engine) as session:
            assert session.exec(select(MemberPasskey)).all() == []


def test_a_passkey_is_offered_in_the_address_field(studio: Studio, context: BrowserContext) -> None:
    with holding_authenticator(context) as page:
        add_passkey(page, studio.url)
        context.clear_cookies()
        page.goto(f"{studio.url}/sign-in")
        # The device answers at once what a person would choose from the list.
        page.wait_for_url(f"{studio.url}/")


def test_a_pressed_button_ends_an_offer_that_has_not_begun(studio: Studio, context: BrowserContext) -> None:
    with holding_authenticator(context) as page:
        # The browser says that it can offer one only when the button has asked already.
        page.add_init_script("""
            const get = navigator.credentials.get.bind(navigator.credentials);
            let letOffer;
            PublicKeyCredential.isConditionalMediationAvailable = () =>
              new Promise((resolve) => { letOffer = resolve; });
            navigator.credentials.get = async (options) => {
              letOffer(true);
              // What waits for that goes on before the next task.
              await new Promise((resolve) => { setTimeout(resolve); });
              return get(options);
            };
        """)
        add_passkey(page, studio.url)
        sign_out(page)
        page.goto(f"{studio.url}/sign-in?next=/account")
        asked = []
        page.on("request", lambda request: asked.append(request.url) if "options" in request.url else None)
        page.get_by_role("button", name="Use a passkey").click()
        page.wait_for_url(f"{studio.url}/account")
        assert len(asked) == 1


def test_a_passkey_proves_again_who_one_is(studio: Studio, context: BrowserContext) -> None:
    with holding_authenticator(context) as page:
        add_passkey(page, studio.url)
        with Session(studio.engine) as session:
            for row in session.exec(select(TeamSession)).all():
                row.confirmed_at = row.created_at.replace(year=2020)
                session.add(row)
            session.commit()
        page.goto(f"{studio.url}/account/password")
        expect(page.get_by_role("heading", level=1)).to_have_text("Show that it is you")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your new password")


def test_adding_one_ends_every_other_session(studio: Studio, context: BrowserContext) -> None:
    with visiting(studio) as elsewhere, holding_authenticator(context) as page:
        with Session(studio.engine) as session:
            member_id = session.exec(select(TeamSession.member_id)).one()
        from mailer.team.members import find_member

        with Session(studio.engine) as session:
            member = find_member(session, member_id)
        assert member is not None
        elsewhere.client.cookies.set("studio", studio.sign_in(member).partition("=")[2])
        assert elsewhere.is_signed_in()
        add_passkey(page, studio.url)
        assert not elsewhere.is_signed_in()
        page.goto(f"{studio.url}/account")
        expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


def test_a_device_that_does_not_ask_who_holds_it_is_not_enough(
    studio: Studio, context: BrowserContext
) -> None:
    with holding_authenticator(context, isUserVerified=False) as page:
        page.goto(f"{studio.url}/account/passkeys/new")
        page.get_by_label("What is this device called?").fill("Somebody's key")
        page.get_by_role("button", name="Make the passkey").click()
        expect(page.get_by_text("No passkey was made.").filter(visible=True)).to_be_visible()
        expect(page.get_by_label("What is this device called?")).to_have_value("Somebody's key")


def test_an_answer_works_once_and_only_for_its_own_question(studio: Studio, context: BrowserContext) -> None:
    sent: list[str] = []

    def keep(request: object) -> None:
        if getattr(request, "method") == "POST" and getattr(request, "url").endswith("/sign-in/passkey"):  # noqa: B009
            sent.append(getattr(request, "post_data"))  # noqa: B009

    with holding_authenticator(context) as page:
        page.on("request", keep)
        add_passkey(page, studio.url)
        context.clear_cookies()
        page.goto(f"{studio.url}/sign-in")
        page.wait_for_url(f"{studio.url}/")
        ticket = next(one for one in context.cookies() if one["name"] == "studio-passkey")["value"]
    (body,) = sent
    with visiting(studio) as thief:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        # Replayed with the ticket of the browser that was asked, with a new one, and with none.
        for cookie in (ticket, "", None):
            if cookie == "":
                thief.post("/sign-in/passkey/options")
            elif cookie is not None:
                thief.client.cookies.set("studio-passkey", cookie)
            answer = thief.client.post(f"{studio.url}/sign-in/passkey", content=body, headers=headers)
            assert answer.status_code == 422
            assert "This passkey was not accepted" in answer.text
            thief.client.cookies.clear()


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps({"id": "x", "response": {}}),
        json.dumps({"id": ["x"], "response": 1}),
        "[" * 9000,
    ],
)
def test_answers_that_are_none_are_refused_in_words(studio: Studio, credential: str) -> None:
    with visiting(studio) as visitor:
        visitor.post("/sign-in/passkey/options")
        answer = visitor.post("/sign-in/passkey", credential=credential)
        assert (answer.status_code, "This passkey was not accepted" in answer.text) == (422, True)


def test_without_script_the_page_says_what_is_missing(studio: Studio, browser: Browser) -> None:
    member = studio.add_member()
    with studio.open_context(browser, member, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{studio.url}/account/passkeys/new")
        page.get_by_label("What is this device called?").fill("My laptop")
        page.get_by_role("button", name="Make the passkey").click()
        expect(page.get_by_text("No passkey was made.").filter(visible=True)).to_be_visible()
