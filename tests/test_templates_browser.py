"""The theme in a real browser: two columns where there is room, one where there is not, readable in the dark.

Left out, saying so, where no Chromium is installed.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import editions
from editions.reading import read_edition
from mailer.rendering.compiling import compile_edition
from mailer.rendering.contrast import LEAST, measure_contrast
from mailer.settings import Settings

SAMPLE = Path(editions.__file__).parent / "samples" / "unesco-beijing-2021-2"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

# The colours of every run of text that can be seen, and of the nearest painted ground below it.
READ_COLOURS = """() => {
  const pair = number => (+number).toString(16).padStart(2, '0');
  const hex = colour => '#' + colour.match(/\\d+/g).slice(0, 3).map(pair).join('');
  const clear = colour => colour === 'transparent' || /, 0\\)$/.test(colour);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || !element.offsetParent) continue;
    let ground = element;
    while (ground && clear(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
    const painted = ground ? hex(getComputedStyle(ground).backgroundColor) : '#ffffff';
    found.push([hex(getComputedStyle(element).color), painted, text]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def mail() -> str:
    settings = Settings.model_validate({
        "sender": {
            "name": "Us", "address": "news@example.org", "organisation": "UNESCO Beijing Office",
            "postal_address": "Beijing 100600",
        },
        "web": {"base_url": "https://news.example.org"},
    })  # fmt: skip
    sectors = (
        "education",
        "culture",
        "natural-sciences",
        "social-and-human-sciences",
        "communication-and-information",
    )
    edition = read_edition(SAMPLE, sectors=sectors)
    kinds = {story.kind: story for story in edition.stories}
    return compile_edition(replace(edition, stories=tuple(kinds.values())), settings).html


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


def _open(browser: Browser, mail: str, *, width: int, scheme: Any = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.route("**/*", lambda route: route.abort())
    page.set_content(mail)
    return page


def _boxes(page: Page) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Where the picture and the title of every story with a picture beside it are."""
    pairs = []
    for picture in page.locator("div.f").all():
        title = picture.locator("xpath=following-sibling::div").locator("h3")
        boxes = picture.bounding_box(), title.bounding_box()
        assert boxes[0]
        assert boxes[1]
        pairs.append((dict(boxes[0]), dict(boxes[1])))
    assert pairs
    return pairs


def test_picture_and_words_stand_side_by_side_on_a_desk(browser: Browser, mail: str) -> None:
    page = _open(browser, mail, width=700)
    for picture, title in _boxes(page):
        assert title["x"] >= picture["x"] + picture["width"] - 1
        assert abs(title["y"] - picture["y"]) < 60
    page.close()


@pytest.mark.parametrize("width", [320, 375, 480, 599])
def test_the_picture_stands_above_the_words_on_a_phone(browser: Browser, mail: str, width: int) -> None:
    page = _open(browser, mail, width=width)
    for picture, title in _boxes(page):
        assert title["y"] >= picture["y"] + picture["height"] - 1
        assert abs(title["x"] - picture["x"]) < 1
        assert picture["width"] > width - 60
    page.close()


def test_it_does_so_too_where_no_sheet_is_read(browser: Browser, mail: str) -> None:
    """Some programs throw the whole head away: the row must still break."""
    page = _open(browser, mail, width=375)
    page.evaluate("document.querySelectorAll('style').forEach(sheet => sheet.remove())")
    for picture, title in _boxes(page):
        assert title["y"] >= picture["y"] + picture["height"] - 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 376
    page.close()


@pytest.mark.parametrize("width", [320, 375, 600, 700, 1200])
def test_nothing_is_wider_than_the_window(browser: Browser, mail: str, width: int) -> None:
    page = _open(browser, mail, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_its_ground(browser: Browser, mail: str, scheme: str) -> None:
    page = _open(browser, mail, width=700, scheme=scheme)
    colours = page.evaluate(READ_COLOURS)
    assert len(colours) > 100
    for ink, ground, text in colours:
        assert measure_contrast(ink, ground) >= LEAST, (ink, ground, text)
    grounds = {ground for _, ground, _ in colours}
    assert grounds == ({"#ffffff", "#f4f1ea"} if scheme == "light" else {"#1c242d", "#141a21"})
    page.close()


def test_outlook_com_in_the_dark_can_be_read_too(browser: Browser, mail: str) -> None:
    page = _open(browser, mail, width=700)
    page.evaluate(
        "document.documentElement.setAttribute('data-ogsc', '');"
        "document.documentElement.setAttribute('data-ogsb', '')"
    )
    colours = page.evaluate(READ_COLOURS)
    for ink, ground, text in colours:
        assert measure_contrast(ink, ground) >= LEAST, (ink, ground, text)
    assert {ground for _, ground, _ in colours} == {"#1c242d", "#141a21"}
    page.close()
