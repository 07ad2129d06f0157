"""The machines that send: the processes that are registered as dispatchers, and which of them are alive."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlmodel import col

from mailer.database.models import Dispatcher
from mailer.dispatch.liveness import Presence
from mailer.workspace import Workspace

WORKER_ID_PREFIX = "work-"
"""The prefix of a worker's id in the table of dispatchers."""

_NO_CAMPAIGN = 0


@dataclass(frozen=True, kw_only=True)
class SendingProcess:
    """A process that is registered to send: a worker, which takes up every campaign, or one that sends a
    single campaign. ``host`` is the name of its machine, ``notice`` what a person should know about its work.
    """

    id: str
    host: str
    is_worker: bool
    is_alive: bool
    started_at: datetime
    heartbeat_at: datetime
    notice: str


def list_processes(workspace: Workspace, engine: Engine) -> list[SendingProcess]:
    """The processes that are registered, workers first. Nothing is written.

    A worker that sends a campaign is there twice, as a worker and as the campaign's dispatcher.
    """
    dead = Presence(engine, workspace.root, _NO_CAMPAIGN).find_dead()
    is_worker = col(Dispatcher.id).startswith(WORKER_ID_PREFIX)
    columns = (
        *(col(Dispatcher.id), col(Dispatcher.host), col(Dispatcher.started_at)),
        *(col(Dispatcher.heartbeat_at), col(Dispatcher.notice)),
    )
    rows = select(*columns).order_by(is_worker.desc(), col(Dispatcher.host), col(Dispatcher.started_at))
    with engine.connect().execution_options(read_only=True) as connection:
        return [
            SendingProcess(
                id=row.id,
                host=row.host.partition(" ")[0],
                is_worker=row.id.startswith(WORKER_ID_PREFIX),
                is_alive=row.id not in dead,
                started_at=row.started_at,
                heartbeat_at=row.heartbeat_at,
                notice=row.notice,
            )
            for row in connection.execute(rows)
        ]


def count_workers(workspace: Workspace, engine: Engine) -> int:
    """Count the running workers, on this machine and others. Nothing is written."""
    return sum(one.is_worker and one.is_alive for one in list_processes(workspace, engine))
