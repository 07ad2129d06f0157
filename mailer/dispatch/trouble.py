"""When to wait and when to give up: failing connections, and refusals that are nobody's fault but ours."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mailer.dispatch.replies import Outcome, Stage, Verdict, is_dead_address


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How much trouble a dispatcher bears. Times are in seconds.

    After ``failures`` failed connections in a row, without any reader served between them, the campaign is
    paused. The pause after the first is ``first_wait``; it doubles up to ``longest_wait``.
    """

    failures: int = 5
    first_wait: float = 1.0
    longest_wait: float = 60.0


class Trouble:
    """The failures of all connections of one dispatcher, taken together. Safe to share between threads."""

    def __init__(self, patience: Patience, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._not_before = float("-inf")
        self.failures = 0
        self.epoch = 0
        """Rises with every failure. A connection remembers the epoch it was opened in."""

    def clear(self) -> None:
        """A reader was served: the server works."""
        with self._lock:
            self.failures = 0

    def report(self, epoch: int) -> bool:
        """A connection of ``epoch`` failed; whether that is one too many.

        Connections that were open at the same time and fail together are one failure.
        """
        with self._lock:
            if epoch != self.epoch:
                return False
            self.epoch += 1
            self.failures += 1
            doublings: int = 2 ** (self.failures - 1)
            wait = min(self._patience.first_wait * doublings, self._patience.longest_wait)
            self._not_before = self._monotonic() + wait
            return self.failures >= self._patience.failures

    def seconds_to_wait(self) -> float:
        """How long nobody should connect."""
        with self._lock:
            return self._not_before - self._monotonic()


_WATCHED = 25
_TOO_MANY = 20


class Breaker:
    """Stops a campaign that fails for everybody before it has used up its audience.

    When 20 of the last 25 readers could not be built, or were refused for something other than their
    address, the edition or the relay is at fault. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[int | None] = deque(maxlen=_WATCHED)
        self._has_tripped = False

    def watch(self, delivery_id: int, outcome: Outcome) -> list[int]:
        """Look at an outcome that is recorded; the deliveries to take back if it was one too many, else
        none.
        """
        with self._lock:
            suspect = delivery_id if _is_suspicious(outcome) else None
            self._recent.append(suspect)
            suspects = [number for number in self._recent if number is not None]
            if self._has_tripped:
                # Other connections had one more answer on its way.
                return [] if suspect is None else [suspect]
            if len(suspects) < _TOO_MANY:
                return []
            self._has_tripped = True
            return suspects


def explain_break(outcome: Outcome) -> str:
    """Why the campaign stopped, with the last reader's ``outcome`` as the example."""
    return (
        f"{_TOO_MANY} of the last {_WATCHED} readers were refused, or could not be built, for reasons that "
        f"are not theirs; they are back in the queue. The last one: {outcome.reason}"
    )


def _is_suspicious(outcome: Outcome) -> bool:
    if outcome.verdict is Verdict.failed:
        return True
    if outcome.verdict is not Verdict.rejected or outcome.stage is not Stage.rcpt:
        return False
    return not is_dead_address(outcome.code, outcome.words)
