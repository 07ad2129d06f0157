"""The background worker: start campaigns that are due, and send every campaign with work to do.

The same loop runs on both databases and polls once a second. On PostgreSQL, jobs also wake the workers, so
that every machine starts on a new campaign immediately. Nothing here decides who gets a message: any number
of workers may send the same campaign, because the ledger gives each delivery to only one of them.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, exists, or_, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col

from mailer.background import run_beside
from mailer.campaigns.due_launches import has_due_launches, start_due_launches
from mailer.campaigns.lifecycle import reopen_for_doubts
from mailer.campaigns.reconfirmation import close_due_reconfirmations
from mailer.campaigns.schedule import announce_start, resume_after_canary, start_due_campaigns
from mailer.campaigns.send import look_up_providers, send_campaign
from mailer.database.engine import Clock, read_clock
from mailer.database.models import Campaign, CampaignState, Delivery, Dispatcher
from mailer.dispatch.event_log import RunResult
from mailer.dispatch.job_queue import (
    enqueue_jobs,
    has_unfinished_job,
    prepare_job_queue,
    process_jobs,
)
from mailer.dispatch.ledger import Ledger
from mailer.dispatch.liveness import HEARTBEAT_SECONDS, Presence
from mailer.errors import ConfigurationError, MailerError
from mailer.live_workspace import LiveWorkspace
from mailer.settings import Settings
from mailer.utc import format_utc
from mailer.workspace import Workspace

WORKER_ID_PREFIX = "work-"
"""The prefix of a worker's id in the table of dispatchers."""

_NO_CAMPAIGN = 0  # An idle worker belongs to no campaign.
MAX_CAMPAIGNS = 4
_POLL_SECONDS = 1.0
_MAX_IDLE_SECONDS = 30.0
_RETRY_SECONDS = 5.0
_log = logging.getLogger(__name__)


def list_processes(workspace: Workspace, engine: Engine) -> Sequence[Any]:
    """Return the processes that are registered, workers first, with ``is_worker`` and ``is_alive``. Nothing
    is written. A worker that sends a campaign is there twice, as a worker and as the campaign's
    dispatcher."""
    dead = Presence(engine, workspace.root, _NO_CAMPAIGN).find_dead()
    is_worker = col(Dispatcher.id).startswith(WORKER_ID_PREFIX)
    columns = (
        *(col(Dispatcher.host), col(Dispatcher.started_at)),
        *(col(Dispatcher.heartbeat_at), col(Dispatcher.notice)),
        *(is_worker.label("is_worker"), col(Dispatcher.id).not_in(dead).label("is_alive")),
    )
    rows = select(*columns).order_by(is_worker.desc(), col(Dispatcher.host), col(Dispatcher.started_at))
    with engine.connect().execution_options(read_only=True) as connection:
        return connection.execute(rows).all()


def count_workers(workspace: Workspace, engine: Engine) -> int:
    """Count the running workers, on this machine and others. Nothing is written."""
    return sum(one.is_worker and one.is_alive for one in list_processes(workspace, engine))


def run_worker(
    workspace: Workspace,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    use_jobs: bool = True,
    listen: bool = True,
    live: LiveWorkspace | None = None,
    clock: Clock = read_clock,
) -> None:
    """Start and send campaigns that are due until ``stop`` is set, then finish the messages being sent.

    Messages for the operator go to ``say``, from several threads. With ``use_jobs``, PostgreSQL jobs wake the
    worker, with ``listen`` immediately. If the database is unreachable, it waits. With ``live``, each
    campaign is taken up with the settings as they are on disk then; when they change, it is put down and
    taken up again.
    """
    with (
        workspace.use_database() as engine,
        Presence(engine, workspace.root, _NO_CAMPAIGN, kind=WORKER_ID_PREFIX, clock=clock) as presence,
        look_up_providers(workspace),
    ):
        worker = Worker(workspace, engine, presence, stop=stop, say=say, live=live, clock=clock)
        if use_jobs and prepare_job_queue(engine):
            with run_beside("mailer-watch", lambda _: worker.poll()):
                worker.run_jobs(listen=listen)
        else:
            worker.poll()
        worker.join()


@dataclass
class _IdleBackoff:
    """The time to leave a campaign alone after a run without progress: longer each time, in seconds."""

    settled: int = -1
    seconds: float = 0.0
    until: float = 0.0

    def record_run(self, settled: int) -> None:
        forward = settled > self.settled
        self.seconds = _POLL_SECONDS if forward else min(2 * self.seconds or _POLL_SECONDS, _MAX_IDLE_SECONDS)
        self.settled = settled
        self.until = time.monotonic() + self.seconds


