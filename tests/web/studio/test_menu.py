"""The menu: a column beside the work, and on a phone one line that opens it, with or without script."""

import pytest
from playwright.sync_api import Browser, Page, expect

from mailer.database.team_models import Role
from tests.web.studio.conftest import Studio
from tests.web.studio.editions.studio_client import StudioClient

PHONE = {"width": 390, "height": 844}


def is_said_to_be_open(page: Page) -> object:
    """What the browser tells a screen reader of the button, which no attribute says."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    (button,) = [node for node in nodes if node.get("name", {}).get("value") == "Menu" and node["properties"]]
    return {one["name"]: one["value"]["value"] for one in button["properties"]}["expanded"]


def test_on_a_desk_the_menu_stands_beside_the_work(studio: Studio, browser: Browser) -> None:
    with studio.browse(browser, studio.add_member(Role.manager)) as page:
        page.goto(f"{studio.url}/editions")
        menu = page.get_by_role("navigation", name="Studio")
        expect(menu.get_by_role("link", name="Editions")).to_have_attribute("aria-current", "page")
        expect(page.get_by_role("button", name="Menu")).to_be_hidden()
        out = page.get_by_role("button", name="Sign out").bounding_box()
        assert out is not None
        assert out["y"] > 700, "at the foot of the column"


@pytest.mark.parametrize("script", [True, False])
def test_on_a_phone_the_menu_is_one_line_that_keys_open_and_close(
    studio: Studio, browser: Browser, script: bool
) -> None:
    member = studio.add_member(Role.manager)
    with studio.browse(browser, member, viewport=PHONE, java_script_enabled=script) as page:
        page.goto(f"{studio.url}/editions")
        rail = page.locator(".rail").bounding_box()
        assert rail is not None
        assert rail["height"] <= 64
        editions, button = page.get_by_role("link", name="Editions"), page.get_by_role("button", name="Menu")
        expect(editions).to_be_hidden()
        assert is_said_to_be_open(page) is False
        button.focus()
        page.keyboard.press("Enter")
        expect(editions).to_be_visible()
        expect(editions).to_have_attribute("aria-current", "page")
        assert is_said_to_be_open(page) is True
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Home")).to_be_focused()
        page.keyboard.press("Escape")
        expect(editions).to_be_hidden()
        expect(button).to_be_focused()
        button.click()
        page.get_by_role("link", name="Partners").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Partners")
        expect(page.get_by_role("link", name="Editions")).to_be_hidden()


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("/", "/"),
        ("/corrections/new", "/campaigns"),
        ("/machines", "/campaigns"),
        ("/outbox", "/campaigns"),
        ("/reports", "/campaigns"),
        ("/trial", "/campaigns"),
        ("/exports", "/partners"),
        ("/imports", "/partners"),
        ("/sign-ups", "/partners"),
        ("/log", "/team"),
        ("/account/password", "/account"),
    ],
)
def test_the_menu_marks_where_a_page_belongs(studio: Studio, path: str, section: str) -> None:
    page = StudioClient(studio, Role.manager).get(path)
    assert page.status == 200
    assert f'<a href="/studio{section}" aria-current="page">' in page.text
    assert page.text.count('aria-current="page"') == 1
