"""Take screenshots of the public pages on a phone, in every language, following one reader through all of
them.

Every page is shown in each language, alternately in light and dark mode, and the pictures form one image.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel import Locale
from PIL import Image
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine

from mailer.campaigns.launch import launch
from mailer.campaigns.plan import plan_campaign
from mailer.i18n import LANGUAGES
from mailer.web.app import create_app
from mailer.web.server import start_in_thread
from mailer.workspace import Workspace, open_workspace
from scripts.image_grid import put_in_rows, save_page
from subscribers.segments.segment import parse_segment
from tests.web.reader_walk import Walk

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
"""The title of each page by its template, in order; ``saved`` is the page after saving preferences."""

_TEMPLATE_NAMES = {"preferences saved": "saved", "data asked for": "mailed", "not found": "error"}
"""Names of pages in the walk that differ from the template."""

SHORT_PAGES = ("mailed", "export", "move", "moved", "erased", "spent", "confirmed")
"""Pages with a sentence or two."""

_IN_A_ROW = 3
_PHONE = {"width": 375, "height": 740}
_SENT = datetime(2022, 1, 17, 9, 0, tzinfo=UTC)
"""When the edition was sent: the archive shows it, and the pictures must not change from day to day."""

_ENVIRON = {
    "MAILER_WEB__SIGN_UP": "true",
    "MAILER_WEB__BASE_URL": "https://newsletter.example.org",
    "MAILER_CAMPAIGNS__ARCHIVE": "true",
}


def take_pages(browser: Browser, root: Path, output: Path) -> None:
    """Write page-*.png, an image of every page in all languages."""
    workspace = open_workspace(root, environ=_ENVIRON)
    engine = workspace.open_database()
    _send_edition(workspace, engine)
    running = start_in_thread(create_app(workspace))
    try:
        walks = {
            tag: _walk(
                browser,
                lambda page, tag=tag: Walk(workspace, engine, running.url, page, tag, f"mei.{tag.lower()}"),
                is_dark=number % 2 == 1,
            )
            for number, tag in enumerate(LANGUAGES)
        }
    finally:
        running.stop()
        engine.dispose()
    for name in TITLES:
        sheet = put_in_rows([walks[tag][name] for tag in choose_languages(name)], of=_IN_A_ROW)
        save_page(sheet, output / f"page-{name}.png")


def choose_languages(name: str) -> tuple[str, ...]:
    """Return the languages to show a page in: all, or English and one other for a short page."""
    if name not in SHORT_PAGES:
        return LANGUAGES
    source, *others = LANGUAGES
    return source, others[SHORT_PAGES.index(name) % len(others)]


def describe_pages() -> Iterator[str]:
    """Yield the part of docs/gallery.md about the pages."""
    yield (
        "\n## The readers' pages\n\nOn a phone, by day and by night: English, Chinese and Japanese above, "
        "Korean, Mongolian and French below; pages of a sentence or two in English and one of the others.\n"
    )
    for name, title in TITLES.items():
        tags = choose_languages(name)
        names = [Locale.parse(tag, sep="-").get_language_name("en") for tag in tags]
        languages = "six languages" if name not in SHORT_PAGES else " and ".join(map(str, names))
        yield f"\n### {title}\n\n![{title}, in {languages}](images/page-{name}.png)\n"


def _send_edition(workspace: Workspace, engine: Engine) -> None:
    """Launch the edition, so that it appears in the archive."""
    slug = next(path.name for path in workspace.editions.iterdir())
    plan = plan_campaign(workspace, engine, slug, parse_segment("all"), now=_SENT)
    launch(engine, workspace, plan, now=_SENT)


def _walk(browser: Browser, walk: Callable[[Page], Walk], *, is_dark: bool) -> dict[str, Image.Image]:
    page = browser.new_page(viewport=_PHONE, color_scheme="dark" if is_dark else "light")
    pictures = {}
    for station in walk(page).take():
        if (name := _TEMPLATE_NAMES.get(station, station)) in TITLES:
            pictures[name] = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    return pictures
