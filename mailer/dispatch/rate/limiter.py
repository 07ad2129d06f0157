"""How fast: rates that all machines share, limits by the day, and a brake for a server that asks to slow
down.

A rate belongs to a **lane**, a row of the database that holds the next free turn. Whoever wants to send takes
a turn, and by that moves the lane's clock on for everybody. The database's clock decides; between two looks
at it a dispatcher counts on its own, monotonic one. A dispatcher calls all of this from one thread.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

from sqlalchemy import Engine, update
from sqlmodel import col

from mailer.database.clock import Clock, read_clock
from mailer.database.models import RateBucket
from mailer.dispatch.rate.buckets import BucketState, lock_buckets, save_buckets
from mailer.settings import WarmUpSettings

# Turns are taken for this many seconds at once, so that a high rate costs ten transactions a second, not
# hundreds.
_BLOCK_SECONDS = 0.1
# Of a day's messages at most a hundredth is taken at once, so that a crash wastes little of a small day; and
# at most this many, which is a transaction every 25 ms at 4,000 messages a second.
_MAX_DAILY_BLOCK = 100
# A lane may be taken as far ahead as a hundred dispatchers with a block each explain, and a minute for clocks
# that are set.
_MAX_BLOCKS_AHEAD = 100
_CLOCK_SLACK = 60.0
# While a day is used up, the database is asked again this often: its clock may have been set.
_RECHECK_SECONDS = 60.0
_INITIAL_INTERVAL = 0.05
_MAX_INTERVAL = 10.0
# Complaints within this many seconds are one complaint: they answer messages that were already on their way.
_DEBOUNCE_SECONDS = 5.0
# The brake loosens by a tenth a minute.
_RECOVERY_PER_MINUTE = 0.9
# No relay takes more in a day; beyond it a warm-up has no limit, and no number grows out of hand.
_NO_LIMIT = 10**9


def campaign_bucket(campaign_id: int) -> str:
    """The lane of a campaign's own rate."""
    return f"campaign:{campaign_id}"


def relay_bucket(name: str) -> str:
    """The lane of what a relay takes."""
    return f"relay:{name}"


@dataclass(frozen=True, kw_only=True)
class DailyLimitReached:
    """Why there is no turn: ``limit`` messages were allowed on this day (UTC), the next ``until`` (UTC)."""

    limit: int
    until: datetime

    @property
    def reason(self) -> str:
        """The same for a person."""
        return (
            f"The warm-up allows {self.limit:,} messages today; the rest are sent after midnight "
            f"({self.until:%Y-%m-%d %H:%M} UTC)."
        )


def warm_up_limit(settings: WarmUpSettings) -> Callable[[date], int]:
    """How many messages a day (UTC) of the warm-up allows.

    Days before the first are like the first: in Asia a sender's today begins hours before that of UTC.
    """

    def limit(day: date) -> int:
        days = max(0, (day - settings.since).days)
        try:
            return min(_NO_LIMIT, int(settings.first_day * settings.growth**days))
        except OverflowError:
            return _NO_LIMIT

    return limit


