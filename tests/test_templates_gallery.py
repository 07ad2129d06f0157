"""The gallery shows every theme at each width and in each look, and is no heavier than a page may be."""

import re
from pathlib import Path

import pytest
from PIL import Image

from mailer.rendering.theme import theme_names

DOCS = Path(__file__).parent.parent / "docs"
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
    look = re.compile(r", (\d+ px, (light|dark|pictures not shown)|in four languages)$")
    assert all(look.search(words) for words, _ in SHOWN)


def test_the_pictures_of_the_documents_are_light() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "images").iterdir()) < 4_000_000
