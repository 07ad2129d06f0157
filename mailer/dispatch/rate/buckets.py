"""The rows that hold rates: locking and saving buckets, and which of their times to believe."""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, Engine, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from mailer.database.models import RateBucket


@dataclass(frozen=True, kw_only=True)
class BucketState:
    """How far a bucket is taken: ``next_at`` is its next free slot, ``used`` counts the slots of ``day``."""

    name: str
    next_at: datetime | None = None
    day: date | None = None
    used: int = 0

    def first_slot(self, now: datetime, furthest: timedelta) -> datetime:
        """Return the next free slot.

        A bucket that is taken further ahead than ``furthest`` was written by a clock that has been set back
        since. Waiting for that time could take a day, so it is forgotten. The cost is that the slots already
        taken come on top, once.
        """
        if self.next_at is None or self.next_at - now > furthest:
            return now
        return max(now, self.next_at)


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


@contextlib.contextmanager
def lock_buckets(
    engine: Engine, names: Collection[str]
) -> Iterator[tuple[Connection, dict[str, BucketState]]]:
    """Open a transaction that locks the buckets ``names``; missing ones are created."""
    while True:
        with engine.begin() as connection:
            buckets = _select_for_update(connection, names)
            missing = set(names) - buckets.keys()
            if not missing:
                yield connection, buckets
                return
        # In a separate transaction: waiting for another process that creates the same bucket while we hold
        # others could be a deadlock.
        _create(engine, missing)


def save_buckets(connection: Connection, buckets: Iterable[BucketState]) -> None:
    """Save how far the buckets are taken."""
    rows = [{"bucket": b.name, "next_at": b.next_at, "day": b.day, "used": b.used} for b in buckets]
    if rows:
        connection.execute(_SAVE, rows)


def _select_for_update(connection: Connection, names: Collection[str]) -> dict[str, BucketState]:
    return {
        name: BucketState(name=name, next_at=next_at and next_at.astimezone(UTC), day=day, used=used)
        for name, next_at, day, used in connection.execute(_LOCK, {"names": list(names)})
    }


def _create(engine: Engine, names: Iterable[str]) -> None:
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    rows = [{"name": name, "used": 0} for name in sorted(names)]
    with engine.begin() as connection:
        connection.execute(insert(RateBucket).on_conflict_do_nothing(), rows)
