"""The series of numbers that rows have been given, each with a salt that tokens sign besides a number.

A restored database gives the numbers of whoever was added after the backup to others, and a new database
begins again at 1. A link must never mean somebody else, so each of them begins a series of its own.
"""

import secrets
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, text

from mailer.database.engine import read_clock

BEGIN: Final = (
    "INSERT INTO number_series (salt, first_subscriber, first_campaign, begun_at) SELECT :salt, "
    "(SELECT COALESCE(MAX(id), 0) + 1 FROM subscriber), (SELECT COALESCE(MAX(id), 0) + 1 FROM campaign), :at"
)


def draw_series(at: datetime) -> dict[str, object]:
    """Return the parameters of :data:`BEGIN` for a series that begins ``at`` a time."""
    return {"salt": secrets.token_hex(8), "at": at.strftime("%Y-%m-%d %H:%M:%S.%f+00:00")}


def begin_series(engine: Engine, *, is_restored: bool) -> None:
    """Begin a series with the next subscriber and the next campaign, if the database ``is_restored`` or has
    none yet.
    """
    with engine.begin() as connection:
        if is_restored or not _read(connection):
            connection.execute(text(BEGIN), draw_series(read_clock(connection)))


def read_series(engine: Engine) -> tuple[tuple[int, int, bytes], ...] | None:
    """Return the first subscriber and the first campaign of each series, and its salt, oldest first; None if
    the database has no tables yet. This disposes of the engine.
    """
    try:
        with engine.connect().execution_options(read_only=True) as connection:
            has_table = connection.dialect.has_table(connection, "number_series")
            return _read(connection) if has_table else None
    finally:
        engine.dispose()


def _read(connection: Connection) -> tuple[tuple[int, int, bytes], ...]:
    rows = connection.execute(
        text("SELECT first_subscriber, first_campaign, salt FROM number_series ORDER BY begun_at")
    )
    return tuple((subscriber, campaign, bytes.fromhex(salt)) for subscriber, campaign, salt in rows)
