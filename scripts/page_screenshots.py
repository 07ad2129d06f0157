"""The readers' pages on a phone: one reader's walk through all of them, in each of their languages.

A page is pictured in each language or in two, by day and by night in turn, and the pictures make one sheet.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
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
from scripts.image_grid import put_beside, put_in_rows, save_drawing, save_page
from subscribers.segments.segment import parse_segment
from tests.web.reader_journey import ReaderJourney

TITLES = {
    "unsubscribe": "Unsubscribe: the page behind the link in every email",
    "unsubscribed": "After one press: undo, or say why",
    "reason_recorded": "Thanks for saying why",
    "not_subscribed": "The same link later",
    "resubscribed": "Subscribed again",
    "preferences": "Preferences",
    "saved": "Preferences, saved",
    "data_requests": "Your data and your address",
    "check_email": "A one-time link is on its way",
    "export": "A copy of the data",
    "change_address": "A new address",
    "confirm_address": "Confirming the new address",
    "address_changed": "Address changed",
    "erase": "Erasing the data",
    "erased": "Data erased",
    "expired_link": "A link that has been used",
    "sign_up": "Signing up",
    "confirm_sign_up": "Confirming the sign-up",
    "sign_up_confirmed": "Welcome",
    "sign_up_waits": "Waiting for the team to admit them",
    "request_link": "Requesting a link",
    "editions": "The archive",
    "accessibility": "The accessibility statement",
    "verify": "Is this really from us?",
    "verified": "A code that is ours",
    "verified_fake": "An email that is not what we sent",
    "test_link": "A link in a test",
    "error": "Page not found",
    "unknown_link": "A link that leads nowhere",
}
"""Each page by its template, in the order of the walk; ``saved`` is what preferences come to."""

_TEMPLATE_NAMES = {
    "preferences saved": "saved",
    "data_requests asked for": "check_email",
    "not found": "error",
    "verified a fake": "verified_fake",
}
"""Names of pages in the walk that differ from the template."""

IN_TWO_LANGUAGES = (
    "check_email",
    "export",
    "confirm_address",
    "address_changed",
    "erased",
    "expired_link",
    "sign_up_confirmed",
    "accessibility",
    "test_link",
    "unknown_link",
    "sign_up_waits",
    "reason_recorded",
    "not_subscribed",
    "resubscribed",
    "saved",
    "data_requests",
    "change_address",
    "request_link",
    "verified_fake",
    "error",
    "unsubscribed",
    "erase",
    "confirm_sign_up",
    "editions",
    "verified",
)
"""Pages in English and one other language: those of a sentence or two, and those that are like another one.
All pages in six languages would make the documents too heavy."""

_STORY = "cop15-kunming"
_IN_A_ROW = 3
_PHONE = {"width": 375, "height": 740}
_SENT = datetime(2022, 1, 17, 9, 0, tzinfo=UTC)
"""When the edition went out; the archive says so, and a picture must not change with the day it is taken."""

_ENVIRON = {
    "MAILER_WEB__SIGN_UP": "true",
    "MAILER_WEB__BASE_URL": "https://newsletter.example.org",
    "MAILER_CAMPAIGNS__ARCHIVE": "true",
}


def take_pages(browser: Browser, root: Path, output: Path) -> None:
    """Write page-*.png, a sheet of every page in all languages."""
    workspace = open_workspace(root, environ=_ENVIRON)
    engine = workspace.open_database()
    _send_edition(workspace, engine)
    running = start_in_thread(create_app(workspace))
    try:
        pictures = {
            tag: _picture_journey(
                browser,
                lambda page, tag=tag: ReaderJourney(
                    workspace, engine, running.url, page, tag, f"mei.{tag.lower()}"
                ),
                is_dark=number % 2 == 1,
            )
            for number, tag in enumerate(LANGUAGES)
        }
        slug = next(path.name for path in workspace.editions.iterdir())
        save_drawing(
            _picture_story(browser, f"{running.url}/e/{slug}/en/{_STORY}"), output / "reading-story.png"
        )
    finally:
        running.stop()
        engine.dispose()
    for name in TITLES:
        sheet = put_in_rows([pictures[tag][name] for tag in choose_languages(name)], of=_IN_A_ROW)
        save_page(sheet, output / f"page-{name}.png")


def _picture_story(browser: Browser, address: str) -> Image.Image:
    """The page of a story on a desktop in light mode, and on a phone in dark mode."""
    views = []
    for width, scheme in ((700, "light"), (375, "dark")):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        answer = page.goto(address)
        assert answer is not None
        assert answer.ok, address
        page.wait_for_load_state("networkidle")
        views.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        page.close()
    return put_beside(views)


def choose_languages(name: str) -> tuple[str, ...]:
    """The languages a page is pictured in: all of them, or English and another in turn."""
    if name not in IN_TWO_LANGUAGES:
        return LANGUAGES
    source, *others = LANGUAGES
    return source, others[IN_TWO_LANGUAGES.index(name) % len(others)]


def describe_pages() -> Iterator[str]:
    """Their part of docs/gallery.md."""
    yield (
        "\n## A story's page\n\nIn the web edition every story has a page of its own.\n\n"
        "![A story's page, 700 px, light, 375 px, dark](images/reading-story.png)\n"
    )
    yield (
        "\n## The readers' pages\n\nOn a phone, by day and by night: English, Chinese and Japanese above, "
        "Korean, Mongolian and French below; some pages in English and one of the others.\n"
    )
    for name, title in TITLES.items():
        tags = choose_languages(name)
        names = [Locale.parse(tag, sep="-").get_language_name("en") for tag in tags]
        languages = "six languages" if name not in IN_TWO_LANGUAGES else " and ".join(map(str, names))
        yield f"\n### {title}\n\n![{title}, in {languages}](images/page-{name}.png)\n"


def _send_edition(workspace: Workspace, engine: Engine) -> None:
    """Launch the edition of the workspace: the archive shows what is on its way, too."""
    slug = next(path.name for path in workspace.editions.iterdir())
    # The sample's own sender may send nothing.
    own = {"name": "Beijing Office", "address": "news@example.org", "list_id": "news.example.org"}
    own |= {"organisation": "Beijing Office", "postal_address": "Beijing, 100600 China"}
    sender = workspace.settings.sender.model_copy(update=own)
    workspace = replace(workspace, settings=workspace.settings.model_copy(update={"sender": sender}))
    plan = plan_campaign(workspace, engine, slug, parse_segment("all"), now=_SENT)
    launch(engine, workspace, plan, now=_SENT)


def _picture_journey(
    browser: Browser, start: Callable[[Page], ReaderJourney], *, is_dark: bool
) -> dict[str, Image.Image]:
    page = browser.new_page(viewport=_PHONE, color_scheme="dark" if is_dark else "light")
    pictures = {}
    for visited in start(page).visit_pages():
        if (name := _TEMPLATE_NAMES.get(visited, visited)) in TITLES:
            pictures[name] = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    return pictures
