"""What works in threads beside the pages, so that one process is enough: a worker, mails, what comes back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mailer.cli.output import say

if TYPE_CHECKING:
    from mailer.live_workspace import LiveWorkspace
    from mailer.workspace import Workspace

_POLL_SECONDS = 1.0


@contextlib.contextmanager
def work_beside(workspace: Workspace, live: LiveWorkspace) -> Iterator[None]:
    """Run a worker in a thread of this process; at the end it finishes the messages it has begun."""
    from mailer.campaigns.worker import run_worker as work_on

    stop = threading.Event()

    def run() -> None:
        work_on(workspace, stop=stop, say=say, use_jobs=False, live=live)

    thread = threading.Thread(target=run, name="mailer-work")
    thread.start()
    try:
        with serve_readers_beside(live):
            yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def serve_readers_beside(live: LiveWorkspace) -> Iterator[None]:
    """Send the transactional mails that readers request on the pages, read what comes back, and work on the
    reports."""
    from mailer.campaigns.report.report_worker import run_report_worker
    from mailer.feedback.worker import run_feedback_worker
    from mailer.selfservice.mail_worker import run_mail_worker

    with (
        _live_thread(live, "mailer-mails", run_mail_worker),
        _live_thread(live, "mailer-feedback", run_feedback_worker),
        _live_thread(live, "mailer-reports", run_report_worker),
    ):
        yield


@contextlib.contextmanager
def _live_thread(live: LiveWorkspace, name: str, work_on: Callable[..., None]) -> Iterator[None]:
    """Work in a thread of this process, with the settings as they are on disk."""
    from mailer.live_workspace import ChangeStop

    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            workspace = live.refresh()
            if workspace is None:
                stop.wait(_POLL_SECONDS)
            else:
                work_on(workspace, stop=ChangeStop(stop, live, workspace), report=say)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
