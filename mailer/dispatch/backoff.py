"""How long to wait after failures, and how to slow down for a relay that asks for it. For one thread."""

import random
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from mailer.smtp.reply_classifier import Outcome, Verdict, find_enhanced_code

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


_INITIAL_INTERVAL = 0.05
_MAX_INTERVAL = 10.0
# Complaints within this many seconds are one complaint: they answer messages that were already on their way.
_DEBOUNCE_SECONDS = 5.0
# The brake loosens by a tenth a minute.
_RECOVERY_PER_MINUTE = 0.9


class AdaptiveThrottle:
    """Spaces out the messages of this process: the interval doubles whenever a relay asks to slow down."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._interval = 0.0
        self._slowed_at = float("-inf")
        self._next = float("-inf")

    @property
    def interval(self) -> float:
        """The seconds between two messages now."""
        return self._interval_at(self._monotonic()) if self._interval else 0.0

    def slow_down(self, longest: float = _MAX_INTERVAL) -> None:
        """Double the interval, once for requests that come together, up to ``longest`` seconds."""
        now = self._monotonic()
        if now - self._slowed_at < _DEBOUNCE_SECONDS:
            return
        loosened = self._interval_at(now)
        self._interval = max(loosened, min(max(loosened * 2, _INITIAL_INTERVAL), longest))
        self._slowed_at = now

    def acquire(self) -> float:
        """Take the next slot; return how many seconds from now it is."""
        if self._interval == 0:
            return 0.0
        now = self._monotonic()
        turn = max(now, self._next)
        self._next = turn + self._interval_at(now)
        return turn - now

    def _interval_at(self, now: float) -> float:
        if self._interval == 0:
            return 0.0
        distance: float = self._interval * _RECOVERY_PER_MINUTE ** ((now - self._slowed_at) / 60)
        return distance if distance > _INITIAL_INTERVAL / 10 else 0.0


# Some dozens of replies tell a trend from chance, and a tired relay is noticed within seconds.
_CONGESTION_SAMPLE = 50
# One in five: greylisting, full mailboxes and busy servers of some recipients make a few in a hundred.
_CONGESTION_SHARE = 0.2
# What a server defers without mentioning the rate may not be caused by it. Such a server still gets a message
# a second, not one in ten seconds as when it asks for less.
_CONGESTION_MAX_INTERVAL = 1.0
_GREYLISTED = re.compile(r"gr[ae]y-?list", re.IGNORECASE)


class CongestionMonitor:
    """Slows down when a relay defers more and more messages.

    When it has deferred more than a fifth of the last 50, the interval doubles and counting starts again, so
    only later replies can double it further. The interval shrinks by a tenth a minute. A relay that has
    recovered is back at full rate within minutes, and one at its limit is tested once in several minutes, so
    the rate does not oscillate.
    """

    def __init__(self, throttle: AdaptiveThrottle) -> None:
        self._throttle = throttle
        self._recent: deque[bool] = deque(maxlen=_CONGESTION_SAMPLE)
        self._congested = 0

    @property
    def share(self) -> float:
        """The share of deferrals among the replies that count now."""
        return self._congested / _CONGESTION_SAMPLE

    def record(self, outcome: Outcome) -> None:
        """Record an outcome; slow down if it asks for that, or is one deferral too many."""
        if outcome.slow_down:
            self._throttle.slow_down()
        is_congested = outcome.verdict is not Verdict.sent and _is_congested(outcome)
        if len(self._recent) == _CONGESTION_SAMPLE:
            self._congested -= self._recent[0]
        self._recent.append(is_congested)
        self._congested += is_congested
        if self._congested > _CONGESTION_SHARE * _CONGESTION_SAMPLE:
            self._throttle.slow_down(_CONGESTION_MAX_INTERVAL)
            self._recent.clear()
            self._congested = 0


def _is_congested(outcome: Outcome) -> bool:
    """Whether the server deferred the message for reasons that may be its own."""
    if outcome.code is None or not 400 <= outcome.code <= 499:
        return False
    # Not a full mailbox (x.2.x), and not a server that greylists or says when to retry: a lower rate would
    # not help.
    is_mailbox_full = find_enhanced_code(outcome.code, outcome.text).startswith("4.2.2")
    has_time = outcome.retry_after is not None
    return not (is_mailbox_full or has_time or _GREYLISTED.search(outcome.text))
