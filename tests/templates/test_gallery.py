"""The gallery shows every theme at each width and in each look, and every page of the readers; and it is no
heavier than a page may be."""

import re

import pytest
from PIL import Image

from editions.model import EditionForm
from mailer.rendering.themes.theme_files import theme_names
from mailer.web.page_renderer import TEMPLATE_FOLDER
from scripts.report_screenshots import TITLES
from scripts.story_examples import STORIES
from tests.paths import ROOT

DOCS = ROOT / "docs"
SHOWN = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", (DOCS / "gallery.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("theme", theme_names())
def test_a_theme_is_shown_at_both_widths_in_light_and_dark_and_without_pictures(theme: str) -> None:
    shown = [name for _, name in SHOWN if f"/{theme}-" in name]
    assert sorted(shown) == sorted(
        f"images/{theme}-{width}-{look}.png" for width in (700, 375) for look in ("light", "dark", "off")
    )
    for name in shown:
        with Image.open(DOCS / name) as picture:
            assert picture.width == int(name.split("-")[1])


def test_every_picture_says_what_it_shows() -> None:
    look = re.compile(
        r", (\d+ px, (light|dark|pictures not shown)|in (six languages|English and [A-Z]\w+)|printed"
        r"|(light|dark))$"
    )
    assert all(look.search(words) for words, _ in SHOWN)


def test_every_page_of_the_readers_is_shown_on_a_phone() -> None:
    templates = {page.stem for page in TEMPLATE_FOLDER.glob("*.html")} - {"base", "preview"}
    # The web edition is shown by one story of it, and the team's reports are no pages of the readers.
    templates = {name for name in templates if not name.startswith(("reading", "report"))}
    pages = {name: words for words, name in SHOWN if "/page-" in name}
    # What preferences and a check of a mail come to is the same template.
    outcomes = {"saved", "verified", "verified_fake"}
    assert set(pages) == {f"images/page-{name}.png" for name in templates | outcomes}
    for name, words in pages.items():
        with Image.open(DOCS / name) as picture:
            in_six = picture.size == (3 * 375 + 2 * 12, 2 * 740 + 12)
            assert in_six or picture.size == (2 * 375 + 12, 740), name
            assert in_six is words.endswith("six languages")


def test_mails_of_every_kind_are_shown() -> None:
    shown = {name for _, name in SHOWN}
    kinds = {f"digest-{theme}" for theme in theme_names()} | {*STORIES, "ar", "zh", "letter"}
    printed = {f"images/print-{theme}-{form}.png" for theme in theme_names() for form in EditionForm}
    assert {f"images/mail-{kind}.png" for kind in kinds} | printed <= shown
    assert {"images/reading-story.png", "images/program-thunderbird-letter-dark.png"} <= shown


def test_reports_are_shown_by_day_by_night_and_on_paper() -> None:
    shown = {name: words for words, name in SHOWN if "/report-" in name}
    assert set(shown) == {f"images/report-{name}.png" for name in TITLES}
    assert all(words.endswith(": light, dark, printed") for words in shown.values())


def test_every_picture_is_shown_somewhere() -> None:
    said = "".join(
        page.read_text(encoding="utf-8") for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md")
    )
    assert [path.name for path in (DOCS / "images").iterdir() if f"images/{path.name}" not in said] == []


def test_the_pictures_of_the_documents_are_light() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "images").iterdir()) < 5_000_000
