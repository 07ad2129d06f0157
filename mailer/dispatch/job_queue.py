"""The job queue that wakes workers on many machines.

The jobs are in PostgreSQL, run by procrastinate. A job says only "campaign 7 has work". What the work is,
and who has received it, is in the ledger alone: a job that is lost, or run twice, changes nothing. This is
the only module that knows procrastinate.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

from mailer.database.schema import create_job_tables, has_job_tables
from mailer.errors import ConfigurationError

if TYPE_CHECKING:
    from procrastinate import App


QUEUE = "dispatch"
_TASK = "dispatch"
_TICK = "tick"
_SUBSCRIBERS_PER_JOB = 500
_MAX_JOBS = 32
_STALLED_SECONDS = 30.0
_POLL_SECONDS = 0.1
# For what runs beside the campaigns: the tick, and jobs whose campaign is being sent already.
_SPARE_THREADS = 4
_log = logging.getLogger(__name__)
_ENQUEUE = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY(SELECT ROW("
    "CAST(:queue AS varchar), CAST(:task AS varchar), 0, NULL, NULL, "
    "jsonb_build_object('campaign_id', CAST(:campaign AS integer)), NULL"
    ")::procrastinate_job_to_defer_v1 FROM generate_series(1, CAST(:number AS integer))))"
)
_FIND = text(
    "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE task_name = :task "
    "AND status IN ('todo', 'doing') AND args ->> 'campaign_id' = :campaign)"
)


def enqueue_jobs(connection: Connection, campaign_id: int, audience: int) -> int:
    """Wake workers for a campaign once the caller's transaction is committed; return how many jobs that took:
    one for each 500 subscribers, up to 32. None without a job queue; workers then find the campaign when they
    check the database."""
    number = min(-(-audience // _SUBSCRIBERS_PER_JOB), _MAX_JOBS)
    if number < 1 or not has_job_tables(connection):
        return 0
    names = {"queue": QUEUE, "task": _TASK}
    connection.execute(_ENQUEUE, {"campaign": campaign_id, "number": number, **names})
    return number


def has_unfinished_job(connection: Connection, campaign_id: int) -> bool:
    return bool(connection.execute(_FIND, {"campaign": str(campaign_id), "task": _TASK}).scalar())


def prepare_job_queue(engine: Engine) -> bool:
    """Create the job queue's tables if they are missing; False if there can be none (SQLite, or no
    package)."""
    with engine.begin() as connection:
        return create_job_tables(connection)


def process_jobs(
    engine: Engine,
    run_campaign: Callable[[int], None],
    run_tick: Callable[[], None],
    *,
    stop: threading.Event,
    max_campaigns: int,
    listen: bool = True,
) -> None:
    """Run jobs until ``stop`` is set and the current ones have ended.

    Both functions are called from threads of the job queue. ``run_campaign`` sends a campaign until nothing
    is left to do now, or returns immediately if this process is not to. ``run_tick`` looks after what has no
    job, once a minute on one of all machines. With ``listen`` a launch is noticed immediately (LISTEN);
    without, as PgBouncer in transaction mode requires, within five seconds. Raise ConfigurationError
    without the package, and what the database raises; the caller may try again.
    """
    app = _make_app(engine, run_campaign, run_tick)
    asyncio.run(_run(app, stop, threads=max_campaigns + _SPARE_THREADS, listen=listen))


def _make_app(engine: Engine, run_campaign: Callable[[int], None], run_tick: Callable[[], None]) -> App:
    try:
        from procrastinate import App, PsycopgConnector
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "The job queue for several machines is not installed. Install partner-mailer[postgres]."
        ) from error
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    # PgBouncer may use another server for each transaction, which does not know the prepared statements.
    pool = PsycopgConnector(conninfo=address, min_size=1, kwargs={"prepare_threshold": None})
    app = App(connector=pool)

    # No queueing_lock: a job that a dead worker holds could then not be retried beside a new one.
    @app.task(name=_TASK, queue=QUEUE)
    def dispatch(campaign_id: int) -> None:
        run_campaign(campaign_id)

    @app.periodic(cron="* * * * *")
    @app.task(name=_TICK, queue=QUEUE)
    async def tick(timestamp: int) -> None:  # noqa: ARG001 - procrastinate passes it
        await _retry_stalled_jobs(app)
        await asyncio.to_thread(run_tick)

    return app


async def _run(app: App, stop: threading.Event, *, threads: int, listen: bool) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
    async with app.open_async():
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=[QUEUE],
                concurrency=threads,
                listen_notify=listen,
                install_signal_handlers=False,
                delete_jobs="successful",
            )
        )
        while not stop.is_set() and not worker.done():
            await asyncio.wait([worker], timeout=_POLL_SECONDS)
        if not worker.done():
            # A cancelled worker takes no more jobs, and waits for those it runs.
            worker.cancel()
        try:
            await worker
        except asyncio.CancelledError:
            return


async def _retry_stalled_jobs(app: App) -> int:
    """Put jobs of dead workers back in the queue; return how many."""
    retried = 0
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS):
        try:
            await app.job_manager.retry_job(job)
        except Exception:
            # Another worker was faster, or the job is stuck: the others must not wait for it.
            _log.warning(
                "The job %s of a dead worker could not be put back in the queue.", job.id, exc_info=True
            )
        else:
            retried += 1
    return retried
