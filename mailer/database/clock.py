"""What time it is, as the database sees it: with several machines, only its clock is everybody's."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, text

Clock = Callable[[Connection], datetime]
"""Tells the time (aware, UTC) over a connection. Tests pass their own."""


def read_clock(connection: Connection) -> datetime:
    """The database's time, aware and in UTC. SQLite lives in this process, so its clock is this machine's."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert isinstance(moment, datetime)  # noqa: S101 - for the type checker
    return moment.astimezone(UTC)
