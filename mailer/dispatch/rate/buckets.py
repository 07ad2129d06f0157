"""The rows that rates are kept in: taking lanes in hand, and which of their times to believe."""

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
    """How far a lane is taken: ``next_at`` is its next free turn, ``used`` counts the turns of ``day``."""

    name: str
    next_at: datetime | None = None
    day: date | None = None
    used: int = 0

    def first_slot(self, now: datetime, furthest: timedelta) -> datetime:
        """The next free turn.

        A lane that is taken for longer than ``furthest`` was written by a clock that has been set back since.
        To wait for that time could take a day, so it is forgotten: what it costs is that the turns which are
        already taken come on top, once.
        """
        if self.next_at is None or self.next_at - now > furthest:
            return now
        return max(now, self.next_at)


@contextlib.contextmanager
def lock_buckets(
    engine: Engine, names: Collection[str]
) -> Iterator[tuple[Connection, dict[str, BucketState]]]:
    """A transaction in which the lanes ``names`` are ours alone; those that are missing are made."""
    while True:
        with engine.begin() as connection:
            bookings = _select_for_update(connection, names)
            missing = set(names) - bookings.keys()
            if not missing:
                yield connection, bookings
                return
        # In a transaction of its own: waiting for somebody who makes the same lane while we hold others
        # could be a deadlock.
        _create(engine, missing)


def save_buckets(connection: Connection, buckets: Iterable[BucketState]) -> None:
    """Write down how far the lanes are taken."""
    statement = (
        update(RateBucket)
        .where(col(RateBucket.name) == bindparam("lane"))
        .values(next_at=bindparam("next_at"), day=bindparam("day"), used=bindparam("used"))
    )
    # On the table, not the model: an UPDATE of many rows by other than their key is no matter for the ORM.
    rows = [{"lane": b.name, "next_at": b.next_at, "day": b.day, "used": b.used} for b in buckets]
    if rows:
        connection.execute(statement, rows)


def _select_for_update(connection: Connection, names: Collection[str]) -> dict[str, BucketState]:
    statement = (
        select(col(RateBucket.name), col(RateBucket.next_at), col(RateBucket.day), col(RateBucket.used))
        .where(col(RateBucket.name).in_(names))
        # Everybody takes them in the same order, so that two never wait for each other.
        .order_by(col(RateBucket.name))
        .with_for_update()
    )
    return {
        name: BucketState(name=name, next_at=next_at and next_at.astimezone(UTC), day=day, used=used)
        for name, next_at, day, used in connection.execute(statement)
    }


def _create(engine: Engine, names: Iterable[str]) -> None:
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    rows = [{"name": name, "used": 0} for name in sorted(names)]
    with engine.begin() as connection:
        connection.execute(insert(RateBucket).on_conflict_do_nothing(), rows)
