"""Connects to the database: the engine, its clock, and how long a durable commit takes."""

import os
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlmodel import Session

from mailer.errors import ConfigurationError

# FastAPI uses up to 40 threads; with a smaller pool they would wait for each other and then fail.
_POOL_SIZE = 40
# How many seconds a writer waits for another process's transaction. All our transactions are short, so a
# longer wait means that something is stuck.
_BUSY_SECONDS = 30
_RETRY_SECONDS = 0.0005
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}
Clock = Callable[[Connection], datetime]
"""Reads the time (aware, UTC) over a connection. Tests pass their own."""
_COMMITS = 20


def open_engine(url: str, *, root: Path, durable: bool = True) -> Engine:
    """Create an engine for ``url``; the caller must dispose of it.

    A relative SQLite path is relative to ``root``. With ``durable``, every commit survives a power cut: the
    ledger needs that, and so does a reader who has been told that they are unsubscribed. Without it, which is
    enough for tests, SQLite only survives a crash of the process. On SQLite, a transaction takes the write
    lock when it begins, unless the connection has the execution option ``read_only=True``. Raise
    ConfigurationError if ``url`` is not a supported database, or its driver is not installed.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, root, durable=durable)
    return _open_postgres(parsed, durable=durable)


def open_session(engine: Engine, *, read_only: bool = False) -> Session:
    """Open a session, for use in a ``with`` statement. A ``read_only`` one does not take SQLite's only write
    lock, so that reading never makes a campaign wait.
    """
    return Session(engine.execution_options(read_only=True) if read_only else engine)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or (parsed.drivername != "sqlite" and parsed.drivername not in _DRIVERS):
        raise ConfigurationError(
            "[database] url is not a supported database. "
            "Use sqlite:///mailer.db or postgresql://user@host/name."
        )
    if parsed.drivername == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigurationError(
            "[database] url: a database in memory is lost when the program ends. Use a file, such as "
            "sqlite:///mailer.db."
        )
    return parsed


def _open_sqlite(url: URL, root: Path, *, durable: bool) -> Engine:
    path = root / str(url.database)
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"There is no folder {path.parent} for the database. Create it, or correct [database] url."
        )
    engine = create_engine(
        url.set(database=str(path)),
        pool_size=_POOL_SIZE,
        max_overflow=10,
        connect_args={"timeout": _BUSY_SECONDS},
    )

    gate = threading.Lock()

    @event.listens_for(engine, "do_connect")
    def _create_private(*_: object) -> None:
        # SQLite would create the file with the umask's permissions, readable by all. Its -wal and -shm files
        # inherit the permissions set here.
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        _configure_sqlite(connection, synchronous="FULL" if durable else "NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes can fail because of another one or, in the
        # driver's own mode, silently overwrite it: 4 processes that each added 1 two hundred times reached
        # 205 instead of 800.
        if connection.get_execution_options().get("read_only", False):
            connection.exec_driver_sql("BEGIN")
        else:
            _begin_immediate(connection, gate)

    return engine


def _begin_immediate(connection: Connection, lock: threading.Lock) -> None:
    """Take the write lock as soon as it is free; only one thread of this process tries at a time.

    SQLite itself waits with growing sleeps of up to a tenth of a second, and so misses the short gaps that a
    busy dispatcher leaves: an unsubscribe at the same time waited for seconds.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the caller has checked the dialect
    deadline = time.monotonic() + _BUSY_SECONDS
    with lock:
        driver.execute("PRAGMA busy_timeout=0")
        try:
            while time.monotonic() < deadline:
                try:
                    driver.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                        break
                time.sleep(_RETRY_SECONDS)
            # Any other error is raised by SQLAlchemy in its own form.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            driver.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")


def _configure_sqlite(connection: sqlite3.Connection, *, synchronous: str) -> None:
    # None: the driver does not open transactions itself; _begin does.
    connection.isolation_level = None
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    if synchronous == "FULL":
        # In pages. Overwriting the log syncs in 150 µs, extending it in 280 µs.
        connection.execute("PRAGMA wal_autocheckpoint=250")
    connection.execute("PRAGMA foreign_keys=ON")
    # Overwrite deleted rows: an erased address must not remain in the file.
    connection.execute("PRAGMA secure_delete=ON")


def _open_postgres(url: URL, *, durable: bool) -> Engine:
    try:
        engine = create_engine(
            url.set(drivername=_DRIVERS[url.drivername]),
            pool_size=_POOL_SIZE,
            max_overflow=10,
            pool_pre_ping=True,
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "[database] url is a PostgreSQL database, but its driver is not installed. "
            "Install partner-mailer with the extra `postgres`."
        ) from error
    if durable:

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit TO on")
            connection.commit()

    return engine


def read_clock(connection: Connection) -> datetime:
    """Return the database's time, aware and in UTC. SQLite's is that of this machine."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    assert isinstance(moment, datetime)  # noqa: S101 - for the type checker
    return moment.astimezone(UTC)


class CachedClock:
    """The database's time, which is queried once a second; in between, this process's monotonic clock is
    added, so that a group of commits needs no extra round trip. A clock passed in by a test is read every
    time.
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


def measure_commit_latency(engine: Engine) -> float:
    """Return the median time of a durable commit, in seconds. The database is not changed: on SQLite a
    temporary database next to it is written and deleted, on PostgreSQL a message is written to the log that
    nothing reads.

    Raise OSError or sqlite3.Error if that cannot be written, and SQLAlchemyError if PostgreSQL cannot be
    reached.
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
