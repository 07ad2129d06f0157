"""The worker that sends campaigns, in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mailer.campaigns.worker import run_worker
from mailer.live_workspace import LiveWorkspace
from mailer.workspace import Workspace


@dataclass
class Working:
    """A running worker: what it said, and how to stop it."""

    stop: threading.Event = field(default_factory=threading.Event)
    said: list[str] = field(default_factory=list)


@contextmanager
def working(
    workspace: Workspace, *, use_jobs: bool = True, watches_settings: bool = False
) -> Iterator[Working]:
    """Let a worker send during the block. If it ``watches_settings``, it takes over changes of mailer.toml,
    as that of `mailer serve` does."""
    worker = Working()
    live = LiveWorkspace(workspace, say=worker.said.append, environ={}) if watches_settings else None
    words = {"stop": worker.stop, "say": worker.said.append, "use_jobs": use_jobs, "live": live}
    thread = threading.Thread(target=run_worker, args=(workspace,), kwargs=words)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop.set()
        thread.join(20)
        assert not thread.is_alive()