class RateLimiter:
    """Says when the next message of a lane may go.

    ``rate`` is in messages per second over all machines, None is no limit; ``day_limit`` says how many
    messages a day (UTC) allows, None is no limit. ``monotonic`` is this process's own clock, in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        rate: float | None,
        *,
        clock: Clock = read_clock,
        monotonic: Callable[[], float] = time.monotonic,
        day_limit: Callable[[date], int] | None = None,
    ) -> None:
        self._engine = engine
        self._name = name
        self._rate = rate
        self._clock = clock
        self._monotonic = monotonic
        self._day_limit = day_limit
        self._slots: deque[float] = deque()
        self._day: date | None = None
        self._recheck_at = float("-inf")
        self.limit_reached: DailyLimitReached | None = None
        """Why the last turn that was asked for was not to be had."""

    @property
    def is_unlimited(self) -> bool:
        """Whether this lane never makes anybody wait."""
        return self._rate is None and self._day_limit is None

    def acquire(self) -> float | None:
        """Take the next turn; how many seconds from now it is.

        None when the messages of this day are used up (``limit_reached`` says more): no turn was taken.
        Asking again is cheap, the database is looked at once a minute.
        """
        if self._rate is None and self._day_limit is None:
            return 0.0
        if not self._slots:
            if self._monotonic() < self._recheck_at:
                return None
            self._reserve_block()
            if not self._slots:
                return None
        return max(0.0, self._slots.popleft() - self._monotonic())

    def release(self) -> None:
        """Give back a turn that was taken and not used; the next one to ask gets it, at once."""
        if not self.is_unlimited:
            self._slots.appendleft(self._monotonic())

    def close(self) -> None:
        """Give turns that nobody used back to their day, so that runs cut short do not use it up."""
        unused, self._slots = len(self._slots), deque[float]()
        if unused and self._day is not None:
            same = (
                col(RateBucket.name) == self._name,
                col(RateBucket.day) == self._day,
                col(RateBucket.used) >= unused,
            )
            with self._engine.begin() as connection:
                connection.execute(update(RateBucket).where(*same).values(used=col(RateBucket.used) - unused))

    def _reserve_block(self) -> None:
        """Take a block of turns off the lane, or find its day used up."""
        with lock_buckets(self._engine, [self._name]) as (connection, bookings):
            # Read when the row is ours: who waited for it would reckon with a time that is past.
            now, start = self._clock(connection), self._monotonic()
            booking = bookings[self._name]
            first = booking.first_slot(now, self._max_ahead)
            turns, booking = self._take_block(booking, first)
            save_buckets(connection, [booking])
        if self.limit_reached is not None:
            self._recheck_at = start + min(_RECHECK_SECONDS, (self.limit_reached.until - now).total_seconds())
        start += (first - now).total_seconds()
        self._slots.extend(start + turn * self._interval for turn in range(turns))

    @property
    def _interval(self) -> float:
        """Seconds between two turns."""
        return 0.0 if self._rate is None else 1 / self._rate

    @property
    def _max_ahead(self) -> timedelta:
        """How far ahead a lane may be taken and still be believed."""
        block = max(_BLOCK_SECONDS, self._interval)
        return timedelta(seconds=_CLOCK_SLACK + _MAX_BLOCKS_AHEAD * block)

    def _take_block(self, booking: BucketState, first: datetime) -> tuple[int, BucketState]:
        """How many turns from ``first`` on are ours, and how far the lane is taken with them."""
        block = _MAX_DAILY_BLOCK if self._rate is None else max(1, round(self._rate * _BLOCK_SECONDS))
        if self._day_limit is not None:
            self._day = day = first.date()
            limit = self._day_limit(day)
            # A day that is still to come was written by a clock that has been set back since. What was used
            # of it counts for this one: a clock set back makes no new day, and one that was wrong by a year
            # uses up one day and not all until then.
            used = booking.used if booking.day is not None and booking.day >= day else 0
            self.limit_reached = (
                None if used < limit else DailyLimitReached(limit=limit, until=_midnight_after(day))
            )
            if self.limit_reached is not None:
                return 0, replace(booking, day=day, used=used)
            block = min(block, limit - used, max(1, min(_MAX_DAILY_BLOCK, limit // 100)))
            booking = replace(booking, day=day, used=used + block)
        if self._rate is not None:
            booking = replace(booking, next_at=first + block * timedelta(seconds=self._interval))
        return block, booking


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time_of_day(), UTC)


class AdaptiveThrottle:
    """Lets messages of this process through at growing distances: twice as far with every complaint."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._interval = 0.0
        self._slowed_at = float("-inf")
        self._next = float("-inf")

    @property
    def interval(self) -> float:
        """The seconds between two messages as they are now."""
        return self._interval_at(self._monotonic()) if self._interval else 0.0

    def slow_down(self, longest: float = _MAX_INTERVAL) -> None:
        """Double the distance between messages, once for complaints that come together.

        It never grows beyond ``longest`` seconds.
        """
        now = self._monotonic()
        if now - self._slowed_at < _DEBOUNCE_SECONDS:
            return
        loosened = self._interval_at(now)
        self._interval = max(loosened, min(max(loosened * 2, _INITIAL_INTERVAL), longest))
        self._slowed_at = now

    def acquire(self) -> float:
        """Take the next turn; how many seconds from now it is."""
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
