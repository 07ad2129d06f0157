"""The pages of reports: the demo's last campaign, and two hundred campaigns, by day, night and on paper."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from mailer.demo import run_walkthrough
from mailer.web.access import LocalAccess
from mailer.web.report import create_report_app
from mailer.web.server import start_in_thread
from mailer.workspace import open_workspace
from scripts.image_grid import put_beside, save_drawing
from scripts.silent_output import SilentOutput
from tests.web.report_pages.shown_reports import ShownReports

TITLES = {
    "demo": "The report on the demo’s third campaign",
    "full": "A report with something in every part",
    "overview": "Two hundred campaigns",
}
"""What is pictured, in the order of the gallery."""

_DESK = {"width": 1040, "height": 1500}
_PHONE = {"width": 375, "height": 1500}
_PAPER = (794, 1123)
"""A4 at 96 dots to an inch, in pixels."""
_MARGIN = 57
_LAST_CAMPAIGN = 3


def take_reports(browser: Browser, root: Path, output: Path) -> None:
    """Write report-*.png: each on a desk by day, on a phone by night, and its first page on paper."""
    _take_demo(browser, output / "report-demo.png")
    running = start_in_thread(ShownReports(open_workspace(root, environ={}).settings).create_app())
    try:
        for name, path in {"full": "/report/full", "overview": "/overview/two-hundred"}.items():
            save_drawing(_picture_report(browser, f"{running.url}{path}"), output / f"report-{name}.png")
    finally:
        running.stop()


def describe_reports() -> Iterator[str]:
    """Their part of docs/gallery.md."""
    yield (
        "\n## Reports\n\n`mailer campaigns report --page`, by day on a desk, by night on a phone, and on "
        "paper.\n"
    )
    for name, title in TITLES.items():
        yield f"\n### {title}\n\n![{title}: light, dark, printed](images/report-{name}.png)\n"


def _take_demo(browser: Browser, picture: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "demo"
        # Playwright has a loop of its own in this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(run_walkthrough, root, SilentOutput()).result()
        access = LocalAccess(opening_path=f"/campaigns/{_LAST_CAMPAIGN}")
        app = create_report_app(open_workspace(root, environ={}), access=access)
        running = start_in_thread(app)
        try:
            save_drawing(_picture_report(browser, access.make_url(running.url)), picture)
        finally:
            running.stop()


def _picture_report(browser: Browser, address: str) -> Image.Image:
    views = []
    for window, scheme in ((_DESK, "light"), (_PHONE, "dark")):
        page = browser.new_page(viewport=window, color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(address)
        views.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        page.close()
    return put_beside([*views, _picture_paper(browser, address)])


def _picture_paper(browser: Browser, address: str) -> Image.Image:
    """The first page as it is printed: what the print style makes of it, cut where the paper ends."""
    width, height = (side - 2 * _MARGIN for side in _PAPER)
    page = browser.new_page(viewport={"width": width, "height": height})
    page.emulate_media(media="print")
    page.goto(address)
    printed = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    page.close()
    sheet = Image.new("RGB", _PAPER, "#ffffff")
    sheet.paste(printed, (_MARGIN, _MARGIN))
    return sheet
