"""When to wait, when to slow down and when to give up: failing connections, deferrals that rise, and refusals
that are nobody's fault but ours.

A dispatcher calls all of this from one thread.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailer.dispatch.rate.limiter import AdaptiveThrottle
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, find_enhanced_code, is_dead_address


@dataclass(frozen=True, kw_only=True)
class BackoffPolicy:
    """How much trouble a dispatcher bears. Times are in seconds.

    After ``failures`` failed connections in a row, without any reader served between them, the campaign is
    paused. The pause after the first is ``initial_delay``; it doubles up to ``max_delay``.
    """

    max_failures: int = 5
    initial_delay: float = 1.0
    max_delay: float = 60.0


class ConnectionBackoff:
    """The failures of all connections of one dispatcher, taken together."""

    def __init__(self, policy: BackoffPolicy, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._monotonic = monotonic
        self._not_before = float("-inf")
        self.failures = 0
        self.epoch = 0
        """Rises with every failure. A connection remembers the epoch it was opened in."""

    def reset(self) -> None:
        """A reader was served: the server works."""
        self.failures = 0

    def report_failure(self, epoch: int, *, retry_after: timedelta | None = None) -> bool:
        """A connection of ``epoch`` failed; whether that is one too many.

        Connections that were open at the same time and fail together are one failure. ``retry_after`` is what
        the server asked for, which is waited for if it is longer than ours.
        """
        if epoch != self.epoch:
            return False
        self.epoch += 1
        self.failures += 1
        doublings: int = 2 ** min(self.failures - 1, 30)
        wait = min(self._policy.initial_delay * doublings, self._policy.max_delay)
        if retry_after is not None:
            wait = max(wait, retry_after.total_seconds())
        self._not_before = self._monotonic() + wait
        return self.failures >= self._policy.max_failures

    def seconds_to_wait(self) -> float:
        """How long nobody should connect."""
        return self._not_before - self._monotonic()


# A share is told from chance by some dozens of answers, and a relay that tires is noticed within seconds.
_CONGESTION_SAMPLE = 50
# One in five: greylisting, full mailboxes and busy servers of some readers make a few in a hundred.
_CONGESTION_SHARE = 0.2
# What a server defers without a word about the pace may not come from the pace: to such a server a message a
# second goes through whatever it says, and not one in ten as when it asks for less.
_CONGESTION_MAX_INTERVAL = 1.0
_GREYLISTED = re.compile(r"gr[ae]y-?list", re.IGNORECASE)


class CongestionMonitor:
    """Slows down when a relay says "not now" more and more often.

    When it said so to more than a fifth of the last 50 readers, the brake is tightened to twice the distance,
    and the counting begins anew: only what was answered since then can tighten it further. It loosens by
    itself, a tenth a minute: a relay that has recovered has its pace back in minutes, and one that is at its
    limit is tried again once in several minutes, so the pace does not swing.
    """

    def __init__(self, throttle: AdaptiveThrottle) -> None:
        self._throttle = throttle
        self._recent: deque[bool] = deque(maxlen=_CONGESTION_SAMPLE)
        self._congested = 0

    @property
    def share(self) -> float:
        """The share of "not now" among the answers that count at present."""
        return self._congested / _CONGESTION_SAMPLE

    def record(self, outcome: Outcome) -> None:
        """Look at an outcome; tighten the brake if it asks for that, or is one too many."""
        if outcome.slow_down:
            self._throttle.slow_down()
        is_strained = outcome.verdict is not Verdict.sent and _is_congested(outcome)
        if len(self._recent) == _CONGESTION_SAMPLE:
            self._congested -= self._recent[0]
        self._recent.append(is_strained)
        self._congested += is_strained
        if self._congested > _CONGESTION_SHARE * _CONGESTION_SAMPLE:
            self._throttle.slow_down(_CONGESTION_MAX_INTERVAL)
            self._recent.clear()
            self._congested = 0


def _is_congested(outcome: Outcome) -> bool:
    """Whether the server said "not now" for reasons that may be its own."""
    if outcome.code is None or not 400 <= outcome.code <= 499:
        return False
    # A mailbox that is full (x.2.x), a server that greylists or names the time of the next try: slower would
    # not be sooner.
    is_the_readers = find_enhanced_code(outcome.code, outcome.text).startswith("4.2.2")
    has_time = outcome.retry_after is not None
    return not (is_the_readers or has_time or _GREYLISTED.search(outcome.text))


_WINDOW_SIZE = 25
_TRIP_THRESHOLD = 20
_FIRST_MESSAGES = 200
# What makes refusals alike: the fault is ours, or (any other key) the address is dead, said in these words.
_SENDER_FAULT: Final = "ours"
_DEAD_ADDRESSES: Final = "dead"
_HANDED_OVER: Final = frozenset({Verdict.sent, Verdict.rejected, Verdict.in_doubt})


class CircuitBreaker:
    """Stops a campaign that fails for everybody before it has used up its audience.

    It trips for three reasons, and each says that something else is at fault than the readers:

    - 20 of the last 25 readers could not be built, or were refused for something other than their address;
    - of the ``first`` messages handed over, a share above ``halt_at_rejected`` went to dead addresses: then
      the list is old, or the relay takes the living for dead;
    - after those, 20 of the last 25 are dead in the very same words: no list has them in a row.

    A dead address counts at its first attempt only. So one that was taken back counts no more when it is
    refused again, and a person who has looked at the refusals and resumes is not stopped by them twice.

    ``handed_over`` and ``dead`` tell what earlier runs did: how many messages were sent, rejected or left in
    doubt, and which deliveries among them were rejected as dead.
    """

    def __init__(
        self,
        halt_at_rejected: float = 0.1,
        *,
        first: int = _FIRST_MESSAGES,
        handed_over: int = 0,
        dead: Collection[int] = (),
    ) -> None:
        self._share = halt_at_rejected
        self._first = first
        self._handed_over = handed_over
        self._dead = list(dead)
        self._recent: deque[tuple[int, str]] = deque(maxlen=_WINDOW_SIZE)
        self._tripped_by = ""
        self.reason = ""
        """Why it tripped, for a person; empty as long as it has not."""

    def record(self, delivery_id: int, outcome: Outcome, *, attempts: int = 0) -> list[int]:
        """Look at an outcome that is recorded; the deliveries to take back if it was one too many, else
        none.

        ``attempts`` are the delivery's before this one.
        """
        if outcome.verdict in _HANDED_OVER:
            self._handed_over += 1
        key = "" if outcome.verdict is Verdict.sent else _classify_failure(outcome, attempts)
        if self._tripped_by:
            # Other connections had one more answer on its way.
            return [delivery_id] if self._has_same_cause(key) else []
        if key not in ("", _SENDER_FAULT) and self._handed_over <= self._first:
            self._dead.append(delivery_id)
            # These are judged by their share, when the first are out.
            key = ""
        self._recent.append((delivery_id, key))
        if self._handed_over == self._first and len(self._dead) > self._share * self._first:
            return self._trip(_DEAD_ADDRESSES, self._explain_dead(), self._dead)
        alike = [number for number, other in self._recent if other == key] if key else []
        if len(alike) < _TRIP_THRESHOLD:
            return []
        return self._trip(
            key, explain_trip(outcome) if key == _SENDER_FAULT else _explain_alike(outcome), alike
        )

    def _has_same_cause(self, key: str) -> bool:
        if self._tripped_by == _DEAD_ADDRESSES:
            return key not in ("", _SENDER_FAULT)
        return key == self._tripped_by

    def _trip(self, key: str, reason: str, deliveries: list[int]) -> list[int]:
        self._tripped_by, self.reason = key, reason
        return deliveries

    def _explain_dead(self) -> str:
        return (
            f"Of the first {self._first} addresses, {len(self._dead)} were refused as dead, more than "
            f"{self._share:.0%}. They are back in the queue. Check the report: is the list old, or is the relay "
            "refusing valid addresses? If you resume, they are tried once more and a second refusal is final."
        )


def explain_trip(outcome: Outcome) -> str:
    """Why the campaign stopped, with the last reader's ``outcome`` as the example."""
    return (
        f"{_TRIP_THRESHOLD} of the last {_WINDOW_SIZE} messages could not be built, or were refused for reasons that have "
        f"nothing to do with the recipient. They are back in the queue. The last reason: {outcome.reason}"
    )


def _explain_alike(outcome: Outcome) -> str:
    return (
        f"{_TRIP_THRESHOLD} of the last {_WINDOW_SIZE} addresses were refused as dead in the same words, which suggests "
        "that the relay refuses every address. They are back in the queue. If you resume, they are tried once "
        f"more and a second refusal is final. The last reason: {outcome.reason}"
    )


def _classify_failure(outcome: Outcome, attempts: int) -> str:
    """What makes this refusal like others; empty if it is none, or nothing to wonder at."""
    if outcome.verdict is Verdict.failed:
        return _SENDER_FAULT
    if outcome.verdict is not Verdict.rejected or outcome.stage is not Stage.rcpt:
        return ""
    if not is_dead_address(outcome.code, outcome.text):
        return _SENDER_FAULT
    # Without what names the reader, or the moment.
    return "" if attempts else f"{outcome.code} {_VARIABLE_PARTS.sub('', outcome.text)}"


_VARIABLE_PARTS = re.compile(r"\S*[@\d]\S*")
