"""How long to wait before the next attempt, after each failure in a row."""

from dataclasses import dataclass


@dataclass(kw_only=True)
class RetryDelay:
    """Delays in seconds that double from ``first`` up to ``longest``."""

    first: float
    longest: float
    failures: int = 0

    def next(self) -> float:
        """Count a failure, and return how long to wait after it."""
        delay: float = min(self.first * 2 ** min(self.failures, 20), self.longest)
        self.failures += 1
        return delay

    def reset(self) -> None:
        """Forget the failures: it worked."""
        self.failures = 0
