"""Runs a worker's launch that is killed at a write, and another after it; a line of JSON for each kill.

    python -m tests.servers.killed_launch WORKSPACE FIRST LAST

The first call keeps a copy of the database; each kill, of this call and of later ones, begins with that copy.
A program of its own, with one thread, so that it may fork: each kill then costs no start of Python.
"""

import json
import os
import shutil
import signal
import sys
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from mailer.campaigns.due_launches import start_due_launches
from mailer.rendering import edition_compiler, incremental
from mailer.rendering.worker.main import render_page, warm_up
from mailer.workspace import open_workspace
from tests.factories.deliveries import START, FakeClock
from tests.servers.fault_injection import DatabaseFault, inject_sqlite_fault


def main(root: Path, first: int, last: int) -> None:
    _render_here()
    pristine = root / "pristine.db"
    if not pristine.exists():
        shutil.copy(root / "mailer.db", pristine)
    for at in range(first, last + 1):
        for fault in (DatabaseFault.kill_before, DatabaseFault.kill_after):
            for left in root.glob("mailer.db*"):
                left.unlink()
            shutil.copy(pristine, root / "mailer.db")
            killed = _start(root, fault, at) == signal.SIGKILL
            assert _start(root, None, 0) == 0
            told = {"at": at, "fault": fault.value, "killed": killed, **_read(root)}
            sys.stdout.write(f"{json.dumps(told)}\n")


def _render_here() -> None:
    """Render without a process for it, which each of the launches would have to start for itself."""
    warm_up()
    edition_compiler.start_worker = lambda: None
    incremental.render_in_worker = render_page


def _start(root: Path, fault: DatabaseFault | None, at: int) -> int:
    """Start what is due in a process of its own; return the signal that ended it, 0 if none did."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] & 0x7F
    try:
        if fault is not None:
            inject_sqlite_fault(fault, at)
        workspace = open_workspace(root, environ={})
        clock = FakeClock(START + timedelta(seconds=10))
        start_due_launches(workspace.open_database(durable=True), workspace, clock=clock)
    finally:
        os._exit(0)


def _read(root: Path) -> dict[str, object]:
    engine = open_workspace(root, environ={}).open_database()
    with engine.connect().execution_options(read_only=True) as connection:
        found = {
            "campaigns": list(connection.scalars(text("SELECT state FROM campaign"))),
            "audience": connection.scalar(text("SELECT audience FROM campaign")),
            "deliveries": connection.scalar(text("SELECT count(*) FROM delivery")),
            "pending": list(connection.scalars(text("SELECT state FROM pending_launch"))),
        }
    engine.dispose()
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
