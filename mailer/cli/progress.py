"""How far a campaign is: a bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.cli.output import say

if TYPE_CHECKING:
    from mailer.dispatch.counts import Counts

_LINE_EVERY = 10.0  # seconds: enough to see life in a log, few enough to read


@contextmanager
def show_progress(title: str) -> Iterator[Callable[[Counts], None]]:
    """Show the counts it is called with, on stderr."""
    if sys.stderr.isatty():
        with _bar(title) as update:
            yield update
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Callable[[Counts], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}/s")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(complete_style="cyan", finished_style="cyan"),
        rate,
        TimeRemainingColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task(title, total=None, rate="–")
        started, first = time.monotonic(), -1

        def update(counts: Counts) -> None:
            nonlocal first
            if first < 0:
                first = counts.settled
            seconds = time.monotonic() - started
            speed = f"{(counts.settled - first) / seconds:.0f}" if seconds > 0.5 else "–"
            progress.update(task, total=counts.audience, completed=counts.settled, rate=speed)

        yield update


def _lines(title: str) -> Callable[[Counts], None]:
    last = time.monotonic()

    def update(counts: Counts) -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY:
            last = time.monotonic()
            say(f"{title}: {counts.settled} of {counts.audience}")

    return update
