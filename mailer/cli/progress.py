"""How far a campaign is: a bar on a terminal, a plain line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from mailer.cli.output import say

if TYPE_CHECKING:
    from mailer.dispatch.counts import Counts

_LINE_EVERY = 10.0  # seconds: enough to see life in a log, few enough to read
_SECONDS_OF_RATE = 10.0
_NOTED_EVERY = 0.1


class OnProgress(Protocol):
    """Shows the counts it is called with, and beside them ``notice``: what a person should know, if
    anything.
    """

    def __call__(self, counts: Counts, notice: str = "") -> None: ...


class Pace:
    """How fast it goes now: the rate over the last ten seconds, by ``monotonic``."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, settled: int) -> None:
        """So many are settled now."""
        now = self._monotonic()
        if not self._seen or now - self._seen[-1][0] >= _NOTED_EVERY:
            self._seen.append((now, settled))
        # One that is older stays, or ten seconds without a change would leave nothing to compare with.
        while len(self._seen) > 2 and now - self._seen[1][0] >= _SECONDS_OF_RATE:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Settled per second, or None while it is too early to say."""
        if len(self._seen) < 2:
            return None
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        return max(0.0, (after - before) / (end - start))

    def estimate(self, left: int) -> float | None:
        """Seconds until ``left`` more are settled at this rate, or None where it stands still."""
        return left / self.rate if self.rate else None


@contextmanager
def show_progress(title: str) -> Iterator[OnProgress]:
    """Show the counts it is called with, on stderr.

    What others write to ``sys.stderr`` meanwhile appears above the bar.
    """
    if sys.stderr.isatty():
        with _bar(title) as update:
            yield update
    else:
        yield lines(title)


@contextmanager
def _bar(title: str) -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(complete_style="cyan", finished_style="cyan"),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TextColumn("{task.fields[trouble]}", style="yellow", markup=False),
        console=Console(stderr=True),
        # Data is nobody's to decorate.
        redirect_stdout=False,
    ) as progress:
        task = progress.add_task(title, total=None, pace="", trouble="")
        pace = Pace()

        def update(counts: Counts, notice: str = "") -> None:
            pace.note(counts.settled)
            progress.update(
                task,
                total=counts.audience,
                completed=counts.settled,
                pace=describe_pace(pace, counts),
                trouble=describe_trouble(counts, notice),
            )

        yield update


def lines(title: str, *, monotonic: Callable[[], float] = time.monotonic) -> OnProgress:
    """Progress as plain lines on stderr, one every ten seconds and one for each new notice."""
    last, told, pace = monotonic(), "", Pace(monotonic)

    def update(counts: Counts, notice: str = "") -> None:
        nonlocal last, told
        pace.note(counts.settled)
        if monotonic() - last < _LINE_EVERY and notice in {"", told}:
            return
        last, told = monotonic(), notice
        parts = (describe_pace(pace, counts), describe_trouble(counts, notice))
        say(", ".join([f"{title}: {counts.settled:,} of {counts.audience:,}", *filter(None, parts)]))

    return update


def describe_pace(pace: Pace, counts: Counts) -> str:
    """How fast it goes and how long it will take, as in "85/s, 2 min left"; empty while it is too early."""
    if pace.rate is None:
        return ""
    rate = f"{pace.rate:,.0f}/s" if pace.rate >= 10 or not pace.rate else f"{pace.rate:.1f}/s"
    left = pace.estimate(counts.audience - counts.settled)
    return f"{rate}, {_span(left)} left" if left and counts.queued else rate


def describe_trouble(counts: Counts, notice: str = "") -> str:
    """What is not as it should be, as in "3 rejected, 1 in doubt"; empty where nothing is."""
    numbers = (
        (counts.rejected, "rejected"),
        (counts.failed, "failed"),
        (counts.deferred, "deferred"),
        (counts.in_doubt, "in doubt"),
    )
    parts = [f"{number:,} {word}" for number, word in numbers if number]
    return ", ".join([*parts, notice] if notice else parts)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
