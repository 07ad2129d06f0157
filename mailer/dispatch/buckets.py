"""Buckets: the rows that hold rates for all machines, and how far they are taken while a batch is divided.

Times are in whole microseconds from the moment the batch is divided at: that is done for each message, and a
date takes ten times as long to add to as a number. Slots are taken ahead, in blocks, from buckets that are
far from used up: so high a rate is shared by all machines like any other, but not every batch has to lock
its row.
"""

import contextlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import NamedTuple

from sqlalchemy import Connection, Engine, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from mailer.database.models import RateBucket

# Built once: building a statement takes longer than running it.
_LOCK = (
    select(col(RateBucket.name), col(RateBucket.next_at), col(RateBucket.day), col(RateBucket.used))
    .where(col(RateBucket.name).in_(bindparam("names", expanding=True)))
    # All processes lock them in the same order, so that two never wait for each other.
    .order_by(col(RateBucket.name))
    .with_for_update()
)
_SAVE = (
    update(RateBucket)
    .where(col(RateBucket.name) == bindparam("bucket"))
    .values(next_at=bindparam("next_at"), day=bindparam("day"), used=bindparam("used"))
)
_MICROSECOND = timedelta(microseconds=1)
# What is sent within this time is held until its slot; any longer, and a pause or an unsubscribe would come
# too late.
_HORIZON = timedelta(seconds=5)
_HORIZON_MICROSECONDS = _HORIZON // _MICROSECOND
# A message may be so much before its slot: a timer for each would cost more than all the rest.
_EARLY = timedelta(milliseconds=20) // _MICROSECOND
# How far ahead a block of slots is taken. The rest of those that need no timer is left to other machines.
_BLOCK = _EARLY // 2
_BATCHES_AHEAD = 10
# Nothing is postponed further than this, so that a changed rate soon takes effect.
_MAX_DELAY = timedelta(hours=4) // _MICROSECOND
_CLOCK_SLACK = timedelta(minutes=1)
_NO_LIMIT = sys.maxsize
# What has not been used of a block by then is lost. In any time, a machine sends at most one block more than
# the rate allows.
_USABLE_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class BucketState:
    """The state of a bucket: ``next_at`` is its next free slot, ``used`` counts the slots of ``day``."""

    name: str
    next_at: datetime | None = None
    day: date | None = None
    used: int = 0

    def first_slot(self, now: datetime, furthest: timedelta) -> datetime:
        """Return the next free slot. A bucket that is taken further ahead than ``furthest`` was written by a
        clock that has been set back since, and waiting for it could take a day: so it is forgotten, at the
        cost that the slots already taken come on top, once."""
        if self.next_at is None or self.next_at - now > furthest:
            return now
        return max(now, self.next_at)


@contextlib.contextmanager
def lock_buckets(
    engine: Engine, names: Collection[str]
) -> Iterator[tuple[Connection, dict[str, BucketState]]]:
    """Open a transaction that locks the buckets ``names``; missing ones are created."""
    while True:
        with engine.begin() as connection:
            buckets = {
                name: BucketState(name=name, next_at=next_at and next_at.astimezone(UTC), day=day, used=used)
                for name, next_at, day, used in connection.execute(_LOCK, {"names": list(names)})
            }
            missing = set(names) - buckets.keys()
            if not missing:
                yield connection, buckets
                return
        # In a separate transaction: waiting for another process that creates the same bucket while we hold
        # others could be a deadlock.
        _create(engine, missing)


def save_buckets(connection: Connection, buckets: Iterable[BucketState]) -> None:
    rows = [{"bucket": b.name, "next_at": b.next_at, "day": b.day, "used": b.used} for b in buckets]
    if rows:
        connection.execute(_SAVE, rows)


def _create(engine: Engine, names: Iterable[str]) -> None:
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    rows = [{"name": name, "used": 0} for name in sorted(names)]
    with engine.begin() as connection:
        connection.execute(insert(RateBucket).on_conflict_do_nothing(), rows)


def midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time_of_day(), UTC)


class Slot(NamedTuple):
    """The time at which a delivery may be sent: ``seconds`` from now; or, if ``not_before`` is set, it is
    postponed until then (UTC) and asks again, because ``held_by``, a domain or a provider, accepts no more.
    What may go now has :data:`NO_DELAY` itself."""

    seconds: float = 0.0
    not_before: datetime | None = None
    held_by: str = ""


NO_DELAY = Slot()


# Compared by identity: domains of one provider share one, and it is looked up for every message.
@dataclass(frozen=True, kw_only=True, eq=False)
class BucketLimit:
    """The limits of one bucket: ``interval`` between two messages, ``daily`` messages per day. ``name`` is
    for people. With ``day_of``, the limit of the bucket, only the messages of its day count."""

    bucket: str
    name: str
    interval: timedelta | None = None
    daily: int | None = None
    day_of: "BucketLimit | None" = None


