"""Take the screenshots in the README and the gallery: the edition in each theme, the public pages, the
preview, the reports, and Studio.

Run with `make screenshots`; needs Chromium and a font with Chinese, Japanese and Korean characters.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from mailer.campaigns.outbox import render_sample
from mailer.rendering.themes.theme_files import theme_names
from mailer.web.access import LocalAccess
from mailer.web.preview import create_preview_app
from mailer.web.server import start_in_thread
from mailer.workspace import open_workspace
from mailer.workspace_init import create_workspace
from scripts.campaign_screenshots import describe_campaigns, take_campaigns
from scripts.doctor_screenshots import describe_doctor, take_doctor
from scripts.image_grid import put_below, save_drawing
from scripts.mail_screenshots import describe_mails, take_mails
from scripts.page_screenshots import describe_pages, take_pages
from scripts.report_screenshots import describe_reports, take_reports
from scripts.studio_screenshots import describe_studio, take_studio

DOCS = Path(__file__).parent.parent / "docs"
THEMES = {
    "periodical": "The default: a quiet magazine, with pictures beside the text where there is room, and a "
    "colour for each section.",
    "bulletin": "Plain: one column, one font family, colour only in links.",
}
WIDTHS = {700: "On a desktop, 700 px", 375: "On a phone, 375 px"}
LOOKS = {"light": "light", "dark": "dark", "off": "pictures not shown"}
# The heading each part starts at, and its height in pixels: the top of the mail, and its first stories.
PARTS = ((None, 900), ("In focus", 700))
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    """Write docs/images/*.png and docs/gallery.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder of the documents")
    parser.add_argument(
        "parts", nargs="*", default=list(_TAKERS), help="only these parts: " + ", ".join(_TAKERS)
    )
    options = parser.parse_args()
    docs = options.docs
    output = docs / "images"
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit(
            "scripts/screenshots.py: Chromium is missing. Install (apt-get install chromium) and try again."
        )
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        root = create_workspace(Path(temporary) / "sample", sample=True, now=datetime.now(UTC)).root
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        for part in options.parts:
            _TAKERS[part](browser, root, output)
        browser.close()
    (docs / "gallery.md").write_text("".join(describe_gallery()), encoding="utf-8")


def take_edition(browser: Browser, root: Path, picture: Path) -> None:
    """Show the mail on a desktop, top and lead story, next to the mail on a phone in light and dark mode."""
    page_file = _write_page(root, "edition")
    parts = [
        _take_part(browser, page_file, width=700, scheme="light", at=None),
        _take_part(browser, page_file, width=700, scheme="light", at="In focus"),
        _take_part(browser, page_file, width=375, scheme="light", at="Culture"),
        _take_part(browser, page_file, width=375, scheme="dark", at="Natural Sciences"),
    ]
    save_drawing(_beside(parts), picture)


def take_theme(browser: Browser, root: Path, theme: str, output: Path) -> None:
    """Show the edition in ``theme`` at each width and in each mode: its top, and below it its first
    stories."""
    workspace = open_workspace(root, environ={})
    source = next(workspace.editions.iterdir()) / "edition.md"
    text = source.read_text(encoding="utf-8")
    source.write_text(re.sub(r"(?m)^template: .*$", f"template: {theme}", text), encoding="utf-8")
    page_file = _write_page(root, theme)
    for width in WIDTHS:
        for look in LOOKS:
            parts = [
                _take_part(browser, page_file, width=width, scheme=look, at=at, height=height)
                for at, height in PARTS
            ]
            save_drawing(put_below(parts), output / f"{theme}-{width}-{look}.png")


def _write_page(root: Path, name: str) -> Path:
    """Write the edition as a page that loads its pictures from disk."""
    workspace = open_workspace(root, environ={})
    slug = next(path.name for path in workspace.editions.iterdir())
    page_file = root / "outbox" / f"{name}.html"
    page_file.write_bytes(
        render_sample(workspace, slug, output_format="html", address=None, language=None, local_media=True)
    )
    return page_file


def _take_part(
    browser: Browser, page_file: Path, *, width: int, scheme: str, at: str | None, height: int = 1300
) -> Image.Image:
    """Take a screenshot of the mail from the section ``at``; if ``scheme`` is "off", without pictures."""
    dark = "dark" if scheme == "dark" else "light"
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=dark)
    if scheme == "off":
        page.route(re.compile(r"\.(png|jpg|gif)$"), lambda route: route.abort())
    page.goto(page_file.as_uri())
    if at is not None:
        page.get_by_role("heading", name=at).first.evaluate(
            "heading => window.scrollTo(0, heading.getBoundingClientRect().top - 40)"
        )
    data = page.screenshot()
    page.close()
    return Image.open(io.BytesIO(data)).convert("RGB")


def describe_gallery() -> Iterator[str]:
    """Yield docs/gallery.md."""
    yield "# Gallery\n\n"
    yield (
        "The sample edition in each theme, as a browser draws it: the top of the mail, and below the grey "
        "line its first stories. Written by `make screenshots`. [Templates](templates.md) says how to choose "
        "a theme and how to change one.\n"
    )
    for theme in THEMES:
        yield f"\n## {theme}\n\n{THEMES[theme]}\n"
        for width, where in WIDTHS.items():
            cells = (
                f"![{theme}, {where}, {look}](images/{theme}-{width}-{file}.png)"
                for file, look in LOOKS.items()
            )
            yield f"\n### {theme}: {where[0].lower()}{where[1:]}\n\n"
            yield f"| {' | '.join(LOOKS.values())} |\n|{'---|' * len(LOOKS)}\n| {' | '.join(cells)} |\n"
    yield from describe_mails()
    yield from describe_doctor()
    yield from describe_pages()
    yield from describe_reports()
    yield from describe_studio()
    yield from describe_campaigns()


def _beside(parts: list[Image.Image]) -> Image.Image:
    gap = 24
    width = sum(part.width for part in parts) + gap * (len(parts) + 1)
    sheet = Image.new("RGB", (width, parts[0].height + 2 * gap), "#dcd8cf")
    left = gap
    for part in parts:
        sheet.paste(part, (left, gap))
        left += part.width + gap
    # A README is at most about 800 px wide: twice that is enough for any screen.
    return sheet.resize((1600, round(sheet.height * 1600 / sheet.width)), Image.Resampling.LANCZOS)


def take_preview(browser: Browser, root: Path, picture: Path) -> None:
    """Take a screenshot of the preview."""
    workspace = open_workspace(root, environ={})
    slug = next(path.name for path in workspace.editions.iterdir())
    access = LocalAccess()
    running = start_in_thread(create_preview_app(workspace, slug, access=access))
    try:
        page: Page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(access.make_url(running.url))
        page.wait_for_timeout(1500)
        save_drawing(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), picture)
    finally:
        running.stop()


def take_themes(browser: Browser, root: Path, output: Path) -> None:
    """Show the edition in every theme."""
    for theme in theme_names():
        take_theme(browser, root, theme, output)


_TAKERS: Mapping[str, Callable[[Browser, Path, Path], None]] = {
    "edition": lambda browser, root, output: take_edition(browser, root, output / "edition.png"),
    "preview": lambda browser, root, output: take_preview(browser, root, output / "preview.png"),
    "doctor": take_doctor,
    "pages": take_pages,
    "themes": take_themes,
    "mails": take_mails,
    "reports": take_reports,
    "studio": take_studio,
    "campaigns": take_campaigns,
}


if __name__ == "__main__":
    main()
