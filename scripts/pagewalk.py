"""The readers' pages on a phone: one reader's walk through all of them, in each of their languages.

Every page is pictured in each language, by day and by night in turn, and the pictures make one sheet.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from babel import Locale
from PIL import Image
from playwright.sync_api import Browser, Page
from sheets import put_in_rows, save_page
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.launching import launch
from mailer.campaigns.planning import plan_campaign
from mailer.rendering.tongue import LANGUAGES
from mailer.web.application import create_app
from mailer.web.serving import start_in_thread
from mailer.workspace import Workspace, open_workspace
from subscribers.links import issue_link
from subscribers.listing import find_subscriber
from subscribers.models import Status, Subscriber, SubscriberSector
from subscribers.segment import parse_segment
from subscribers.tokens import Purpose

TITLES = {
    "leave": "Leaving: what is behind the link in every mail",
    "left": "After one press: a way to undo it, and to say why",
    "thanked": "Thanks for saying why",
    "away": "The same link later",
    "returned": "Coming back",
    "preferences": "Preferences",
    "saved": "Preferences, saved",
    "data": "One's data and one's address",
    "mailed": "A fresh link is on its way",
    "export": "A copy of one's data",
    "address": "Another address",
    "move": "The other address, to be confirmed from its mailbox",
    "moved": "Moved",
    "erase": "Being forgotten",
    "erased": "Forgotten",
    "spent": "A link that worked already",
    "subscribe": "Signing up",
    "confirm": "Confirming it from the mailbox",
    "confirmed": "Welcome",
    "link": "For people without a mail at hand",
    "editions": "The archive",
    "error": "No such page",
}
"""Each page by its template, in the order of the walk; ``saved`` is what preferences come to."""

BRIEF = ("mailed", "export", "move", "moved", "erased", "spent", "confirmed")
"""Pages of a sentence or two."""

_IN_A_ROW = 3
_PHONE = {"width": 375, "height": 740}
_SENT = datetime(2022, 1, 17, 9, 0, tzinfo=UTC)
"""When the edition went out; the archive says so, and a picture must not change with the day it is taken."""

_ENVIRON = {
    "MAILER_WEB__SIGN_UP": "true",
    "MAILER_WEB__BASE_URL": "https://newsletter.example.org",
    "MAILER_CAMPAIGNS__ARCHIVE": "true",
}
Step = tuple[str, Callable[[], object]]


def take_pages(browser: Browser, root: Path, output: Path) -> None:
    """Write page-*.png, a sheet of every page in all languages."""
    workspace = open_workspace(root, environ=_ENVIRON)
    engine = workspace.open_database()
    _send_edition(workspace, engine)
    running = start_in_thread(create_app(workspace))
    try:
        walks = {
            tag: _walk(browser, Reader(workspace, engine, running.url, tag), is_dark=number % 2 == 1)
            for number, tag in enumerate(LANGUAGES)
        }
    finally:
        running.stop()
        engine.dispose()
    for name in TITLES:
        sheet = put_in_rows([walks[tag][name] for tag in choose_languages(name)], of=_IN_A_ROW)
        save_page(sheet, output / f"page-{name}.png")


def choose_languages(name: str) -> tuple[str, ...]:
    """The languages a page is pictured in: all of them, or for a brief one English and another in turn."""
    if name not in BRIEF:
        return LANGUAGES
    source, *others = LANGUAGES
    return source, others[BRIEF.index(name) % len(others)]


def describe_pages() -> Iterator[str]:
    """Their part of docs/gallery.md."""
    yield (
        "\n## The readers' pages\n\nOn a phone, by day and by night: English, Chinese and Japanese above, "
        "Korean, Mongolian and French below; pages of a sentence or two in English and one of the others.\n"
    )
    for name, title in TITLES.items():
        tags = choose_languages(name)
        names = [Locale.parse(tag, sep="-").get_language_name("en") for tag in tags]
        languages = "six languages" if name not in BRIEF else " and ".join(map(str, names))
        yield f"\n### {title}\n\n![{title}, in {languages}](images/page-{name}.png)\n"


def _send_edition(workspace: Workspace, engine: Engine) -> None:
    """Launch the edition of the workspace: the archive shows what is on its way, too."""
    slug = next(path.name for path in workspace.editions.iterdir())
    plan = plan_campaign(workspace, engine, slug, parse_segment("all"), now=_SENT)
    launch(engine, workspace, plan, now=_SENT)


def _walk(browser: Browser, reader: Reader, *, is_dark: bool) -> dict[str, Image.Image]:
    page = browser.new_page(viewport=_PHONE, color_scheme="dark" if is_dark else "light")
    pictures = {}
    for name, step in reader.steps(page):
        step()
        pictures[name] = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    return pictures


@dataclass(frozen=True)
class Reader:
    """Somebody who reads in ``tag``, with mailboxes of their own for what cannot be undone."""

    workspace: Workspace
    engine: Engine
    url: str
    tag: str

    def steps(self, page: Page) -> Iterator[Step]:
        """Each page's name, and how to come to it from the page before."""
        link = self._join("mei.lin")
        yield from self._leave(page, link)
        yield "preferences", lambda: self._open(page, f"/p/{link}")
        yield "saved", lambda: self._press(page)
        yield "data", lambda: self._open(page, f"/p/{link}/data")
        yield "mailed", lambda: self._press(page)
        yield "export", lambda: self._open(page, f"/d/export/{self._mail('mei.lin', Purpose.export)}")
        yield from self._move(page)
        yield from self._erase(page)
        yield "subscribe", lambda: self._open(page, "/subscribe")
        yield from self._confirm(page)
        yield "link", lambda: self._open(page, "/link")
        yield "editions", lambda: self._open(page, "/e/")
        yield "error", lambda: self._open(page, "/nowhere")

    def _leave(self, page: Page, link: str) -> Iterator[Step]:
        yield "leave", lambda: self._open(page, f"/u/{link}")
        yield "left", lambda: self._press(page)
        yield "thanked", lambda: self._say_why(page)
        yield "away", lambda: self._open(page, f"/u/{link}")
        yield "returned", lambda: self._press(page)

    def _move(self, page: Page) -> Iterator[Step]:
        self._join("mei.moves")
        naming = self._mail("mei.moves", Purpose.address)
        yield "address", lambda: self._open(page, f"/d/address/{naming}")
        moving = self._mail("mei.moves", Purpose.new_address, f"lin.mei@{self.tag}.example.org")
        yield "move", lambda: self._open(page, f"/d/move/{moving}")
        yield "moved", lambda: self._press(page)

    def _erase(self, page: Page) -> Iterator[Step]:
        self._join("mei.erases")
        erasing = self._mail("mei.erases", Purpose.erase)
        yield "erase", lambda: self._open(page, f"/d/erase/{erasing}")
        yield "erased", lambda: self._press(page)
        yield "spent", lambda: self._open(page, f"/d/erase/{erasing}")

    def _confirm(self, page: Page) -> Iterator[Step]:
        self._join("mei.joins", Status.pending)
        confirming = self._mail("mei.joins", Purpose.confirm)
        yield "confirm", lambda: self._open(page, f"/confirm/{confirming}")
        yield "confirmed", lambda: self._press(page)

    def _open(self, page: Page, path: str) -> None:
        page.goto(f"{self.url}{path}?lang={self.tag}")

    def _press(self, page: Page) -> None:
        with page.expect_navigation():
            page.locator("form button").first.click()

    def _say_why(self, page: Page) -> None:
        page.locator("[name=reason]").first.check()
        with page.expect_navigation():
            page.locator("form button").nth(1).click()

    def _address(self, mailbox: str) -> str:
        return f"{mailbox}@{self.tag}.example.org".lower()

    def _join(self, mailbox: str, status: Status = Status.active) -> str:
        """Put somebody on the list; the link in their newsletter."""
        address = self._address(mailbox)
        with Session(self.engine) as opened:
            person = Subscriber(
                email=address,
                envelope=address,
                name="Mei Lin",
                country="MN",
                status=status,
                created_at=_SENT,
                updated_at=_SENT,
            )
            opened.add(person)
            opened.flush()
            number = person.id or 0
            opened.add(SubscriberSector(subscriber_id=number, sector="education"))
            opened.commit()
        return self.workspace.keys.tokens.sign(Purpose.subscription, subscriber_id=number, campaign_id=1)

    def _mail(self, mailbox: str, purpose: Purpose, detail: str = "") -> str:
        """The token of a link that would be mailed to them now."""
        with Session(self.engine) as opened:
            token = issue_link(
                opened,
                self.workspace.keys.tokens,
                purpose,
                subscriber_id=find_subscriber(opened, self._address(mailbox)).id or 0,
                now=datetime.now(UTC),
                detail=detail,
            )
            opened.commit()
        return token
