"""A member's browser at Studio, and what every journey in it begins with."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, expect
from sqlmodel import Session

from mailer.team.members import Member
from mailer.team.sign_in_links import create_first_link
from mailer.web.dependencies import utc_now
from tests.web.site import collect_browser_errors
from tests.web.studio.conftest import WIDE, Studio

EDITION = "2026-1"
LONG = 60_000
"""Milliseconds in which a machine that does much else answers."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A member's browser. ``scripts`` says whether it runs any."""

    page: Page
    studio: Studio
    scripts: bool

    def open(self, path: str) -> None:
        self.page.goto(f"{self.studio.url}{path}")

    def press(self, name: str) -> None:
        """Press the button called ``name``, the first if there are several."""
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).first.click()

    @property
    def body(self) -> Locator:
        """Where the text is written: the editor, or the Markdown field without script."""
        place = "story-editor [role=textbox]" if self.scripts else "#body"
        return self.page.locator(place)

    def write(self, words: str) -> None:
        if self.scripts:
            self.body.click()
            self.page.keyboard.type(words)
        else:
            self.body.fill(words)

    def save(self) -> None:
        """Save with the button, and wait for the answer: with scripts, the page stays and says the time."""
        saving = self.page.locator("#saving")
        tells = self.scripts and saving.count() > 0
        self.page.locator("[data-save]").first.click()
        if tells:
            expect(saving).to_contain_text("Saved at", timeout=LONG)
        else:
            self.page.wait_for_load_state()

    def read(self, *words: str, place: str = "main") -> None:
        """Wait until the page has all of ``words``."""
        for one in words:
            expect(self.page.locator(place).first).to_contain_text(one, timeout=LONG)


@contextlib.contextmanager
def opened_desk(
    browser: Browser, studio: Studio, member: Member | None = None, *, scripts: bool = True, **options: object
) -> Iterator[Desk]:
    """A browser of its own, in which ``member`` is signed in; any error in it fails the test."""
    context = browser.new_context(**{"viewport": WIDE, "java_script_enabled": scripts, **options})  # type: ignore[arg-type]
    if member is not None:
        secret = studio.sign_in(member).partition("=")[2]
        host = urlsplit(studio.url).hostname or ""
        context.add_cookies([{"name": "studio", "value": secret, "domain": host, "path": "/"}])
    page = context.new_page()
    page.set_default_timeout(LONG)
    errors = collect_browser_errors(page)
    try:
        yield Desk(page=page, studio=studio, scripts=scripts)
    finally:
        context.close()
    assert [error for error in errors if "status of 422" not in error] == []


def make_the_first_account(manager: Desk) -> None:
    """Mei Manager opens the link of the first account of an empty team."""
    with Session(manager.studio.engine) as session:
        secret = create_first_link(session, now=utc_now())
        session.commit()
    manager.open(f"/first/{secret}")
    manager.page.get_by_label("Your name").fill("Mei Manager")
    manager.page.get_by_label("Your email address").fill("mei@example.org")
    manager.press("Open Studio")
    expect(manager.page.get_by_role("heading", level=1)).to_have_text("Home")


def begin_edition(author: Desk, subject: str, preheader: str) -> None:
    """Make the edition :data:`EDITION`, empty."""
    author.follow("Editions")
    author.follow("New edition")
    author.page.get_by_role("link", name="Empty").click()
    author.page.get_by_label("Name", exact=True).fill(EDITION)
    author.page.get_by_label("Title").fill("Our bulletin")
    author.press("Make edition")
    author.open(f"/editions/{EDITION}/details")
    author.page.locator("#subject").fill(subject)
    author.page.locator("#preheader").fill(preheader)
    author.save()


def add_story(author: Desk, title: str, sector: str, text: str) -> None:
    author.open(f"/editions/{EDITION}")
    author.follow("Add story")
    author.page.get_by_label("Heading").fill(title)
    author.page.get_by_label("Sector").select_option(label=sector)
    author.press("Add story")
    author.write(text)
    author.save()
