"""How the demo speaks on a terminal: numbered steps, aligned facts, one accent colour."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from mailer.cli.output import columns
from mailer.cli.progress import show_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.dispatch.counts import Counts


class TerminalNarrator:
    """Prints the journey on stdout: it is what the command was asked for."""

    def __init__(self) -> None:
        self._steps = 0

    def step(self, title: str) -> None:
        """Begin the next step."""
        self._steps += 1
        click.echo()
        click.secho(f"{self._steps}  {title}", fg="cyan", bold=True)

    def tell(self, text: str) -> None:
        """One line under the step."""
        click.echo(f"   {text}")

    def table(self, rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
        """Aligned facts under the step."""
        for line in columns(rows, right=right).splitlines():
            click.echo(f"   {line}")

    def progress(self, title: str) -> AbstractContextManager[Callable[[Counts], None]]:
        """A bar for as long as a campaign runs."""
        return show_progress(f"   {title}")
