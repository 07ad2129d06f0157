"""Every theme in a real browser: two columns where there is room and the theme wants them, one where not,
readable in the dark, and whole where pictures are not shown.

Left out, saying so, where no Chromium is installed.
"""

import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from editions.reader import read_edition
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.themes.theme import MIN_TEXT_CONTRAST, measure_contrast
from mailer.rendering.themes.theme_files import load_theme, theme_names
from mailer.settings import Settings
from tests.factories.sample_edition import SAMPLE
from tests.judges.colours import READ_COLOURS
from tests.paths import ROOT

RIGHT_TO_LEFT = ROOT / "tests" / "golden" / "right-to-left"
SECTORS = (
    "education",
    "culture",
    "natural-sciences",
    "social-and-human-sciences",
    "communication-and-information",
)
SETTINGS = Settings.model_validate({
    "sender": {
        "name": "Us", "address": "news@example.org", "organisation": "UNESCO Beijing Office",
        "postal_address": "Beijing 100600",
    },
    "web": {"base_url": "https://news.example.org"},
})  # fmt: skip

# Where the first line of a paragraph is: the paragraph itself reaches below a picture beside it.
FIRST_LINE = """paragraph => {
  const range = document.createRange();
  range.selectNodeContents(paragraph);
  const {x, y, width, height} = range.getClientRects()[0];
  return {x, y, width, height};
}"""


@pytest.fixture(scope="module")
def mails() -> dict[str, str]:
    """The mail in each theme: one story of each kind."""
    edition = read_edition(SAMPLE, sectors=SECTORS)
    kinds = {story.kind: story for story in edition.stories}
    short = replace(edition, stories=tuple(kinds.values()))
    compiled = {name: compile_edition(replace(short, template=name), SETTINGS) for name in theme_names()}
    return {name: one.assemble(one.full_variant).html for name, one in compiled.items()}


@pytest.fixture(scope="module")
def mails_from_the_right() -> dict[str, str]:
    """An edition in Arabic, in each theme."""
    edition = read_edition(RIGHT_TO_LEFT, sectors=SECTORS)
    compiled = {name: compile_edition(replace(edition, template=name), SETTINGS) for name in theme_names()}
    return {name: one.assemble(one.full_variant).html for name, one in compiled.items()}


@pytest.fixture(params=theme_names())
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def mail(mails: dict[str, str], theme: str) -> str:
    return mails[theme]


