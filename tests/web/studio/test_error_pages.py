"""What went wrong is said in words for who works in Studio, not for a reader with a link in an email."""

import pytest
from playwright.sync_api import Browser, expect

from mailer.database.team_models import Role
from tests.web.studio.conftest import Studio


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/editions/nowhere", "There is nothing here"),
        ("/nothing/at/all", "There is nothing here"),
        ("/log", "Your role does not allow this"),
        ("/sign-out", "That does not work here"),
    ],
)
def test_the_page_says_what_it_means_and_leads_on(
    studio: Studio, browser: Browser, path: str, title: str
) -> None:
    with studio.browse(browser, studio.add_member(Role.author)) as page:
        page.goto(f"{studio.url}{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        expect(page.locator("body")).not_to_contain_text("email")
        page.get_by_role("link", name="Home", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Home")