class BucketCursor:
    """How far one bucket is taken; it is busy with what was postponed before for ``planned`` seconds."""

    def __init__(self, limit: BucketLimit, bucket: BucketState, now: datetime, planned: float) -> None:
        self.name = limit.name
        self._limit = limit
        self._now = now
        self._first = self._interval = 0
        if limit.interval is not None:
            self._interval = limit.interval // _MICROSECOND
            # Slots are taken as far as the horizon and never beyond it.
            first = bucket.first_slot(now, _HORIZON + limit.interval + _CLOCK_SLACK)
            self._first = (first - now) // _MICROSECOND
        self._day = now.date()
        # A day in the future was written by a clock that has been set back: what was used counts for today.
        self._used = bucket.used if bucket.day is not None and bucket.day >= self._day else 0
        self._daily = _NO_LIMIT if limit.daily is None else limit.daily
        self._planned = round(planned * 1e6)

    @property
    def slot(self) -> int | None:
        return None if self._first > _HORIZON_MICROSECONDS or self._used >= self._daily else self._first

    def has_room(self, count: int) -> bool:
        """Return whether the next ``count`` slots are so soon that all of them may be used now."""
        return self._first + (count - 1) * self._interval <= _EARLY and self._used + count <= self._daily

    def take(self, count: int = 1) -> None:
        self._first += count * self._interval
        self._used += count

    def take_block(self, batch: int) -> int:
        """Take slots that begin at once for more batches of so many messages; return how many. It is 0 where
        messages are counted by the day: slots that are not used are lost, and the day would have fewer."""
        if not self._interval or self._daily != _NO_LIMIT or self._first > _BLOCK:
            return 0
        slots = min(_BATCHES_AHEAD * batch, (_BLOCK - self._first) // self._interval + 1)
        if slots < batch:
            return 0
        self._first += slots * self._interval
        return slots

    def plan(self) -> int:
        """Return when the next delivery that is postponed may ask again, after those planned already."""
        moment = max(self._first, self._planned)
        if self.is_used_up:
            moment = max(moment, self.midnight)
        if self._limit.interval is not None:
            self._planned = min(moment + self._interval, _MAX_DELAY)
        return min(moment, _MAX_DELAY)

    @property
    def is_used_up(self) -> bool:
        return self._used >= self._daily

    @property
    def midnight(self) -> int:
        return (midnight_after(self._day) - self._now) // _MICROSECOND

    def count(self, messages: int) -> None:
        """Count messages of the day that need no slot."""
        self._used += messages

    @property
    def planned(self) -> float:
        """Until when the bucket is busy with what was postponed, in seconds."""
        return self._planned / 1e6

    def state(self) -> BucketState:
        counts = self._limit.daily is not None
        return BucketState(
            name=self._limit.bucket,
            next_at=None if self._limit.interval is None else self._now + self._first * _MICROSECOND,
            day=self._day if counts else None,
            used=self._used if counts else 0,
        )


class DayCursor:
    """The day of a bucket, for a domain that has a rate of its own."""

    def __init__(self, whole: BucketCursor) -> None:
        self.name = whole.name
        self._whole = whole

    @property
    def slot(self) -> int | None:
        """Now; None if the day is used up."""
        return None if self._whole.is_used_up else 0

    def take(self, count: int = 1) -> None:
        self._whole.count(count)

    def plan(self) -> int:
        return min(self._whole.midnight, _MAX_DELAY)


def assign_slot(cursors: Sequence[BucketCursor | DayCursor], now: datetime) -> Slot:
    """Return the slot of one delivery; it is taken from all of ``cursors``, or from none."""
    latest = 0
    for cursor in cursors:
        slot = cursor.slot
        if slot is None:
            return _postpone(cursors, now)
        latest = max(latest, slot)
    for cursor in cursors:
        cursor.take()
    return Slot(latest / 1e6) if latest > _EARLY else NO_DELAY


def _postpone(cursors: Sequence[BucketCursor | DayCursor], now: datetime) -> Slot:
    # Those that would take it now plan nothing: whoever comes next may have their slot.
    moment, name = max((cursor.plan(), cursor.name) for cursor in cursors if cursor.slot is None)
    return Slot(moment / 1e6, now + moment * _MICROSECOND, name)


@dataclass(kw_only=True)
class _Block:
    """``left`` slots that may be used until ``ends``, by this process's clock."""

    left: int
    ends: float


class SlotBlocks:
    """The blocks of one process, by bucket. ``monotonic`` is its clock, in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._blocks: dict[str, _Block] = {}

    def add(self, bucket: str, slots: int) -> None:
        """Add a block of slots that begin now. It replaces what is left of the one before."""
        self._blocks[bucket] = _Block(left=slots, ends=self._monotonic() + _USABLE_SECONDS)

    def take(self, wanted: Mapping[str, int]) -> bool:
        """Take so many slots of each bucket, or none of any if one has not enough; return whether taken."""
        now = self._monotonic()
        for bucket, count in wanted.items():
            block = self._blocks.get(bucket)
            if block is None or block.left < count or block.ends <= now:
                return False
        for bucket, count in wanted.items():
            self._blocks[bucket].left -= count
        return True
