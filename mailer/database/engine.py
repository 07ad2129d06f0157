"""Opening the database: SQLite in the workspace, or PostgreSQL.

Both run the same statements. What SQLite needs to be trusted with a ledger is set here, once, on every
connection.
"""

import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlmodel import Session

from mailer.errors import ConfigurationError

# FastAPI answers from up to 40 threads; a smaller pool makes them wait for each other and then fail.
_POOL_SIZE = 40
# Seconds a writer waits for another process's transaction. All transactions here are short, so a longer
# wait means that something is stuck.
_BUSY_SECONDS = 30
_RETRY_SECONDS = 0.0005
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgresql+psycopg": "postgresql+psycopg"}


def open_engine(url: str, *, root: Path, durable: bool = False) -> Engine:
    """An engine on ``url``; the caller disposes of it.

    A relative SQLite path lies under ``root``. ``durable`` makes every commit survive a power cut (the
    dispatcher's ledger needs it); otherwise SQLite survives a crash of the process only. On SQLite each
    transaction takes the write lock at its start, except on connections with the execution option
    ``read_only=True``.

    Raises:
        ConfigurationError: the address is no database address, or its driver is not installed.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, root, durable=durable)
    return _open_postgres(parsed, durable=durable)


def open_session(engine: Engine, *, read_only: bool = False) -> Session:
    """A session on ``engine``, for use in a ``with``. Nothing is kept unless the caller commits.

    With ``read_only`` it does not take SQLite's one write lock, so that looking never makes a campaign wait.
    """
    return Session(engine.execution_options(read_only=True) if read_only else engine)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or (parsed.drivername != "sqlite" and parsed.drivername not in _DRIVERS):
        raise ConfigurationError(
            "[database] url is no address of a database this program knows. "
            "Use sqlite:///mailer.db or postgresql://user@host/name."
        )
    if parsed.drivername == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigurationError(
            "[database] url: a database in memory is lost with the process. Name a file, such as sqlite:///mailer.db."
        )
    return parsed


def _open_sqlite(url: URL, root: Path, *, durable: bool) -> Engine:
    path = root / str(url.database)
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"{path.parent}: no such folder for the database. Make it, or mend [database] url."
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
        # SQLite would create the file under the umask, readable by all; its -wal and -shm take over these
        # bits.
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        _configure_sqlite(connection, synchronous="FULL" if durable else "NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes can lose to another one and fail, or (in the
        # driver's own mode) silently overwrite it: 4 processes adding 1 two hundred times each came to 205
        # of 800.
        if connection.get_execution_options().get("read_only", False):
            connection.exec_driver_sql("BEGIN")
        else:
            _begin_immediate(connection, gate)

    return engine


def _begin_immediate(connection: Connection, lock: threading.Lock) -> None:
    """Take the write lock as soon as it is free; of this process's threads, one at a time asks for it.

    SQLite's own waiting sleeps longer and longer, up to a tenth of a second, and so misses the short gaps
    that a dispatcher in full swing leaves: an unsubscribe beside it waited for seconds.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the dialect was looked at by the caller
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
            # What is wrong besides is said as SQLAlchemy says it.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            driver.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")


def _configure_sqlite(connection: sqlite3.Connection, *, synchronous: str) -> None:
    # None: the driver opens no transactions of its own; _begin does.
    connection.isolation_level = None
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    if synchronous == "FULL":
        # In pages. What is written over in the log is synced in 150 µs, what makes it longer in 280.
        connection.execute("PRAGMA wal_autocheckpoint=250")
    connection.execute("PRAGMA foreign_keys=ON")
    # Deleted rows are overwritten: an erased address must not be found in the file.
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
            "[database] url names PostgreSQL, and its driver is not installed. "
            "Install partner-mailer with the extra `postgres`."
        ) from error
    if durable:

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit TO on")
            connection.commit()

    return engine