class _RunStop(threading.Event):
    """Stops one run of a campaign, which began with ``settings``; set too when the whole worker stops."""

    def __init__(self, worker_stop: threading.Event, settings: Settings) -> None:
        super().__init__()
        self._worker_stop = worker_stop
        self.settings = settings

    def is_set(self) -> bool:
        return super().is_set() or self._worker_stop.is_set()


@dataclass
class Worker:
    """Sends up to ``max_campaigns`` campaigns at the same time, each in its own thread.

    A campaign is never touched with settings that differ from those on disk: they may name a relay that is
    no longer there, and the failure would pause it for everybody.
    """

    workspace: Workspace
    engine: Engine
    presence: Presence
    stop: threading.Event
    say: Callable[[str], None]
    live: LiveWorkspace | None = None
    clock: Clock = read_clock
    max_campaigns: int = MAX_CAMPAIGNS
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: dict[int, threading.Thread] = field(default_factory=dict)
    _backoffs: dict[int, _IdleBackoff] = field(default_factory=dict)
    _runs: dict[int, _RunStop] = field(default_factory=dict)
    _launching: threading.Thread | None = None

    def poll(self) -> None:
        """Check for work once a second until told to stop."""
        last_beat, is_away = time.monotonic(), False
        while not self.stop.is_set():
            try:
                if time.monotonic() - last_beat >= HEARTBEAT_SECONDS:
                    self.presence.send_heartbeat()
                    last_beat = time.monotonic()
                self.tick()
                is_away = False
            except SQLAlchemyError as error:
                if not is_away:
                    self.say(f"The database does not respond; trying again. ({type(error).__name__})")
                is_away = True
            except Exception:
                # A worker that dies because of one campaign would leave all others unsent.
                _log.exception("Looking after the campaigns failed.")
            self.stop.wait(_POLL_SECONDS)

    def tick(self) -> None:
        """Start and resume campaigns that are due, and start a thread for each campaign with work to do."""
        workspace = self._refresh()
        if workspace is None:
            return
        self._stop_outdated_runs(workspace.settings)
        self._start_launches(workspace)
        for started in start_due_campaigns(self.engine, workspace, clock=self.clock):
            announce_start(started, self.say)
        for number in resume_after_canary(self.engine, clock=self.clock):
            self.say(f"Campaign {number} continues after its canary.")
        for name, paused in close_due_reconfirmations(self.engine, clock=self.clock).items():
            self.say(f"The time to answer {name} is over: {paused:,} readers are paused.")
        for number in self.find_workable():
            if self._may_start(number):
                thread = threading.Thread(
                    target=self.work_on_campaign, args=(number,), name=f"mailer-campaign-{number}"
                )
                thread.start()

    def _start_launches(self, workspace: Workspace) -> None:
        """Start the launches that are due in a thread of their own: planning for a large list takes longer
        than others may wait for a sign of life."""
        with self._lock:
            is_busy = self._launching is not None and self._launching.is_alive()
            if is_busy or self.stop.is_set() or not has_due_launches(self.engine, clock=self.clock):
                return
            self._launching = threading.Thread(
                target=self._launch_what_is_due, args=(workspace,), name="mailer-launches"
            )
            self._launching.start()

    def _launch_what_is_due(self, workspace: Workspace) -> None:
        try:
            for one in start_due_launches(self.engine, workspace, clock=self.clock):
                done = "was launched" if one.has_started else f"was not launched: {one.reason}"
                self.say(f"Campaign {one.campaign_id} {done}")
        except SQLAlchemyError as error:
            self.say(f"A launch is tried again in a second. ({type(error).__name__})")
        except Exception:
            _log.exception("Starting a launch failed.")

    def work_on_campaign(self, campaign_id: int) -> None:
        """Send the campaign until there is nothing left to do now; return at once if this process is already
        sending it, has reached its limit, or is stopping."""
        with self._lock:
            if self.stop.is_set() or campaign_id in self._threads or len(self._threads) >= self.max_campaigns:
                return
            self._threads[campaign_id] = threading.current_thread()
        try:
            self._send(campaign_id)
        finally:
            with self._lock:
                del self._threads[campaign_id]

    def run_jobs(self, *, listen: bool) -> None:
        """Let the job queue wake this process until told to stop, whatever happens to the database."""
        while not self.stop.is_set():
            try:
                process_jobs(
                    self.engine,
                    self.work_on_campaign,
                    self.poll_and_enqueue,
                    stop=self.stop,
                    max_campaigns=self.max_campaigns,
                    listen=listen,
                )
            except Exception as error:
                self.say(f"The job queue is not available; polling once a second. ({type(error).__name__})")
                self.stop.wait(_RETRY_SECONDS)

    def poll_and_enqueue(self) -> None:
        """Poll once, and queue jobs for campaigns that have work to do but no job."""
        self.tick()
        workable = self.find_workable()
        with self.engine.begin() as connection:
            for number in workable:
                if not has_unfinished_job(connection, number):
                    audience = select(col(Campaign.audience)).where(col(Campaign.id) == number)
                    enqueue_jobs(connection, number, connection.execute(audience).scalar_one())

    def find_workable(self) -> list[int]:
        dead = self.presence.find_dead()
        with self.engine.connect().execution_options(read_only=True) as connection:
            return find_workable(connection, dead, clock=self.clock)

    def join(self) -> None:
        while threads := self._list_threads():
            for thread in threads:
                thread.join()

    def _list_threads(self) -> list[threading.Thread]:
        with self._lock:
            started = [*self._threads.values(), *([self._launching] if self._launching else [])]
            return [thread for thread in started if thread.is_alive()]

    def _may_start(self, campaign_id: int) -> bool:
        with self._lock:
            backoff = self._backoffs.get(campaign_id)
            return campaign_id not in self._threads and (backoff is None or time.monotonic() >= backoff.until)

    def _refresh(self) -> Workspace | None:
        return self.workspace if self.live is None else self.live.refresh()

    def _stop_outdated_runs(self, settings: Settings) -> None:
        with self._lock:
            for run in self._runs.values():
                if run.settings != settings:
                    run.set()

    def _send(self, campaign_id: int) -> None:
        settled = -1
        try:
            workspace = self._refresh()
            if workspace is None or campaign_id not in self.find_workable():
                return
            self.say(f"Campaign {campaign_id}: sending.")
            run = _RunStop(self.stop, workspace.settings)
            with self._lock:
                self._runs[campaign_id] = run
            result = send_campaign(
                workspace, campaign_id, stop=run, ending=self.stop, looks_up_providers=False
            )
            settled = result.counts.settled
            self.say(_describe_result(campaign_id, result))
        except (MailerError, ConfigurationError, SQLAlchemyError) as error:
            self.say(f"Campaign {campaign_id}: {error}")
        except Exception:
            _log.exception("Campaign %s: the work on it failed.", campaign_id)
        with self._lock:
            run_before = self._runs.pop(campaign_id, None)
            is_outdated = run_before is not None and run_before.is_set()
            if not is_outdated:
                self._backoffs.setdefault(campaign_id, _IdleBackoff()).record_run(settled)


