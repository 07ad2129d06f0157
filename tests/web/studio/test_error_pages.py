"""What went wrong is said in words for who works in Studio, not for a reader with a link in an email."""

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import Session, update

from mailer.database.team_models import Role, TeamMember
from tests.web.site import send_request
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
        page.get_by_role("link", name="Home", exact=True).last.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Home")


@pytest.mark.parametrize("path", ["/editions/nowhere", "/nothing/at/all", "/log"])
def test_a_member_stays_in_studio_and_in_their_language(studio: Studio, path: str) -> None:
    cookie = {"cookie": studio.sign_in(studio.add_member(Role.author)), "accept-language": "en"}
    english = send_request(studio.url, "GET", f"/studio{path}", headers=cookie).text
    assert 'href="/studio/editions">Editions</a></li>' in english
    with Session(studio.engine) as session:
        session.exec(update(TeamMember).values(language="fr"))
        session.commit()
    french = send_request(studio.url, "GET", f"/studio{path}", headers=cookie).text
    assert '<html lang="fr">' in french
    stranger = send_request(studio.url, "GET", "/studio/nothing/at/all")
    assert (stranger.status, "<nav" in stranger.text) == (404, False)
