"""The first page of Studio."""

from playwright.sync_api import Browser, expect

from mailer.database.team_models import Role
from tests.web.studio.conftest import Studio


def test_the_first_page_names_who_is_signed_in(studio: Studio, browser: Browser) -> None:
    member = studio.add_member(Role.author, "Ann Author")
    with studio.browse(browser, member) as page:
        page.goto(f"{studio.url}/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Home")
        expect(page.locator(".self")).to_contain_text("Ann Author")