def _describe_result(campaign_id: int, result: RunResult) -> str:
    words = f"Campaign {campaign_id} is {result.state}: {result.counts.equation()}"
    if result.reason:
        words = f"{words} {result.reason}"
    if result.next_try is not None:
        words = f"{words} The next try is due at {format_utc(result.next_try)}."
    return words


def find_workable(
    connection: Connection, dead_ids: Collection[str], *, clock: Clock = read_clock
) -> list[int]:
    """Return the campaigns with work for a worker, oldest first: in the state sending, with a delivery that
    is queued, due again, or held by a dispatcher that is dead or not in the table; or with everything
    settled, so that they only have to be marked as finished."""
    ours = col(Delivery.campaign_id) == col(Campaign.id)
    owner = col(Delivery.owner)
    # Literals as in the partial indexes: SQLite does not use these indexes for a bound value.
    queued = exists().where(ours, text("delivery.state = 'queued'"))
    deferred = (ours, text("delivery.state = 'deferred'"))
    due = exists().where(*deferred, col(Delivery.not_before) <= clock(connection))
    living = select(col(Dispatcher.id)).where(col(Dispatcher.id).not_in(dead_ids))
    left = exists().where(ours, owner.is_not(None), owner.not_in(living))
    held = exists().where(ours, owner.is_not(None))
    is_over = ~or_(queued, exists().where(*deferred), held)
    sending = col(Campaign.state) == CampaignState.sending
    found = (
        select(col(Campaign.id)).where(sending, or_(queued, due, left, is_over)).order_by(col(Campaign.id))
    )
    return [number for number in connection.scalars(found) if number is not None]


def requeue_in_doubt(engine: Engine, campaign_id: int) -> int:
    """Queue the deliveries in doubt again for workers to send, and return their number. A finished campaign
    is reopened. ``engine`` must be durable."""
    with Session(engine) as session:
        reopen_for_doubts(session, campaign_id)
        session.commit()
    with contextlib.closing(Ledger(engine, campaign_id, "")) as ledger:
        return ledger.requeue_in_doubt(always=True)
