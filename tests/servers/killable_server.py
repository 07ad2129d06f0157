"""`mailer serve` in processes that are killed at a planted place, and started again at no cost.

Each is forked from one process that has imported everything already. It is instrumented there, so the product
has no hooks: a place is a write to SQLite, or a change of a file's name, by whichever thread.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mailer.web.page_renderer import PageRenderer
from mailer.web.site import create_site
from mailer.workspace import open_workspace
from tests.paths import ROOT
from tests.servers.fault_injection import is_write, watch_sqlite
from tests.servers.process import can_connect, wait_until

_MODULES = (
    "mailer.campaigns.metrics",
    "mailer.campaigns.report.report_worker",
    "mailer.campaigns.send",
    "mailer.campaigns.worker",
    "mailer.cli",
    "mailer.feedback.worker",
    "mailer.selfservice.mail_worker",
    "mailer.web.live_app",
    "mailer.web.metrics",
    "mailer.web.server",
    "mailer.web.site",
    "uvicorn.lifespan.on",
    "uvloop",
)
_FILE_ACTS = frozenset({"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate"})


class When(StrEnum):
    """When a server is killed."""

    before = "before a write"
    """Before the n-th place."""

    after = "after a commit"
    """After the n-th commit, before anybody learns of it."""

    moment = "at a random moment"
    """Some milliseconds after the request."""


@dataclass(frozen=True, kw_only=True)
class PlannedKill:
    """``at`` is the number of the place or of the commit, from 1, or the milliseconds."""

    when: When
    at: int


class KillableServer:
    """The server of the workspace in ``root``, at ``port``. Use it in a ``with``."""

    def __init__(self, root: Path, port: int) -> None:
        self._root = root
        self.port = port
        self._pid = 0
        self._timer: threading.Timer | None = None
        self.log = root.parent / "server.log"

    def __enter__(self) -> "KillableServer":
        command = [sys.executable, "-m", "tests.servers.killable_server"]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
        self._template = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**environ, "PYTHONPATH": str(ROOT)},
        )
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._template.communicate(timeout=120)

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        assert self._template.stdin is not None
        assert self._template.stdout is not None
        order = {"root": str(self._root), "port": self.port, "log": str(self.log)}
        self._template.stdin.write(json.dumps(order) + "\n")
        told = json.loads(self._template.stdout.readline())
        self._pid = told["pid"]
        self._control = socket.create_connection(("127.0.0.1", told["control"]), timeout=30)
        self._read = self._control.makefile()
        wait_until(
            lambda: can_connect(self.port) or not self.is_running(), what="the server to listen", seconds=60
        )
        assert self.is_running(), self.log.read_text("utf-8")

    def plan(self, kill: PlannedKill) -> None:
        """Have the server killed at a place that follows."""
        if kill.when is When.moment:
            self._timer = threading.Timer(kill.at / 1000, self._end)
            self._timer.start()
        else:
            self._tell(asdict(kill))

    def is_killed(self) -> bool:
        """Whether it was killed; whatever was planned is called off."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None
        if self.is_running() and self._tell(None):
            return False
        self.kill()
        return True

    def is_running(self) -> bool:
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """Kill the server, and wait until nothing is left of it."""
        self._end()
        wait_until(lambda: not self.is_running(), what="the killed server to end")
        self._read.close()
        self._control.close()

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def _tell(self, words: object) -> bool:
        """Tell the server what is planned; return False if it is gone."""
        try:
            self._control.sendall(json.dumps(words).encode() + b"\n")
            return self._read.readline() == "done\n"
        except OSError:
            return False


class _PlantedKill:
    """Kills this process at the place that was planned."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kill: PlannedKill | None = None
        self._seen = 0

    def plan(self, kill: PlannedKill | None) -> None:
        with self._lock:
            self._kill, self._seen = kill, 0

    def pass_place(self, when: When) -> None:
        with self._lock:
            if self._kill is None or self._kill.when is not when:
                return
            self._seen += 1
            if self._seen == self._kill.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, connection: sqlite3.Connection, sql: str, call: Callable[[], Any]) -> Any:
        if not is_write(connection, sql):
            return call()
        self.pass_place(When.before)
        result = call()
        if sql.strip().upper() == "COMMIT":
            self.pass_place(When.after)
        return result

    def audit(self, event: str, _: tuple[object, ...]) -> None:
        if event in _FILE_ACTS:
            self.pass_place(When.before)


def main() -> None:
    """Fork a server for each line of input, and answer with its number and the port that takes plans."""
    for module in _MODULES:
        importlib.import_module(module)
    # Nobody waits for the children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for number, line in enumerate(sys.stdin):
        order = json.loads(line)
        if not number:
            _warm_up(order["root"])
        with socket.create_server(("127.0.0.1", 0)) as listener:
            child = os.fork()
            if child == 0:
                _serve(listener, **order)
            told = {"pid": child, "control": listener.getsockname()[1]}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def _warm_up(root: str) -> None:
    """Do once what each server would do for itself: read the endpoints, and compile the pages."""
    workspace = open_workspace(Path(root), environ={})
    create_site(workspace)
    environment = PageRenderer(workspace.settings)._environment
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)
    gc.collect()
    gc.freeze()


def _serve(listener: socket.socket, root: str, port: int, log: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    kill = _PlantedKill()
    watch_sqlite(kill.around)
    sys.addaudithook(kill.audit)
    threading.Thread(target=_take_plans, args=(listener, kill), daemon=True).start()
    command = importlib.import_module("mailer.cli").mailer
    try:
        command(["-C", root, "serve", "--port", str(port)], prog_name="mailer")
    finally:
        os._exit(1)


def _take_plans(listener: socket.socket, kill: _PlantedKill) -> None:
    connection, _ = listener.accept()
    for line in connection.makefile():
        words = json.loads(line)
        kill.plan(PlannedKill(when=When(words["when"]), at=words["at"]) if words else None)
        connection.sendall(b"done\n")


if __name__ == "__main__":
    main()
