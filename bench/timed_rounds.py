"""Rounds: everything that is compared is done in turn, again and again, and medians are taken."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping

TimedCall = Callable[[], float]
"""Does its work once and says how many milliseconds it took."""


def time_call(work: Callable[[], object], times: int = 1) -> TimedCall:
    """``work``, timed by the clock on the wall; what is very short is done ``times`` times in a row."""

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - start) * 1000 / times

    return timed


class TimedRounds:
    """The milliseconds of several works, done in turn."""

    def __init__(self, works: Mapping[str, TimedCall], *, rounds: int, warmup: int) -> None:
        # As in the process that draws: what was made before is not looked through again and again.
        gc.collect()
        gc.freeze()
        for _ in range(warmup):
            for work in works.values():
                work()
        self.taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                # Once before it counts: what the others left in the processor's caches is not its fault.
                work()
                self.taken[name].append(work())

    def median(self, name: str) -> float:
        """Milliseconds."""
        return statistics.median(self.taken[name])

    def ratio(self, name: str, other: str) -> float:
        """How many times as long ``name`` took as ``other``: the median over the rounds."""
        return statistics.median(
            one / two for one, two in zip(self.taken[name], self.taken[other], strict=True)
        )
