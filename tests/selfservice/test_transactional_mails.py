"""The letters that readers ask for on a page, in the mail programs that open them."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from itertools import product

import pytest
from lxml import html as lxml_html
from playwright.sync_api import Browser, Page

from mailer.database.models import TransactionalMailKind
from mailer.i18n import LANGUAGES, load_translator
from mailer.rendering.themes.theme import MIN_TEXT_CONTRAST, measure_contrast
from mailer.selfservice.transactional_mails import MAIL_TEXTS, build_letter
from tests.factories.sample_edition import sample_settings

NOW = datetime(2026, 3, 31, 9, 0, tzinfo=UTC)
# A token may have no hyphen, where a program could break the line.
URL = "https://news.example.org/confirm/" + "A1b2C3d4E5f6G7h8J9k0" * 3
KINDS = list(TransactionalMailKind)


def write_letter(kind: TransactionalMailKind, language: str) -> str:
    """The HTML of a letter."""
    raw = build_letter(
        MAIL_TEXTS[kind],
        kind,
        envelope="nara@example.org",
        url=URL,
        translator=load_translator(language),
        settings=sample_settings(organisation="Office of the Steppe"),
        mail_id=1,
        requested_at=NOW,
        now=NOW,
    )
    body = message_from_bytes(raw, policy=policy.default).get_body(("html",))
    assert body is not None
    return str(body.get_content())


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": 360, "height": 640})


def test_a_letter_is_laid_out_by_cells_and_by_nothing_a_webmail_removes() -> None:
    document = lxml_html.document_fromstring(write_letter(KINDS[0], "en"))
    (main,) = document.iter("main")
    assert not main.attrib
    tables = document.xpath("//table")
    assert {table.get("role") for table in tables} == {"presentation"}
    (cell,) = document.xpath("//h1/ancestor::td[1]")
    for wanted in ("padding:", "font-family:", "font-size:", "color:"):
        assert wanted in cell.get("style")


def test_the_button_paints_its_cell_and_colours_its_link() -> None:
    """Thunderbird's dark mode removes the background of a link that has a colour too."""
    document = lxml_html.document_fromstring(write_letter(KINDS[0], "en"))
    button, address = document.xpath("//a")
    cell = button.getparent()
    assert cell.get("bgcolor") in cell.get("style")
    assert "padding:" in cell.get("style")
    assert "background" not in button.get("style")
    assert address.get("href") == address.text == button.get("href") == URL


def test_no_letter_is_wider_than_a_phone_with_or_without_sheets(page: Page) -> None:
    for language, kind in product(LANGUAGES, (KINDS[0], TransactionalMailKind.link)):
        page.set_content(write_letter(kind, language))
        for _ in ("with", "without"):
            assert page.evaluate("document.documentElement.scrollWidth") == 360, (kind, language)
            page.evaluate("document.querySelectorAll('style').forEach(sheet => sheet.remove())")


PAINTED = """() => ['h1', 'p', '.mu', '.bt a', 'p a'].map(place => {
  const element = document.querySelector(place), clear = /, 0\\)$|transparent/;
  let ground = element;
  while (clear.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
  return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor].map(
    colour => '#' + colour.match(/\\d+/g).map(part => (+part).toString(16).padStart(2, '0')).join(''));
})"""


@pytest.mark.parametrize("program", ["light", "dark", "Outlook.com", "Thunderbird"])
def test_a_letter_can_be_read_by_day_and_by_night(page: Page, program: str) -> None:
    html = write_letter(KINDS[0], "en")
    if program == "Thunderbird":
        # As it shows a message: in a class of its own, and without any @media.
        html = html.replace("@media (prefers-color-scheme:dark)", "@media (width:1px)")
        html = html.replace("<main>", '<main class="moz-text-html">')
    dark = program in {"dark", "Thunderbird"}
    page.emulate_media(color_scheme="dark" if dark else "light")
    page.set_content(html)
    if program == "Outlook.com":
        page.evaluate("for (const mark of ['ogsc', 'ogsb']) document.documentElement.dataset[mark] = ''")
    pairs = page.evaluate(PAINTED)
    for ink, ground in pairs:
        assert measure_contrast(ink, ground) >= MIN_TEXT_CONTRAST, (ink, ground)
    assert (measure_contrast(pairs[0][1], "#000000") < 3) == (program != "light")
