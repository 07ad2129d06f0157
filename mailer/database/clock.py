"""The database's clock, the only one that several machines share."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text

Clock = Callable[[Connection], datetime]
"""Reads the time (aware, UTC) over a connection. Tests pass their own."""


def read_clock(connection: Connection) -> datetime:
    """The database's time, aware and in UTC. SQLite runs in this process, so it uses this machine's clock."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert isinstance(moment, datetime)  # noqa: S101 - for the type checker
    return moment.astimezone(UTC)


class CachedClock:
    """The database's time, without a query for every reading.

    The database is queried once a second; in between, this process's monotonic clock is added, so that a
    group of commits needs no extra round trip. A clock passed in by a test is read every time.
    """

    def __init__(
        self, engine: Engine, clock: Clock = read_clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._monotonic = monotonic
        self._seconds = 1.0 if clock is read_clock else 0.0
        self._asked_at = float("-inf")
        self._time = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        passed = self._monotonic() - self._asked_at
        if passed >= self._seconds:
            with self._engine.connect().execution_options(read_only=True) as connection:
                self._time = self._clock(connection)
            self._asked_at, passed = self._monotonic(), 0.0
        return self._time + timedelta(seconds=passed)
