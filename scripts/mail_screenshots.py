"""The mails of the gallery besides the themes: digests, paper, what a story can hold, other scripts, letters.

Each picture has the mail on a desktop in light mode, and beside it on a phone in dark mode.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from editions.model import Edition, EditionForm
from editions.reader import read_edition
from mailer.rendering.compiled_edition import write_media
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import anonymous_reader, personalise
from mailer.rendering.themes.theme_files import theme_names
from mailer.settings import Settings, load_settings
from mailer.workspace_init import SAMPLE_EDITIONS
from scripts.image_grid import put_beside, put_in_rows, save_drawing
from scripts.mail_programs.mailbox import write_pictured_mails
from scripts.story_examples import STORIES, write_examples

_GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
_BASE_URL = "https://newsletter.example.org"
_VIEWS = (("light", 700), ("dark", 375))
_TALLEST = 760
_PRINTED_PAGES = 3
_SCRIPTS: Mapping[str, str] = MappingProxyType({"ar": "Arabic", "zh": "Chinese"})
_PROGRAMS: Mapping[str, str] = MappingProxyType({"thunderbird": "Thunderbird", "roundcube": "Roundcube"})


@dataclass(frozen=True, kw_only=True)
class MailPage:
    """A mail as a file that a browser opens; ``at`` is the heading it is pictured from, if not the top."""

    name: str
    file: Path
    at: str = ""


def take_mails(browser: Browser, root: Path, output: Path) -> None:
    """Write mail-*.png and print-*.png; ``root`` is a workspace with the sample."""
    settings = load_settings(root, {"MAILER_WEB__BASE_URL": _BASE_URL})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for mail in _write_mails(settings, folder):
            save_drawing(_picture_mail(browser, mail), output / f"mail-{mail.name}.png")
        for theme, form in product(theme_names(), EditionForm):
            edition = replace(_read_sample(settings), template=theme, form=form)
            paper = _print(browser, _write_page(edition, settings, edition.language, folder, "paper"))
            save_drawing(paper, output / f"print-{theme}-{form}.png")


def describe_mails() -> Iterator[str]:
    """Their part of docs/gallery.md."""
    yield (
        "\n## Digests\n\nThe same edition with `form: digest`: of each story its title, its picture, its "
        "lead and a link to the whole of it.\n"
    )
    for theme in theme_names():
        yield _show(f"A digest in {theme}", f"mail-digest-{theme}")
    yield "\n## What a story can hold\n"
    for name, title in STORIES.items():
        yield f"\n### {title}\n{_show(title, f'mail-{name}')}"
    yield "\n## Other scripts\n"
    for tag, name in _SCRIPTS.items():
        yield f"\n### {name}\n{_show(f'An edition in {name}', f'mail-{tag}')}"
    yield "\n## A letter\n\nWhat somebody gets who signs up.\n"
    yield _show("A letter", "mail-letter")
    yield "\n## On paper\n\nThe first pages, as a browser prints them on A4.\n"
    for theme, form in product(theme_names(), EditionForm):
        yield f"\n### {theme}, {form}\n\n![{theme}, {form}, printed](images/print-{theme}-{form}.png)\n"
    yield "\n## In mail programs\n\nTaken by `make clients`.\n"
    for program, title in _PROGRAMS.items():
        yield f"\n### {title}\n\n"
        for mail, scheme in product(("periodical", "letter"), ("light", "dark")):
            what = "A letter" if mail == "letter" else mail
            yield f"![{what} in {title}, {scheme}](images/program-{program}-{mail}-{scheme}.png)\n"


def _show(what: str, name: str) -> str:
    views = ", ".join(f"{width} px, {scheme}" for scheme, width in _VIEWS)
    return f"\n![{what}, {views}](images/{name}.png)\n"


def _write_mails(settings: Settings, folder: Path) -> Iterator[MailPage]:
    """Every mail but those on paper."""
    sample = _read_sample(settings)
    for theme in theme_names():
        digest = replace(sample, template=theme, form=EditionForm.digest)
        file = _write_page(digest, settings, digest.language, folder, f"digest-{theme}")
        yield MailPage(name=f"digest-{theme}", file=file, at="Education")
    examples = read_edition(
        write_examples(folder / "examples", SAMPLE_EDITIONS), sectors=tuple(settings.sectors)
    )
    file = _write_page(examples, settings, examples.language, folder, "examples")
    yield from (MailPage(name=name, file=file, at=title) for name, title in STORIES.items())
    scripts = read_edition(_GOLDEN / "right-to-left", sectors=tuple(settings.sectors))
    for tag in _SCRIPTS:
        yield MailPage(name=tag, file=_write_page(scripts, settings, tag, folder, tag))
    yield MailPage(name="letter", file=_write_letter(folder / "letter"))


def _read_sample(settings: Settings) -> Edition:
    source = next(SAMPLE_EDITIONS.glob("*/edition.md")).parent
    return read_edition(source, sectors=tuple(settings.sectors))


def _write_page(edition: Edition, settings: Settings, language: str, folder: Path, name: str) -> Path:
    """``edition`` as a page that loads its pictures from ``folder``."""
    compiled = compile_edition(edition, settings, language=language)
    write_media(compiled, folder / "media")
    html = personalise(compiled, anonymous_reader(settings)).html
    file = folder / f"{name}.html"
    file.write_text(html.replace(f"{_BASE_URL}/media/", "media/"), encoding="utf-8")
    return file


def _write_letter(folder: Path) -> Path:
    folder.mkdir()
    letter = next(mail for mail in write_pictured_mails(folder, _BASE_URL) if mail.name == "letter")
    body = message_from_bytes(letter.file.read_bytes(), policy=policy.default).get_body(("html",))
    assert body is not None
    file = folder / "letter.html"
    file.write_text(body.get_content(), encoding="utf-8")
    return file


def _picture_mail(browser: Browser, mail: MailPage) -> Image.Image:
    """``mail`` in all views, side by side."""
    return put_beside([_take_view(browser, mail, scheme, width) for scheme, width in _VIEWS])


def _take_view(browser: Browser, mail: MailPage, scheme: Any, width: int) -> Image.Image:
    page = browser.new_page(viewport={"width": width, "height": _TALLEST}, color_scheme=scheme)
    page.goto(mail.file.as_uri())
    top, bottom = _find_part(page, mail.at)
    height = min(bottom - top, _TALLEST)
    data = page.screenshot(full_page=True, clip={"x": 0, "y": top, "width": width, "height": height})
    page.close()
    return Image.open(io.BytesIO(data)).convert("RGB")


def _find_part(page: Page, at: str) -> tuple[float, float]:
    """The top and the bottom of the story with the title ``at``; from a section's heading to the end of the
    mail; or of all of it without a heading."""
    whole = page.evaluate("document.documentElement.scrollHeight")
    if not at:
        return 0, whole
    heading = page.get_by_role("heading", name=at).first
    top, bottom, level = heading.evaluate(
        """heading => {
          const row = heading.closest('td').getBoundingClientRect();
          return [row.top + scrollY, row.bottom + scrollY, heading.tagName];
        }"""
    )
    return max(top - 24, 0), bottom if level == "H3" else whole


def _print(browser: Browser, file: Path) -> Image.Image:
    """The first pages of a mail on paper, by poppler."""
    pdftoppm = shutil.which("pdftoppm")
    if pdftoppm is None:
        raise FileNotFoundError("pdftoppm is missing. Install poppler-utils and try again.")
    page = browser.new_page()
    page.goto(file.as_uri())
    margins: Any = dict.fromkeys(("top", "bottom", "left", "right"), "15mm")
    paper = file.with_suffix(".pdf")
    page.pdf(path=paper, format="A4", margin=margins, print_background=True)
    page.close()
    with tempfile.TemporaryDirectory() as folder:
        options = ["-png", "-r", "40", "-l", str(_PRINTED_PAGES)]
        subprocess.run([pdftoppm, *options, paper, Path(folder) / "page"], check=True)
        pages = [Image.open(path).convert("RGB") for path in sorted(Path(folder).iterdir())]
    return put_in_rows(pages, of=3)
