"""Serving an app to the person at this machine: its address is printed, and opened in their browser."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from mailer.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from mailer.web.access import LocalAccess


def serve_local_page(
    app: Callable[..., Awaitable[None]],
    access: LocalAccess,
    *,
    title: str,
    port: int,
    open_browser: bool,
    folder: Path,
) -> None:
    """Serve the web application ``app`` on this machine until Ctrl-C, and print its address with the secret.
    With ``open_browser``, it is opened through a file in ``folder``, at a terminal; ``title`` names what is
    opened, as in "the preview"."""
    from mailer.web.server import serve

    with contextlib.ExitStack() as cleanup:

        def announce(base: str) -> None:
            url = access.make_url(base)
            say(f"Open {url}")
            if open_browser and sys.stderr.isatty():
                _open_in_browser(url, title, folder, cleanup)

        serve(app, host="127.0.0.1", port=port, announce=announce)


def _open_in_browser(url: str, title: str, folder: Path, cleanup: contextlib.ExitStack) -> None:
    from mailer.web.access import write_opening_page

    try:
        page = write_opening_page(folder, url, title=title)
    except OSError:
        # The address has been printed.
        return
    cleanup.callback(page.unlink, missing_ok=True)
    click.launch(page.as_uri())
