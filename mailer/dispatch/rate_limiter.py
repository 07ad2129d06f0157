"""Rates that all machines share, limits by the day, and slowing down for a relay that asks for it.

Each rate has a **bucket**, a row of the database that holds the next free slot. Taking a slot moves that time
on for all machines. The database's clock decides; between two reads of it a dispatcher goes by its own
monotonic clock. For one thread.
"""

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Engine, update
from sqlmodel import col

from locales.phrase import gettext_noop
from mailer.database.engine import Clock, read_clock
from mailer.database.models import RateBucket
from mailer.dispatch.buckets import BucketState, lock_buckets, midnight_after, save_buckets
from mailer.settings import WarmUpSettings
from mailer.smtp.reply_classifier import Outcome, Verdict, find_enhanced_code
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
_INITIAL_INTERVAL = 0.05
_MAX_INTERVAL = 10.0
# Complaints within this many seconds are one complaint: they answer messages that were already on their way.
_DEBOUNCE_SECONDS = 5.0
# The brake loosens by a tenth a minute.
_RECOVERY_PER_MINUTE = 0.9
# Some dozens of replies tell a trend from chance, and a tired relay is noticed within seconds.
_CONGESTION_SAMPLE = 50
# One in five: greylisting, full mailboxes and busy servers of some recipients make a few in a hundred.
_CONGESTION_SHARE = 0.2
# What a server defers without mentioning the rate may not be caused by it. Such a server still gets a message
# a second, not one in ten seconds as when it asks for less.
_CONGESTION_MAX_INTERVAL = 1.0
_GREYLISTED = re.compile(r"gr[ae]y-?list", re.IGNORECASE)


def campaign_bucket(campaign_id: int) -> str:
    return f"campaign:{campaign_id}"


def relay_bucket(name: str) -> str:
    return f"relay:{name}"


@dataclass(frozen=True, kw_only=True)
class DailyLimitReached:
    """The reason for having no slot: so many messages were allowed today (UTC); the next come ``until``
    (UTC)."""

    limit: int
    until: datetime

    @property
    def reason(self) -> str:
        return gettext_noop(
            "The warm-up allows %(limit)s messages today; the rest are sent after midnight (%(time)s)."
        ) % {"limit": f"{self.limit:,}", "time": format_utc(self.until)}


def warm_up_limit(settings: WarmUpSettings) -> Callable[[date], int]:
    """Return the function that says how many messages a day (UTC) of the warm-up allows. Days before the
    first are like the first: in Asia a sender's day begins hours before that of UTC."""

    def limit(day: date) -> int:
        days = max(0, (day - settings.since).days)
        try:
            return min(_NO_LIMIT, int(settings.first_day * settings.growth**days))
        except OverflowError:
            return _NO_LIMIT

    return limit


class RateLimiter:
    """Decides when the next message of a bucket may be sent: ``rate`` is in messages per second over all
    machines, ``day_limit`` returns how many messages are allowed on a day (UTC), None for no limit.
    ``monotonic`` is this process's clock, in seconds."""

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
        return self._rate is None and self._day_limit is None

    def acquire(self) -> float | None:
        """Take the next slot; return how many seconds from now it is, None if the messages of this day are
        used up. Asking again is cheap: the database is asked once a minute."""
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
                None if used < limit else DailyLimitReached(limit=limit, until=midnight_after(day))
            )
            if self.limit_reached is not None:
                return 0, replace(bucket, day=day, used=used)
            block = min(block, limit - used, max(1, min(_MAX_DAILY_BLOCK, limit // 100)))
            bucket = replace(bucket, day=day, used=used + block)
        if self._rate is not None:
            bucket = replace(bucket, next_at=first + block * timedelta(seconds=self._interval))
        return block, bucket


class AdaptiveThrottle:
    """Spaces out the messages of this process: the interval doubles whenever a relay asks to slow down."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._interval = 0.0
        self._slowed_at = float("-inf")
        self._next = float("-inf")

    @property
    def interval(self) -> float:
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


class CongestionMonitor:
    """Slows down when a relay defers more and more messages: more than a fifth of the last 50. Then counting
    starts again, so that only later replies can double the interval further.

    It shrinks by a tenth a minute. A relay that has recovered is back at full rate within minutes, and one at
    its limit is tested once in several minutes, so the rate does not oscillate.
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
    """Return whether the server deferred the message for reasons that may be its own."""
    if outcome.code is None or not 400 <= outcome.code <= 499:
        return False
    # Not a full mailbox (x.2.x), and not a server that greylists or says when to retry: a lower rate would
    # not help.
    is_mailbox_full = find_enhanced_code(outcome.code, outcome.text).startswith("4.2.2")
    has_time = outcome.retry_after is not None
    return not (is_mailbox_full or has_time or _GREYLISTED.search(outcome.text))
