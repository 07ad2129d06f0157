"""How long to wait after failures: of connections to a relay, and of one recipient."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

_MIN_DELAY = timedelta(seconds=30)
_INITIAL_DELAY = timedelta(minutes=5)
_MAX_DELAY = timedelta(hours=4)


@dataclass(frozen=True, kw_only=True)
class BackoffPolicy:
    """When to connect again after failures. Times are in seconds.

    The delay after the first failure is ``initial_delay``; it doubles up to ``max_delay``. After
    ``max_failures`` in a row, with no message accepted in between, the relay is quarantined.
    """

    max_failures: int = 5
    initial_delay: float = 1.0
    max_delay: float = 60.0


class ConnectionBackoff:
    """The failures of all connections of one dispatcher to a relay, taken together."""

    def __init__(self, policy: BackoffPolicy, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._monotonic = monotonic
        self._not_before = float("-inf")
        self.failures = 0
        self._counted = 0
        self.epoch = 0
        """Increases with every failure. A connection remembers the epoch it was opened in."""

    def reset(self) -> None:
        """Forget the failures: the server works."""
        self.failures = self._counted = 0

    def report_failure(
        self, epoch: int, *, retry_after: timedelta | None = None, is_ours: bool = False
    ) -> bool:
        """Count the failure of a connection of ``epoch``; return whether it is one too many.

        One that ``is_ours`` says nothing about the server: it makes us wait, and is never one too many.

        Connections that were open at the same time and fail together count as one failure. If the server
        asked for a longer delay in ``retry_after``, that is kept.
        """
        if epoch != self.epoch:
            return False
        self.epoch += 1
        self.failures += 1
        self._counted += not is_ours
        doublings: int = 2 ** min(self.failures - 1, 30)
        wait = min(self._policy.initial_delay * doublings, self._policy.max_delay)
        if retry_after is not None:
            wait = max(wait, retry_after.total_seconds())
        self._not_before = self._monotonic() + wait
        return not is_ours and self._counted >= self._policy.max_failures

    def seconds_to_wait(self) -> float:
        """Return how long not to connect; 0 or less if a connection may be opened now."""
        return self._not_before - self._monotonic()


def compute_backoff(deferrals: int, random_: random.Random) -> timedelta:
    """Return how long to wait after deferral n (from 0): up to 5 minutes × 2ⁿ, at most four hours.

    Full jitter keeps recipients that were deferred together from being retried together.
    """
    doublings: int = 2 ** min(deferrals, 10)
    ceiling = min(_INITIAL_DELAY * doublings, _MAX_DELAY)
    return max(_MIN_DELAY, ceiling * random_.random())
