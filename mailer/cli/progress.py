"""Show the progress of a campaign: a bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from mailer.cli.output import columns, say

if TYPE_CHECKING:
    from mailer.dispatch.deliveries import Counts


_LINE_SECONDS = 10.0  # often enough to show progress in a log, rarely enough to stay readable
_RATE_SECONDS = 10.0
_SAMPLE_SECONDS = 0.1


class ProgressCallback(Protocol):
    """Shows the counts, with an optional ``notice`` for the operator next to them."""

    def __call__(self, counts: Counts, notice: str = "") -> None: ...


class RateMeter:
    """Measures the current rate: deliveries settled per second over the last ten seconds of ``monotonic``."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int]] = deque()

    def record(self, settled: int) -> None:
        now = self._monotonic()
        if not self._seen or now - self._seen[-1][0] >= _SAMPLE_SECONDS:
            self._seen.append((now, settled))
        # Keep one older sample, so that there is something to compare with after ten seconds without a
        # change.
        while len(self._seen) > 2 and now - self._seen[1][0] >= _RATE_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Deliveries settled per second; None before there are two samples."""
        if len(self._seen) < 2:
            return None
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        return max(0.0, (after - before) / (end - start))

    def estimate(self, left: int) -> float | None:
        """Seconds until ``left`` more are settled at this rate; None if the rate is zero or unknown."""
        return left / self.rate if self.rate else None


@contextmanager
def show_progress(title: str) -> Iterator[ProgressCallback]:
    """A callback that shows counts on stderr. Anything else written to ``sys.stderr`` in the meantime appears
    above the bar."""
    if sys.stderr.isatty():
        with _bar_progress(title) as update:
            yield update
    else:
        yield line_progress(title)


@contextmanager
def _bar_progress(title: str) -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(complete_style="cyan", finished_style="cyan"),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("{task.fields[problems]}", style="yellow", markup=False),
        console=Console(stderr=True),
        # stdout carries data, which must stay as it is.
        redirect_stdout=False,
    ) as progress:
        task = progress.add_task(title, total=None, rate="", problems="")
        meter = RateMeter()

        def update(counts: Counts, notice: str = "") -> None:
            meter.record(counts.settled)
            progress.update(
                task,
                total=counts.audience,
                completed=counts.settled,
                rate=describe_rate(meter, counts),
                problems=describe_problems(counts, notice),
            )

        yield update


def line_progress(title: str, *, monotonic: Callable[[], float] = time.monotonic) -> ProgressCallback:
    """Return a callback that prints lines on stderr: one every ten seconds and one for each new notice."""
    last, told, meter = monotonic(), "", RateMeter(monotonic)

    def update(counts: Counts, notice: str = "") -> None:
        nonlocal last, told
        meter.record(counts.settled)
        if monotonic() - last < _LINE_SECONDS and notice in {"", told}:
            return
        last, told = monotonic(), notice
        parts = (describe_rate(meter, counts), describe_problems(counts, notice))
        say(", ".join([f"{title}: {counts.settled:,} of {counts.audience:,}", *filter(None, parts)]))

    return update


def describe_rate(meter: RateMeter, counts: Counts) -> str:
    """Return the rate and the time left, such as "85/s, 2 min left"; empty while the rate is unknown."""
    if meter.rate is None:
        return ""
    rate = f"{meter.rate:,.0f}/s" if meter.rate >= 10 or not meter.rate else f"{meter.rate:.1f}/s"
    left = meter.estimate(counts.audience - counts.settled)
    return f"{rate}, {_format_duration(left)} left" if left and counts.queued else rate


def describe_problems(counts: Counts, notice: str = "") -> str:
    """Return the deliveries with problems, such as "3 rejected, 1 in doubt"; empty if there are none."""
    numbers = (
        (counts.rejected, "rejected"),
        (counts.failed, "failed"),
        (counts.deferred, "deferred"),
        (counts.in_doubt, "in doubt"),
    )
    parts = [f"{number:,} {word}" for number, word in numbers if number]
    return ", ".join([*parts, notice] if notice else parts)


def _format_duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class TerminalDemoOutput:
    """Prints the demo on stdout: the output is what the command is for."""

    def __init__(self) -> None:
        self._steps = 0

    def step(self, title: str) -> None:
        self._steps += 1
        click.echo()
        click.secho(f"{self._steps}  {title}", fg="cyan", bold=True)

    def line(self, text: str) -> None:
        click.echo(f"   {text}")

    def table(self, rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> None:
        for line in columns(rows, right=right).splitlines():
            click.echo(f"   {line}")

    def progress(self, title: str) -> AbstractContextManager[Callable[[Counts], None]]:
        return show_progress(f"   {title}")
