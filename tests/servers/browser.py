"""A real browser for the tests: the machine's own Chromium, driven by Playwright."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import playwright
import pytest
from playwright.sync_api import Browser, sync_playwright

_DRIVER = Path(playwright.__file__).parent / "driver" / "node"
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """The machine's Chromium or Chrome, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def find_driver_fault(driver: Path = _DRIVER) -> str:
    """Why Playwright's driver, which has its own Node.js, does not start here; empty if it does."""
    done = subprocess.run([driver, "--version"], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; without one the test is skipped, and in CI it fails."""
    executable = find_chromium()
    fault = "Chromium is not installed" if executable is None else find_driver_fault()
    if fault and os.environ.get("CI") == "true":
        pytest.fail(fault)
    if fault:
        pytest.skip(fault)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        yield browser
        browser.close()
