"""Take the README's pictures: the edition as readers see it, and the preview as the team sees it.

Run with `make screenshots`; needs Chromium and a font with Chinese, Japanese and Korean characters.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from mailer.campaigns.specimen import render_specimen
from mailer.founding import found_workspace
from mailer.web.preview import create_preview_app
from mailer.web.serving import start_in_thread
from mailer.workspace import open_workspace

IMAGES = Path(__file__).parent.parent / "docs" / "images"
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
    """Write docs/images/edition.png and docs/images/preview.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=IMAGES, help="where to write the pictures")
    output = parser.parse_args().output
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit(
            "scripts/screenshots.py: no Chromium here. Install it (apt-get install chromium) and try again."
        )
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        root = found_workspace(Path(temporary) / "sample", sample=True, now=datetime.now(UTC)).root
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        take_edition(browser, root, output / "edition.png")
        take_preview(browser, root, output / "preview.png")
        browser.close()


def take_edition(browser: Browser, root: Path, picture: Path) -> None:
    """The mail at a desk, top and lead story, beside the same mail on a phone, by day and by night."""
    workspace = open_workspace(root, environ={})
    slug = next(path.name for path in workspace.editions.iterdir())
    page_file = root / "outbox" / "edition.html"
    page_file.write_bytes(
        render_specimen(workspace, slug, form="html", address=None, language=None, local_media=True)
    )
    parts = [
        _take_part(browser, page_file, width=700, scheme="light", at=None),
        _take_part(browser, page_file, width=700, scheme="light", at="In focus"),
        _take_part(browser, page_file, width=375, scheme="light", at="Culture"),
        _take_part(browser, page_file, width=375, scheme="dark", at="Natural Sciences"),
    ]
    _beside(parts).save(picture, optimize=True)


def _take_part(browser: Browser, page_file: Path, *, width: int, scheme: str, at: str | None) -> Image.Image:
    """One screen of the mail, from the section called ``at``."""
    page = browser.new_page(viewport={"width": width, "height": 1300}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(page_file.as_uri())
    if at is not None:
        page.get_by_role("heading", name=at).first.evaluate(
            "heading => window.scrollTo(0, heading.getBoundingClientRect().top - 40)"
        )
    data = page.screenshot()
    page.close()
    return Image.open(io.BytesIO(data))


def _beside(parts: list[Image.Image]) -> Image.Image:
    gap = 24
    width = sum(part.width for part in parts) + gap * (len(parts) + 1)
    sheet = Image.new("RGB", (width, parts[0].height + 2 * gap), "#dcd8cf")
    left = gap
    for part in parts:
        sheet.paste(part, (left, gap))
        left += part.width + gap
    # A README is shown at most about 800 px wide: twice that is enough for any screen.
    return sheet.resize((1600, round(sheet.height * 1600 / sheet.width)), Image.Resampling.LANCZOS)


def take_preview(browser: Browser, root: Path, picture: Path) -> None:
    """The team's preview of the edition."""
    workspace = open_workspace(root, environ={})
    slug = next(path.name for path in workspace.editions.iterdir())
    running = start_in_thread(create_preview_app(workspace, slug))
    try:
        page: Page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(running.url)
        page.wait_for_timeout(1500)
        page.screenshot(path=picture)
    finally:
        running.stop()


if __name__ == "__main__":
    main()
