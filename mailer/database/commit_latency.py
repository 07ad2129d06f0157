"""Measure how long a durable commit takes. The ledger waits for one before any message is sent."""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, text

_COMMITS = 20


def measure_commit_latency(engine: Engine) -> float:
    """The median time of a durable commit, in seconds. The database is not changed.

    On SQLite, a temporary database next to the real one is written and deleted. On PostgreSQL, a message is
    written to the log that nothing reads.

    Raises:
        OSError: the folder of the database cannot be written.
        sqlite3.Error: the temporary database cannot be written.
        sqlalchemy.exc.SQLAlchemyError: PostgreSQL cannot be reached.
    """
    if engine.dialect.name == "sqlite":
        return _measure_disk(Path(str(engine.url.database)).parent)
    with engine.connect() as connection:

        def commit() -> None:
            # A transaction that writes nothing would commit without waiting for the disk.
            connection.execute(text("SELECT pg_logical_emit_message(true, 'mailer', 'how fast')"))
            connection.commit()

        return _median_time(commit)


def _measure_disk(folder: Path) -> float:
    with (
        tempfile.TemporaryDirectory(prefix=".mailer-", dir=folder) as beside,
        closing(sqlite3.connect(Path(beside) / "probe.db", isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE probe (number INTEGER)")
        return _median_time(lambda: connection.execute("INSERT INTO probe VALUES (1)"))


def _median_time(commit: Callable[[], object]) -> float:
    times = []
    for _ in range(_COMMITS):
        start = time.perf_counter()
        commit()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