def _open(browser: Browser, mail: str, *, width: int, scheme: Any = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.route("**/*", lambda route: route.abort())
    page.set_content(mail)
    return page


def _boxes(page: Page) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Where the picture and the first line of the text are of every story with a picture beside it."""
    pairs = []
    for picture in page.locator("div.f").all():
        box, line = picture.bounding_box(), picture.locator("xpath=following::p[1]").evaluate(FIRST_LINE)
        assert box
        pairs.append((dict(box), line))
    assert pairs
    return pairs


def test_picture_and_words_stand_side_by_side_on_a_desk(browser: Browser, mails: dict[str, str]) -> None:
    page = _open(browser, mails["periodical"], width=700)
    for picture, words in _boxes(page):
        assert words["x"] >= picture["x"] + picture["width"] - 1
        assert abs(words["y"] - picture["y"]) < 60
    page.close()


@pytest.mark.parametrize("width", [700, 1200])
def test_in_one_column_the_picture_stands_above_the_words_on_a_desk_too(
    browser: Browser, mails: dict[str, str], width: int
) -> None:
    page = _open(browser, mails["bulletin"], width=width)
    for picture, words in _boxes(page):
        assert words["y"] >= picture["y"] + picture["height"] - 1
        assert abs(words["x"] - picture["x"]) < 1
    widths = page.locator(".f img").evaluate_all("images => images.map(image => image.clientWidth)")
    assert set(widths) == {load_theme("bulletin").pictures.shown}
    page.close()


@pytest.mark.parametrize("width", [320, 375, 480, 599])
def test_the_picture_stands_above_the_words_on_a_phone(
    browser: Browser, mail: str, theme: str, width: int
) -> None:
    page = _open(browser, mail, width=width)
    for picture, words in _boxes(page):
        assert words["y"] >= picture["y"] + picture["height"] - 1
        assert abs(words["x"] - picture["x"]) < 1
        assert picture["width"] > width - 2 * load_theme(theme).spacing.gutter - 12
    page.close()


def test_it_does_so_too_where_no_sheet_is_read(browser: Browser, mail: str) -> None:
    """Some programs throw the whole head away: the row must still break."""
    page = _open(browser, mail, width=375)
    page.evaluate("document.querySelectorAll('style').forEach(sheet => sheet.remove())")
    for picture, words in _boxes(page):
        assert words["y"] >= picture["y"] + picture["height"] - 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 376
    page.close()


@pytest.mark.parametrize("width", [375, 700])
def test_a_right_to_left_edition_begins_at_the_right(
    browser: Browser, mails_from_the_right: dict[str, str], theme: str, width: int
) -> None:
    page = _open(browser, mails_from_the_right[theme], width=width)
    sides = page.locator("h1,h2,h3,p,li,.e").evaluate_all(
        """places => places.map(place => {
          const style = getComputedStyle(place);
          return [style.direction, style.textAlign.replace('-webkit-', ''), place.lang];
        })"""
    )
    # English phrases stand in, read from the left and set from the right.
    assert {(direction, language) for direction, _, language in sides} == {("rtl", ""), ("ltr", "en")}
    assert {side for _, side, _ in sides} <= {"right", "start"}
    for picture, words in _boxes(page):
        edges = [box["x"] + box["width"] for box in (picture, words)]
        if load_theme(theme).layout.columns == 2 and width == 700:
            assert words["x"] + words["width"] <= picture["x"] + 1
        else:
            assert abs(edges[0] - edges[1]) < 1
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


@pytest.mark.parametrize("width", [320, 375, 600, 700, 1200])
def test_nothing_is_wider_than_the_window(browser: Browser, mail: str, width: int) -> None:
    page = _open(browser, mail, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


@pytest.mark.parametrize("width", [320, 375, 700])
def test_a_line_of_the_contents_that_goes_on_below_begins_where_it_began(
    browser: Browser, mail: str, theme: str, width: int
) -> None:
    page = _open(
        browser, mail.replace(">Communication", ">" + "Long words and " * 5 + "Communication"), width=width
    )
    lefts = page.locator(".e a").evaluate_all(
        "links => links.map(link => Array.from(link.getClientRects(), line => line.left))"
    )
    assert max(map(len, lefts)) > 1
    assert all(max(lines) - min(lines) < 0.5 for lines in lefts), lefts
    space = load_theme(theme)
    bullets = page.locator(".e b").evaluate_all(
        "marks => marks.map(mark => mark.getBoundingClientRect().width)"
    )
    assert set(bullets) == ({space.spacing.indent} if space.layout.bullet else set())
    page.close()


@pytest.mark.parametrize("width", [375, 700])
def test_the_words_in_place_of_a_picture_are_whole(browser: Browser, mail: str, width: int) -> None:
    page = _open(browser, mail, width=width)
    boxes = page.locator("img").evaluate_all(
        """images => images.map(image => {
          const probe = document.createElement('div');
          // The browser's sign for a missing picture comes first.
          probe.innerHTML = '<i style="display:inline-block;width:16px"></i>';
          probe.append(image.alt);
          probe.style.cssText = `width:${image.clientWidth}px;font:${getComputedStyle(image).font}`;
          image.after(probe);
          const needed = probe.offsetHeight;
          probe.remove();
          return [image.clientHeight, needed, image.alt];
        })"""
    )
    assert len(boxes) > 5
    for height, needed, words in boxes:
        assert height >= needed, words
    radii = page.locator("img").evaluate_all(
        "images => images.map(image => getComputedStyle(image).borderRadius)"
    )
    assert not any("%" in radius for radius in radii)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_its_ground(browser: Browser, mail: str, theme: str, scheme: str) -> None:
    page = _open(browser, mail, width=700, scheme=scheme)
    colours = page.evaluate(READ_COLOURS)
    assert len(colours) > 100
    for ink, ground, text in colours:
        assert measure_contrast(ink, ground) >= MIN_TEXT_CONTRAST, (ink, ground, text)
    palette = load_theme(theme).light if scheme == "light" else load_theme(theme).dark
    assert {ground for _, ground, _ in colours} == {palette.page, palette.sheet}
    page.close()


def test_outlook_com_in_the_dark_can_be_read_too(browser: Browser, mail: str, theme: str) -> None:
    page = _open(browser, mail, width=700)
    page.evaluate(
        "document.documentElement.setAttribute('data-ogsc', '');"
        "document.documentElement.setAttribute('data-ogsb', '')"
    )
    colours = page.evaluate(READ_COLOURS)
    for ink, ground, text in colours:
        assert measure_contrast(ink, ground) >= MIN_TEXT_CONTRAST, (ink, ground, text)
    dark = load_theme(theme).dark
    assert {ground for _, ground, _ in colours} == {dark.page, dark.sheet}
    page.close()


@pytest.fixture(scope="module")
def whole_mails() -> dict[str, str]:
    """The whole sample, in each theme."""
    edition = read_edition(SAMPLE, sectors=SECTORS)
    compiled = {name: compile_edition(replace(edition, template=name), SETTINGS) for name in theme_names()}
    return {name: one.assemble(one.full_variant).html for name, one in compiled.items()}


def test_the_sample_is_printed_on_few_pages(
    browser: Browser, whole_mails: dict[str, str], theme: str
) -> None:
    page = _open(browser, whole_mails[theme], width=700)
    margins: Any = dict.fromkeys(("top", "bottom", "left", "right"), "15mm")
    pages = re.findall(rb"/Type /Page\b", page.pdf(format="A4", margin=margins))
    assert 10 < len(pages) <= 22
    page.close()


def test_no_picture_stands_beside_an_empty_column(browser: Browser, whole_mails: dict[str, str]) -> None:
    """A text that ends well below its picture goes on below it, as wide as the sheet."""
    page = _open(browser, whole_mails["periodical"], width=700)
    rows = page.locator("div.f").evaluate_all(
        """pictures => pictures.map(picture => {
          const box = picture.getBoundingClientRect(), row = picture.closest('td').getBoundingClientRect();
          const range = document.createRange();
          range.selectNodeContents(picture.closest('td'));
          const lines = [...range.getClientRects()].filter(line => line.top > box.bottom);
          return [row.bottom - box.bottom, Math.min(...lines.map(line => line.left)) - row.left];
        })"""
    )
    assert len(rows) == 25
    for below, left in rows:
        assert below < 150 or left < 1
    page.close()
