"""The demo's output on a terminal: numbered steps, aligned facts, one accent colour."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from mailer.cli.output import columns
from mailer.cli.progress import show_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.dispatch.deliveries import Counts


class TerminalDemoOutput:
    """Prints the demo on stdout: the output is what the command is for."""

    def __init__(self) -> None:
        self._steps = 0

    def step(self, title: str) -> None:
        """Print the heading of the next step."""
        self._steps += 1
        click.echo()
        click.secho(f"{self._steps}  {title}", fg="cyan", bold=True)

    def line(self, text: str) -> None:
        """Print one line under the step."""
        click.echo(f"   {text}")

    def table(self, rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
        """Print aligned columns under the step."""
        for line in columns(rows, right=right).splitlines():
            click.echo(f"   {line}")

    def progress(self, title: str) -> AbstractContextManager[Callable[[Counts], None]]:
        """Show a progress bar while a campaign runs."""
        return show_progress(f"   {title}")
