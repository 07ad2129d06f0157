"""A real browser for the tests: the machine's own Chromium, driven by Playwright."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import playwright
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

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
_PATIENCE = 60_000
"""Milliseconds until a page is as expected. On a busy machine Playwright's own five seconds are too few."""


def find_chromium(*, windowless: bool = False) -> str | None:
    """The machine's Chromium or Chrome, or None; with ``windowless``, rather the one without a window."""
    if windowless and (found := shutil.which("chromium-headless-shell")):
        return found
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def find_driver_fault(driver: Path = _DRIVER) -> str:
    """Why Playwright's driver, which has its own Node.js, does not start here; empty if it does."""
    done = subprocess.run([driver, "--version"], capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


@contextlib.contextmanager
def chromium(*, windowless: bool = False) -> Iterator[Browser]:
    """A browser; without one the test is skipped, and in CI it fails."""
    executable = find_chromium(windowless=windowless)
    fault = "Chromium is not installed" if executable is None else find_driver_fault()
    if fault and os.environ.get("CI") == "true":
        pytest.fail(fault)
    if fault:
        pytest.skip(fault)
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        yield browser
        browser.close()


class SharedChromium:
    """A Chromium that is started when it is first needed, and is lent to one test file after the other.

    If it can, it has no window: for each context that has one, Chromium begins its whole interface, which
    takes a processor four times as long as the context itself.
    """

    def __init__(self) -> None:
        self._ending = contextlib.ExitStack()
        self._browser: Browser | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.contextmanager
    def lend(self) -> Iterator[Browser]:
        """The browser, with nothing open in it; what is still open in the end is closed."""
        if self._browser is None or not self._browser.is_connected():
            self.close()
            self._browser = self._ending.enter_context(chromium(windowless=True))
            self._loop = asyncio.get_running_loop()
        with self._in_its_loop():
            yield self._browser
            for context in self._browser.contexts:
                context.close()

    def close(self) -> None:
        with self._in_its_loop():
            self._ending.close()
        self._browser = None

    @contextlib.contextmanager
    def _in_its_loop(self) -> Iterator[None]:
        """Let Playwright have the thread. It leaves its event loop marked as the running one between two
        calls, and asyncio.run would then refuse to begin in the tests that come after those of a browser."""
        asyncio._set_running_loop(self._loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)
