"""A small page, built as the compiler builds it, and a workspace's own templates to render it with."""

from pathlib import Path

from editions.reader import read_edition
from mailer.rendering.template_context.page import Page
from mailer.rendering.template_context.page_builder import PageBuilder
from mailer.rendering.themes.template_files import load_phrases
from mailer.rendering.themes.theme_files import load_theme
from mailer.settings import Settings
from tests.factories.small_edition import write_edition

_SENDER = {
    "name": "UNESCO Beijing",
    "address": "news@example.org",
    "organisation": "UNESCO Office in Beijing",
    "postal_address": "5-15-3 Waijiaogongyu, Beijing 100600",
}


def lay_out_page(folder: Path) -> Page:
    """The page of the small edition, which is written into ``folder``."""
    settings = Settings.model_validate({"sender": _SENDER, "sectors": {"education": "Education"}})
    edition = read_edition(write_edition(folder), sectors=settings.sectors)
    theme, words = load_theme(edition.template), load_phrases("en")
    return PageBuilder(
        edition=edition, settings=settings, language="en", theme=theme, phrases=words
    ).build_page()


def write_theme(folder: Path, content: str, *, text: str = "text", css: str = ".a{margin:0}") -> Path:
    """Write a theme ``own`` with ``content`` inside an ``<mj-text>`` into ``folder``, which is returned."""
    mail = folder / "email"
    mail.mkdir(parents=True, exist_ok=True)
    column = f"<mj-section><mj-column><mj-text>{content}</mj-text></mj-column></mj-section>"
    (mail / "own.mjml.j2").write_text(f"<mjml><mj-body>{column}</mj-body></mjml>", encoding="utf-8")
    (mail / "own.txt.j2").write_text(text, encoding="utf-8")
    (mail / "own.inline.css.j2").write_text(css, encoding="utf-8")
    return folder
