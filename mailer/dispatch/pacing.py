"""How fast: a rate that all dispatchers of a campaign share, and a brake for a server that asks to slow
down.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Engine, select, update
from sqlmodel import col

from mailer.database.clock import Clock, read_clock
from mailer.database.models import Campaign

# Turns are taken for this many seconds at once, so that a high rate costs ten transactions a second, not
# hundreds.
_BLOCK_SECONDS = 0.1
_FIRST_BRAKE = 0.05
_LONGEST_BRAKE = 10.0
# Complaints within this many seconds are one complaint: they answer messages that were already on their way.
_DEAF_SECONDS = 5.0
# The brake loosens by a tenth a minute.
_RECOVERY = 0.9


class Pacer:
    """Says when the next message may go. Safe to share between threads.

    ``rate`` is in messages per second over every dispatcher of the campaign: turns are taken from one row
    of the database, by its clock. None is no limit. ``monotonic`` is this process's own clock, for the
    brake.
    """

    def __init__(
        self,
        engine: Engine,
        campaign_id: int,
        rate: float | None,
        *,
        clock: Clock = read_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._campaign_id = campaign_id
        self._rate = rate
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._turns: list[float] = []
        self._brake = Brake(monotonic)

    def slow_down(self) -> None:
        """The server asked for a slower pace."""
        self._brake.tighten()

    def wait(self, halted: threading.Event) -> bool:
        """Wait for the next turn; False when ``halted`` was set meanwhile."""
        delay = self.take_turn()
        return not (halted.wait(delay) if delay > 0 else halted.is_set())

    def take_turn(self) -> float:
        """Take the next turn; how many seconds from now it is."""
        braked = self._brake.take_turn()
        if self._rate is None:
            return braked
        with self._lock:
            if not self._turns:
                self._turns = self._reserve(max(1, round(self._rate * _BLOCK_SECONDS)))
            return max(braked, self._turns.pop(0) - self._monotonic())

    def _reserve(self, turns: int) -> list[float]:
        """Move the campaign's clock on by ``turns``; when each of them is, by our own clock."""
        assert self._rate is not None  # noqa: S101 - the caller looked
        interval = timedelta(seconds=1 / self._rate)
        this = col(Campaign.id) == self._campaign_id
        with self._engine.begin() as connection:
            now = self._clock(connection)
            next_slot = select(col(Campaign.next_slot_at)).where(this).with_for_update()
            first = max(now, connection.execute(next_slot).scalar_one() or now)
            values = {"next_slot_at": first + turns * interval}
            connection.execute(update(Campaign).where(this).values(values))
        start = self._monotonic() + (first - now).total_seconds()
        return [start + turn / self._rate for turn in range(turns)]


class Brake:
    """Lets messages of this process through at growing distances: twice as far with every complaint."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._distance = 0.0
        self._complained_at = float("-inf")
        self._next = float("-inf")

    def tighten(self) -> None:
        """Double the distance between messages, once for complaints that come together."""
        with self._lock:
            now = self._monotonic()
            if now - self._complained_at < _DEAF_SECONDS:
                return
            self._distance = min(max(self._loosened(now) * 2, _FIRST_BRAKE), _LONGEST_BRAKE)
            self._complained_at = now

    def take_turn(self) -> float:
        """Take the next turn; how many seconds from now it is."""
        with self._lock:
            now = self._monotonic()
            turn = max(now, self._next)
            self._next = turn + self._loosened(now)
            return turn - now

    def _loosened(self, now: float) -> float:
        if self._distance == 0:
            return 0.0
        distance: float = self._distance * _RECOVERY ** ((now - self._complained_at) / 60)
        return distance if distance > _FIRST_BRAKE / 10 else 0.0
