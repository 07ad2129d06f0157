"""Opening the database: what SQLite must be told before it can be trusted with a ledger."""

import multiprocessing
import stat
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from mailer.database.engine import open_engine, open_session
from mailer.errors import ConfigurationError


def add_one_many_times(url: str, times: int, start: Barrier) -> None:
    engine = open_engine(url, root=Path.cwd())
    start.wait()
    for _ in range(times):
        with engine.begin() as connection:
            value = connection.execute(text("SELECT v FROM tally")).scalar_one()
            time.sleep(0.0005)  # long enough for another process to come between
            connection.execute(text("UPDATE tally SET v = :v"), {"v": value + 1})
    engine.dispose()


def test_four_processes_that_read_and_then_write_lose_nothing(
    sqlite_database: str, sqlite_engine: Engine
) -> None:
    # The driver's own transactions kept 205 of these 800, without one error.
    with sqlite_engine.begin() as connection:
        connection.execute(text("CREATE TABLE tally (v INTEGER)"))
        connection.execute(text("INSERT INTO tally VALUES (0)"))
    context = multiprocessing.get_context("spawn")
    words = (sqlite_database, 200, context.Barrier(4))
    writers = [context.Process(target=add_one_many_times, args=words) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with sqlite_engine.connect() as connection:
        assert connection.execute(text("SELECT v FROM tally")).scalar_one() == 800
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("synchronous", 1),
        ("busy_timeout", 30000),
    ],
)
def test_every_sqlite_connection_is_prepared(sqlite_engine: Engine, pragma: str, value: object) -> None:
    with sqlite_engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_a_durable_engine_waits_for_the_disk(sqlite_database: str, tmp_path: Path) -> None:
    engine = open_engine(sqlite_database, root=tmp_path, durable=True)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    engine.dispose()


def test_a_durable_postgres_commit_waits_for_the_disk(postgres_database: str, tmp_path: Path) -> None:
    engine = open_engine(postgres_database, root=tmp_path, durable=True)
    with engine.connect() as connection:
        # The server of the tests runs with "off".
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    engine.dispose()


def test_a_row_that_points_nowhere_is_refused(engine: Engine) -> None:
    statement = text("INSERT INTO subscriber_tag (subscriber_id, tag) VALUES (77, 'press')")
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(statement)


def test_a_reader_does_not_wait_for_a_writer(sqlite_engine: Engine) -> None:
    with sqlite_engine.begin() as writer:
        writer.execute(text("CREATE TABLE x (v INTEGER)"))
        with sqlite_engine.connect().execution_options(read_only=True) as reader:
            assert reader.execute(text("SELECT count(*) FROM subscriber")).scalar_one() == 0


def test_the_database_file_is_private_and_lies_in_the_workspace(tmp_path: Path) -> None:
    engine = open_engine("sqlite:///mailer.db", root=tmp_path)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE x (v INTEGER)"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    engine.dispose()
    assert modes == dict.fromkeys(("mailer.db", "mailer.db-wal", "mailer.db-shm"), 0o600)


def test_opening_alone_makes_no_file(tmp_path: Path) -> None:
    open_engine("sqlite:///mailer.db", root=tmp_path).dispose()
    assert list(tmp_path.iterdir()) == []


def test_forty_threads_get_a_connection_each(engine: Engine) -> None:
    options = engine.execution_options(read_only=True)
    connections = [options.connect() for _ in range(40)]
    assert [connection.scalar(text("SELECT 1")) for connection in connections] == [1] * 40
    for connection in connections:
        connection.close()


def test_a_session_keeps_nothing_that_is_not_committed(engine: Engine) -> None:
    row = {"digest": "d", "reason": "erased", "at": "2026-03-01 09:00:00+00:00"}
    with open_session(engine) as work:
        work.execute(text("INSERT INTO suppression (digest, reason, at) VALUES (:digest, :reason, :at)"), row)
    with open_session(engine) as work:
        assert work.scalar(text("SELECT count(*) FROM suppression")) == 0


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://x/y", "sqlite:///:memory:", "sqlite://", "sqlite:///no/such/f.db"]
)
def test_an_address_that_cannot_hold_a_ledger_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="database"):
        open_engine(url, root=tmp_path)
