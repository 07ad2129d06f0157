"""The output of ``mailer doctor`` for a good set-up and a bad one, as a terminal shows it."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI, TerminalTheme

from mailer.cli.rich_tables import print_findings
from mailer.database.engine import open_engine
from mailer.database.schema import upgrade
from mailer.doctor import diagnose_workspace
from scripts.image_grid import put_beside, save_drawing
from tests.doctor.good_setup import DOMAIN, KEY, PTR, SetUp, good_setup

_TITLES = {
    "doctor-good": "A set-up without a fault: what is good is only named",
    "doctor-bad": "A set-up with faults in SPF, DKIM, DMARC, the reverse DNS and the relay’s password",
}
_THEMES = (DEFAULT_TERMINAL_THEME, MONOKAI)
_COLUMNS = 96
_PAGE = """<!doctype html><meta charset="utf-8"><body style="margin:0"><pre style="margin:0;padding:24px;\
width:COLUMNSch;overflow:hidden;font:14px/1.45 'DejaVu Sans Mono',monospace;color:{foreground};\
background:{background}"><code style="font:inherit">{code}</code></pre>""".replace("COLUMNS", str(_COLUMNS))


def take_doctor(browser: Browser, _: Path, output: Path) -> None:
    """Picture both, by day and by night."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(folder / "authority.pem")
        try:
            with good_setup(folder, _make_database(folder)) as setup:
                save_drawing(_picture(browser, setup, folder), output / "doctor-good.png")
                _plant_faults(setup)
                save_drawing(_picture(browser, setup, folder), output / "doctor-bad.png")
        finally:
            if before is None:
                del os.environ["SSL_CERT_FILE"]
            else:
                os.environ["SSL_CERT_FILE"] = before


def describe_doctor() -> Iterator[str]:
    """Yield the part of docs/gallery.md about the doctor."""
    yield "\n## The doctor\n\n[`mailer doctor`](doctor.md) on a terminal, light and dark.\n"
    for name, title in _TITLES.items():
        yield f"\n### {title}\n\n![{title}, light, dark](images/{name}.png)\n"


def _make_database(folder: Path) -> Path:
    file = folder / "template.db"
    engine = open_engine(f"sqlite:///{file}", root=folder, durable=False)
    upgrade(engine)
    engine.dispose()
    return file


def _plant_faults(setup: SetUp) -> None:
    setup.dns.publish(
        {
            DOMAIN: [
                "SOA ns.ministry.int. host.ministry.int. 1 3600 600 86400 60",
                'TXT "v=spf1 mx -all"',
                "MX 10 mx.ministry.int.",
            ],
            f"_dmarc.{DOMAIN}": ['TXT "v=DMARC1; p=none; pct=20; rua=mailto:ministry@elsewhere.int"'],
            PTR: [f"PTR mx.{DOMAIN}."],
        }
    )
    del setup.dns.records[KEY]
    (setup.workspace.root / "relay.password").write_bytes(b"wrong horse")


def _picture(browser: Browser, setup: SetUp, folder: Path) -> Image.Image:
    # Playwright has an event loop in this thread, and so has the check of the relay.
    with ThreadPoolExecutor(1) as other_thread:
        findings = other_thread.submit(diagnose_workspace, setup.workspace).result()
    parts = []
    for theme in _THEMES:
        console = Console(
            record=True, width=_COLUMNS, force_terminal=True, highlight=False, file=io.StringIO()
        )
        print_findings(findings, show_good=False, console=console)
        parts.append(_draw(browser, console, theme, folder / "terminal.html"))
    return put_beside(parts)


def _draw(browser: Browser, console: Console, theme: TerminalTheme, file: Path) -> Image.Image:
    html = console.export_html(theme=theme, inline_styles=True, code_format=_PAGE)
    file.write_text(html, encoding="utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 200})
    page.goto(file.as_uri())
    data = page.locator("pre").screenshot()
    page.close()
    return Image.open(io.BytesIO(data)).convert("RGB")
