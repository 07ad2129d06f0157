"""Time several pieces of work in alternating rounds, and take medians."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping

TimedCall = Callable[[], float]
"""Does its work once and returns how many milliseconds it took."""


def time_call(work: Callable[[], object], times: int = 1) -> TimedCall:
    """Time ``work`` by the wall clock; very short work is repeated ``times`` times."""

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - start) * 1000 / times

    return timed


class TimedRounds:
    """The milliseconds that several pieces of work took, done alternately."""

    def __init__(self, works: Mapping[str, TimedCall], *, rounds: int, warmup: int) -> None:
        # As in the render process: keep the garbage collector from scanning earlier objects again and again.
        gc.collect()
        gc.freeze()
        for _ in range(warmup):
            for work in works.values():
                work()
        self.taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                # Run once before timing, so that the others' use of the processor caches does not count.
                work()
                self.taken[name].append(work())

    def median(self, name: str) -> float:
        """Return the median in milliseconds."""
        return statistics.median(self.taken[name])

    def ratio(self, name: str, other: str) -> float:
        """Return how many times as long ``name`` took as ``other``: the median over the rounds."""
        return statistics.median(
            one / two for one, two in zip(self.taken[name], self.taken[other], strict=True)
        )
