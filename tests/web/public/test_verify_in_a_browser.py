"""The page whether a mail is from us, in a real browser: by keyboard, without JavaScript, on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from mailer.web.app import create_app
from mailer.workspace import Workspace
from tests.factories.submitted_mails import Sender, forward_by_outlook, make_sender, turn_links_away
from tests.web.site import collect_browser_errors, opened_engine, served


@pytest.fixture
def sender(workspace: Workspace) -> Iterator[Sender]:
    with opened_engine(workspace) as engine:
        yield make_sender(workspace, engine)


@pytest.fixture
def url(sender: Sender) -> Iterator[str]:
    with served(create_app(sender.workspace)) as running:
        yield running.url


@pytest.fixture(params=[True, False], ids=["with script", "without"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    viewport = {"width": 375, "height": 740}
    with browser.new_context(viewport=viewport, java_script_enabled=request.param) as context:  # type: ignore[arg-type]
        page = context.new_page()
        errors = collect_browser_errors(page)
        yield page
        assert errors == []
        assert context.cookies() == []


def choose(page: Page, mail: bytes) -> None:
    file = {"name": "newsletter.eml", "mimeType": "message/rfc822", "buffer": mail}
    page.get_by_label("Or the whole email, as a file").set_input_files(files=[file])  # type: ignore[list-item]
    page.get_by_role("button", name="Check the email").press("Enter")


def test_the_code_is_typed_and_checked_by_keyboard_alone(sender: Sender, url: str, page: Page) -> None:
    page.goto(f"{url}/verify?lang=en")
    page.get_by_label("The code at the foot of the email").focus()
    page.keyboard.type(sender.write_code(5).lower().replace("-", " "))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("This code is ours")
    page.get_by_role("link", name="Read this edition on our site").press("Enter")
    expect(page.get_by_role("heading", name="What we did this autumn").first).to_be_visible()


def test_a_file_is_chosen_and_answered(sender: Sender, url: str, page: Page) -> None:
    page.goto(f"{url}/verify?lang=en")
    choose(page, forward_by_outlook(sender.build(5)))
    expect(page.get_by_role("heading", level=1)).to_have_text("Yes, these are our words")
    choose(page, turn_links_away(sender.build(5)))
    expect(page.get_by_role("heading", level=1)).to_have_text("Careful: this email was changed")
    expect(page.get_by_role("status")).to_contain_text("login.evil.example")
    wide = page.locator("html").evaluate("page => page.scrollWidth > page.clientWidth")
    assert not wide


def test_what_a_mail_says_is_shown_as_text(sender: Sender, url: str, page: Page) -> None:
    page.goto(f"{url}/verify?lang=en")
    lure = turn_links_away(sender.build(5)).replace(
        b"login.evil.example", b"<script>alert(1)</script>.evil.example"
    )
    choose(page, lure)
    expect(page.get_by_role("heading", level=1)).to_have_text("Careful: this email was changed")
    assert page.locator("script").count() == 0
