"""Runs of programs that send mail, measured alternately and compared."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: ``messages`` processed between ``began`` and ``ended`` (seconds of the clock that all
    processes share), with ``cpu`` seconds of user and system time; ``peak`` is the peak memory of the process
    in megabytes, 0 if not measured."""

    messages: int
    began: float
    ended: float
    cpu: float
    peak: float = 0

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / (self.ended - self.began)

    @property
    def time_each(self) -> float:
        """Microseconds of wall-clock time per message."""
        return 1e6 / self.rate

    @property
    def cpu_each(self) -> float:
        """Microseconds of CPU time per message."""
        return self.cpu / self.messages * 1e6


Metric = Callable[[Run], float]
"""What to compare of a run."""


def rate(run: Run) -> float:
    return run.rate


def time_each(run: Run) -> float:
    return run.time_each


def cpu_each(run: Run) -> float:
    return run.cpu_each


def peak(run: Run) -> float:
    return run.peak


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The ratio of two runs over the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.least:.2f} to {self.most:.2f} over the rounds"


class RunComparison:
    """The runs of several programs, done alternately. The first ``warmup`` rounds do not count."""

    def __init__(self, works: Mapping[str, Callable[[], Run]], *, rounds: int, warmup: int = 1) -> None:
        taken = [{name: work() for name, work in works.items()} for _ in range(warmup + rounds)]
        self._rounds = taken[warmup:]

    def median(self, name: str, of: Metric) -> float:
        return statistics.median(of(taken[name]) for taken in self._rounds)

    def highest(self, name: str, of: Metric) -> float:
        return max(of(taken[name]) for taken in self._rounds)

    def ratio(self, name: str, other: str, of: Metric) -> Ratio:
        """Return the ratio of ``name`` to ``other``, computed in each round."""
        ratios = [of(taken[name]) / of(taken[other]) for taken in self._rounds]
        return Ratio(median=statistics.median(ratios), least=min(ratios), most=max(ratios))
