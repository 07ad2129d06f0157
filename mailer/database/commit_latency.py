"""How long a commit takes that survives a power cut: the ledger waits for one before any message leaves."""

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
    """The median time of a durable commit, in seconds. Nothing in the database changes.

    On SQLite a database beside the real one is written and deleted; on PostgreSQL a message is logged that
    nobody reads.

    Raises:
        OSError: the folder of the database cannot be written.
        sqlite3.Error: the database beside it cannot be.
        sqlalchemy.exc.SQLAlchemyError: PostgreSQL cannot be asked.
    """
    if engine.dialect.name == "sqlite":
        return _measure_disk(Path(str(engine.url.database)).parent)
    with engine.connect() as connection:

        def commit() -> None:
            # A transaction that writes nothing to the log would commit without waiting for the disk.
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
