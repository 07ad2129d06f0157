"""Rates that all machines share, and limits by the day.

Each rate has a **bucket**, a row of the database that holds the next free slot. Taking a slot moves that time
on for all machines. The database's clock decides; between two reads of it a dispatcher goes by its own
monotonic clock. For one thread.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

from sqlalchemy import Engine, update
from sqlmodel import col

from locales.phrase import gettext_noop
from mailer.database.engine import Clock, read_clock
from mailer.database.models import RateBucket
from mailer.dispatch.buckets import BucketState, lock_buckets, save_buckets
from mailer.settings import WarmUpSettings
from mailer.utc import format_utc

# Slots are taken in blocks of this many seconds, so that a high rate costs ten transactions a second, not
# hundreds.
_BLOCK_SECONDS = 0.1
# Of a day's messages at most a hundredth is taken in one block, so that a crash wastes little of a small day;
# and at most this many, which is a transaction every 25 ms at 4,000 messages a second.
_MAX_DAILY_BLOCK = 100
# A bucket may be taken as far ahead as a hundred dispatchers with a block each explain, plus a minute for
# clocks that are changed.
_MAX_BLOCKS_AHEAD = 100
_CLOCK_SLACK = 60.0
# While a day is used up, the database is asked again this often: its clock may have been changed.
_RECHECK_SECONDS = 60.0
# No relay accepts more in a day; beyond it a warm-up has no limit, and the numbers stay small.
_NO_LIMIT = 10**9


def campaign_bucket(campaign_id: int) -> str:
    """Return the name of the bucket of a campaign's rate."""
    return f"campaign:{campaign_id}"


def relay_bucket(name: str) -> str:
    """Return the name of the bucket of a relay's rate."""
    return f"relay:{name}"


@dataclass(frozen=True, kw_only=True)
class DailyLimitReached:
    """Why there is no slot: ``limit`` messages were allowed today (UTC); the next come ``until`` (UTC)."""

    limit: int
    until: datetime

    @property
    def reason(self) -> str:
        """The same, for people."""
        return gettext_noop(
            "The warm-up allows %(limit)s messages today; the rest are sent after midnight (%(time)s)."
        ) % {"limit": f"{self.limit:,}", "time": format_utc(self.until)}


def warm_up_limit(settings: WarmUpSettings) -> Callable[[date], int]:
    """Return the function that says how many messages a day (UTC) of the warm-up allows.

    Days before the first are like the first: in Asia a sender's day begins hours before that of UTC.
    """

    def limit(day: date) -> int:
        days = max(0, (day - settings.since).days)
        try:
            return min(_NO_LIMIT, int(settings.first_day * settings.growth**days))
        except OverflowError:
            return _NO_LIMIT

    return limit


class RateLimiter:
    """Decides when the next message of a bucket may be sent.

    ``rate`` is in messages per second over all machines, None for no limit; ``day_limit`` returns how many
    messages are allowed on a day (UTC), None for no limit. ``monotonic`` is this process's clock, in seconds.
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
        """Why the last slot that was asked for was not available, if so."""

    @property
    def is_unlimited(self) -> bool:
        """Whether this limiter never makes anything wait."""
        return self._rate is None and self._day_limit is None

    def acquire(self) -> float | None:
        """Take the next slot; return how many seconds from now it is.

        None if the messages of this day are used up (``limit_reached`` says more). Asking again is cheap: the
        database is asked once a minute.
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
        """Give back a slot that was not used; the next caller gets it immediately."""
        if not self.is_unlimited:
            self._slots.appendleft(self._monotonic())

    def close(self) -> None:
        """Give unused slots back to their day, so that runs that are cut short do not use it up."""
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
        """Take a block of slots from the bucket, or find its day used up."""
        with lock_buckets(self._engine, [self._name]) as (connection, buckets):
            # Read once the row is locked: after waiting for it, an earlier time would be past.
            now, start = self._clock(connection), self._monotonic()
            bucket = buckets[self._name]
            first = bucket.first_slot(now, self._max_ahead)
            slots, bucket = self._take_block(bucket, first)
            save_buckets(connection, [bucket])
        if self.limit_reached is not None:
            self._recheck_at = start + min(_RECHECK_SECONDS, (self.limit_reached.until - now).total_seconds())
        start += (first - now).total_seconds()
        self._slots.extend(start + slot * self._interval for slot in range(slots))

    @property
    def _interval(self) -> float:
        """Seconds between two slots."""
        return 0.0 if self._rate is None else 1 / self._rate

    @property
    def _max_ahead(self) -> timedelta:
        """How far ahead a bucket may be taken and still be believed."""
        block = max(_BLOCK_SECONDS, self._interval)
        return timedelta(seconds=_CLOCK_SLACK + _MAX_BLOCKS_AHEAD * block)

    def _take_block(self, bucket: BucketState, first: datetime) -> tuple[int, BucketState]:
        """Return how many slots from ``first`` on are ours, and the state of the bucket after them."""
        block = _MAX_DAILY_BLOCK if self._rate is None else max(1, round(self._rate * _BLOCK_SECONDS))
        if self._day_limit is not None:
            self._day = day = first.date()
            limit = self._day_limit(day)
            # A day in the future was written by a clock that has been set back since. What was used of it
            # counts for this one: a clock set back makes no new day, and one that was wrong by a year uses up
            # one day, not all until then.
            used = bucket.used if bucket.day is not None and bucket.day >= day else 0
            self.limit_reached = (
                None if used < limit else DailyLimitReached(limit=limit, until=_midnight_after(day))
            )
            if self.limit_reached is not None:
                return 0, replace(bucket, day=day, used=used)
            block = min(block, limit - used, max(1, min(_MAX_DAILY_BLOCK, limit // 100)))
            bucket = replace(bucket, day=day, used=used + block)
        if self._rate is not None:
            bucket = replace(bucket, next_at=first + block * timedelta(seconds=self._interval))
        return block, bucket


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time_of_day(), UTC)
