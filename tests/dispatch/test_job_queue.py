"""The job queue for several machines: jobs wake workers, and nothing depends on them."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from mailer.database.engine import open_engine
from mailer.dispatch.job_queue import (
    enqueue_jobs,
    has_unfinished_job,
    prepare_job_queue,
    process_jobs,
)
from tests.servers.process import wait_until


@pytest.fixture
def postgres(postgres_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(postgres_database, root=tmp_path)
    yield engine
    engine.dispose()


def enqueue(engine: Engine, campaign_id: int, audience: int) -> int:
    with engine.begin() as connection:
        return enqueue_jobs(connection, campaign_id, audience)


def count(engine: Engine, condition: str = "true") -> int:
    with engine.connect() as connection:
        statement = text(
            f"SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'dispatch' AND {condition}"
        )
        found: int = connection.execute(statement).scalar_one()
        return found


class RunningWorker:
    """A worker in a thread of the test; ``worked`` are the campaigns it was given."""

    def __init__(self, engine: Engine) -> None:
        self.worked: list[int] = []
        self.stop = threading.Event()
        self.hold = threading.Event()
        self.hold.set()
        calls = (engine, self._work_on, lambda: None)
        words = {"stop": self.stop, "max_campaigns": 2}
        self._thread = threading.Thread(target=process_jobs, args=calls, kwargs=words)

    def _work_on(self, campaign_id: int) -> None:
        self.worked.append(campaign_id)
        self.hold.wait(20)

    def __enter__(self) -> "RunningWorker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self.stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.mark.parametrize(
    ("audience", "jobs"), [(0, 0), (1, 1), (500, 1), (501, 2), (16_000, 32), (1_000_000, 32)]
)
def test_there_is_a_job_for_every_500_readers_up_to_a_maximum(
    postgres: Engine, audience: int, jobs: int
) -> None:
    assert enqueue(postgres, 7, audience) == jobs
    assert count(postgres) == jobs


def test_jobs_are_queued_with_the_transaction_or_not_at_all(postgres: Engine) -> None:
    with postgres.connect() as connection:
        enqueue_jobs(connection, 7, 100)
        connection.rollback()
    assert count(postgres) == 0


def test_sqlite_has_no_jobs(sqlite_engine: Engine) -> None:
    assert enqueue(sqlite_engine, 7, 100) == 0
    assert not prepare_job_queue(sqlite_engine)


def test_a_database_without_the_tables_gets_them_when_a_worker_starts(
    empty_postgres_database: str, tmp_path: Path
) -> None:
    engine = open_engine(empty_postgres_database, root=tmp_path)
    assert enqueue(engine, 7, 100) == 0
    assert prepare_job_queue(engine)
    assert prepare_job_queue(engine)
    assert enqueue(engine, 7, 100) == 1
    engine.dispose()


def test_a_job_is_run_by_a_running_worker_and_deleted(postgres: Engine) -> None:
    with RunningWorker(postgres) as running:
        enqueue(postgres, 7, 1_200)
        wait_until(lambda: running.worked == [7, 7, 7], what="three jobs")
        wait_until(lambda: count(postgres) == 0, what="the jobs to go")


def test_a_running_job_is_reported_and_finishes_before_a_stop(postgres: Engine) -> None:
    with RunningWorker(postgres) as running:
        running.hold.clear()
        enqueue(postgres, 7, 1)
        wait_until(lambda: running.worked == [7], what="the job")
        with postgres.connect() as connection:
            assert has_unfinished_job(connection, 7)
            assert not has_unfinished_job(connection, 8)
    assert count(postgres) == 0


def test_two_jobs_for_one_campaign_run_at_once(postgres: Engine) -> None:
    with RunningWorker(postgres) as running:
        running.hold.clear()
        enqueue(postgres, 7, 600)
        wait_until(lambda: running.worked == [7, 7], what="both jobs")


def test_the_job_of_a_dead_worker_is_queued_again_and_a_stuck_one_blocks_nobody(postgres: Engine) -> None:
    enqueue(postgres, 7, 1)
    enqueue(postgres, 8, 1)
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    with postgres.begin() as connection:
        # As a worker that was killed leaves it; one of the jobs has a twin that waits under its lock.
        connection.execute(
            text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (:at)"), {"at": long_ago}
        )
        connection.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'doing', "
                "queueing_lock = CASE args ->> 'campaign_id' WHEN '7' THEN 'stuck' END, "
                "worker_id = (SELECT max(id) FROM procrastinate_workers)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) "
                "VALUES ('elsewhere', 'dispatch', 'stuck')"
            )
        )
        # Due now: the tick of this minute.
        connection.execute(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, args) "
                "VALUES ('dispatch', 'tick', '{\"timestamp\": 0}')"
            )
        )
    with RunningWorker(postgres) as running:
        wait_until(lambda: running.worked == [8], what="the job of campaign 8")
