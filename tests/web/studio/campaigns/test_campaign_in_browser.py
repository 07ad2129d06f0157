"""What a browser with its script makes of a campaign that is being prepared, and one without."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from mailer.web.mail_preview.prepared_mail import MAX_VERSIONS
from tests.web.studio.campaigns.conftest import Desk

LONG = 60_000
"""Milliseconds in which a machine that does much else compiles an edition."""


@pytest.fixture
def page(desk: Desk, browser: Browser) -> Iterator[Page]:
    assert desk.author is not None
    with desk.house.studio.browse(browser, desk.author) as page:
        yield page


def test_the_checklist_completes_itself_and_the_contact_sheet_shows_the_mails(desk: Desk, page: Page) -> None:
    number = desk.prepare()
    desk.write("stories/030-new.md", "---\ntitle: A story that is new\n---\n\nText.\n")
    page.goto(f"{desk.house.studio.url}/campaigns/{number}")
    expect(page.locator("#checklist")).to_contain_text("4 partners", timeout=LONG)
    expect(page.locator("#checklist")).to_contain_text("you have looked at 0", timeout=LONG)
    expect(page.locator("#checklist")).not_to_contain_text("Looking…")
    page.evaluate("document.getElementById('sheet').scrollIntoView()")
    sheet = page.locator(".contact > li")
    expect(sheet).not_to_have_count(0)
    assert sheet.count() <= MAX_VERSIONS
    mail = page.frame_locator(".contact > li:first-child iframe").locator("body")
    expect(mail).to_contain_text("A story that is new")
    assert page.locator(".contact iframe").first.evaluate("frame => frame.offsetWidth") < 800
    # A picture of the mail is no place to stop at: the link below it is.
    page.locator(".contact a").first.focus()
    page.keyboard.press("Tab")
    expect(page.locator(".contact a").nth(1)).to_be_focused()


def test_alt_and_the_arrows_lead_from_version_to_version(desk: Desk, page: Page) -> None:
    number = desk.prepare()
    page.goto(f"{desk.house.studio.url}/campaigns/{number}/versions")
    page.get_by_role("link", name="Version 1", exact=True).click()
    expect(page.locator("h1")).to_have_text("Version 1 of 3")
    page.keyboard.press("Alt+ArrowRight")
    expect(page.locator("h1")).to_have_text("Version 2 of 3")
    page.keyboard.press("Alt+ArrowLeft")
    expect(page.locator("h1")).to_have_text("Version 1 of 3")
    # Ctrl Enter is the filled button.
    page.keyboard.press("Control+Enter")
    expect(page.locator("h1")).to_have_text("Version 2 of 3")
    page.goto(f"{desk.house.studio.url}/campaigns/{number}/versions")
    expect(page.locator(".contact > li").first).to_contain_text("You have looked at it")


def test_boxes_and_line_say_the_same_while_one_chooses(desk: Desk, page: Page) -> None:
    number = desk.begin()
    page.goto(f"{desk.house.studio.url}/campaigns/{number}/segment")
    page.get_by_label("Mongolia").check()
    expect(page.locator("#q")).to_have_value("country:MN")
    expect(page.locator("#q-words")).to_contain_text("Partners in Mongolia.")
    expect(page.locator("#q-count")).to_contain_text("1 partner at")
    page.get_by_label("Query").fill("country:MN,CN")
    expect(page.locator("#q-count")).to_contain_text("2 partners at")
    page.get_by_label("Query").fill("country:MN")
    expect(page.locator("#q-count")).to_contain_text("1 partner at")
    page.get_by_role("button", name="Save who gets it").click()
    expect(page.locator(".notice.right")).to_contain_text("Your choice is saved.")
    assert desk.read(number).decisions.segment == "country:MN"


def test_a_campaign_is_prepared_without_any_script(desk: Desk, browser: Browser) -> None:
    assert desk.author is not None
    with desk.house.studio.browse(browser, desk.author, java_script_enabled=False) as page:
        page.goto(f"{desk.house.studio.url}/campaigns")
        page.get_by_role("link", name="Prepare a campaign").click()
        page.get_by_role("radio").first.check()
        page.get_by_role("button", name="Prepare a campaign of it").click()
        page.get_by_role("link", name="Choose who gets it").click()
        page.get_by_label("Mongolia").check()
        page.get_by_role("button", name="Save who gets it").click()
        look = page.get_by_role("link", name="Look now")
        while look.count():
            look.click()
        expect(page.locator("#checklist")).to_contain_text("1 partner")
        page.get_by_role("link", name="Tests", exact=True).click()
        page.get_by_label("To whom").fill("ann@office.example")
        page.get_by_role("button", name="Send the test").click()
        expect(page.locator(".notice.right")).to_contain_text("The test is sent.")
    assert desk.relay.recipients == ["ann@office.example"]
