"""Database faults at an exact place: at the n-th write to SQLite, at the n-th round trip to PostgreSQL.

Neither needs hooks in the product. SQLite is instrumented in the driver of a separate process, which every
caller uses; PostgreSQL through a proxy that reads the protocol and so sees every driver, pipelined or not.
"""

import asyncio
import contextlib
import importlib
import json
import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from mailer.campaigns.send import send_campaign
from mailer.errors import MailerError
from mailer.workspace import Workspace, open_workspace
from tests.paths import ROOT

_PROJECT = ROOT


class DatabaseFault(StrEnum):
    """The fault that happens at the chosen place."""

    kill_before = "kill before"
    """The process dies just before the write."""

    kill_after = "kill after"
    """The process dies after the write, before it learns of it."""

    fail = "fail"
    """The database refuses the write and reports an error."""

    cut_before = "cut before"
    """PostgreSQL: the connection breaks before the request arrives."""

    cut_after = "cut after"
    """PostgreSQL: the connection breaks with the request done and its answer lost."""


_WRITE = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH|REPLACE|COMMIT)\b", re.IGNORECASE)


class _FaultInjector:
    """Counts the writes of this process and injects a fault at the n-th."""

    def __init__(self, fault: DatabaseFault, at: int) -> None:
        self.fault, self.at, self.seen = fault, at, 0
        self.lock = threading.Lock()

    def around(self, call: Callable[[], Any]) -> Any:
        with self.lock:
            self.seen += 1
            is_it = self.seen == self.at
        if is_it and self.fault is DatabaseFault.kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        if is_it and self.fault is DatabaseFault.fail:
            raise sqlite3.OperationalError("disk I/O error")
        result = call()
        if is_it and self.fault is DatabaseFault.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


def inject_sqlite_fault(fault: DatabaseFault, at: int) -> _FaultInjector:
    """Instrument every SQLite connection this process opens from now on."""
    injector = _FaultInjector(fault, at)

    def around(connection: sqlite3.Connection, sql: str, call: Callable[[], Any]) -> Any:
        return injector.around(call) if is_write(connection, sql) else call()

    watch_sqlite(around)
    return injector


def is_write(connection: sqlite3.Connection, sql: str) -> bool:
    """Whether a statement changes something, or commits what others have changed."""
    return bool(_WRITE.match(sql)) and (sql.strip().upper() != "COMMIT" or connection.in_transaction)


def watch_sqlite(around: Callable[[sqlite3.Connection, str, Callable[[], Any]], Any]) -> None:
    """Let ``around`` make each call of every SQLite connection that this process opens from now on: it gets
    the connection, the statement, and the call itself."""

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *rest: Any) -> Any:
            return around(self.connection, sql, lambda: sqlite3.Cursor.execute(self, sql, *rest))

        def executemany(self, sql: str, *rest: Any) -> Any:
            return around(self.connection, sql, lambda: sqlite3.Cursor.executemany(self, sql, *rest))

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, sql: str, *rest: Any) -> Any:
            return self.cursor().execute(sql, *rest)

        def executemany(self, sql: str, *rest: Any) -> Any:
            return self.cursor().executemany(sql, *rest)

        def commit(self) -> None:
            around(self, "COMMIT", lambda: sqlite3.Connection.commit(self))

    connect = sqlite3.connect

    def watched(*words: Any, **named: Any) -> sqlite3.Connection:
        return connect(*words, **{"factory": Connection, **named})

    sqlite3.connect = sqlite3.dbapi2.connect = watched  # type: ignore[assignment]


class ForkServer:
    """Forks processes that send campaign 1 with a fault, from one that has imported everything already.

    Use it in a ``with``. Python's own forkserver cannot be used: the product has already started it.
    ``work`` names another function, ``module:function``, that does something with an open workspace instead
    and returns how it ended.
    """

    def __init__(self, work: str = "tests.servers.fault_injection:send_first_campaign") -> None:
        self._work = work

    def __enter__(self) -> "ForkServer":
        words = f"from tests.servers.fault_injection import serve; serve({self._work!r})"
        command = [sys.executable, "-c", words]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": str(_PROJECT)},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=120)

    def send(
        self,
        root: Path,
        environ: Mapping[str, str],
        fault: DatabaseFault,
        at: int,
        on_start: Callable[[int], None] = lambda _: None,
    ) -> tuple[str, int]:
        """Return how the run ended ("killed" if it was) and how many writes to SQLite it made."""
        own = {name: value for name, value in environ.items() if name.startswith("MAILER_")}
        on_start(int(self._ask({"root": str(root), "environ": own, "fault": fault, "at": at})))
        ending, seen = json.loads(self._ask("go"))
        return ending, seen

    def _ask(self, words: object) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def serve(work: str) -> None:
    """Fork a child for each line of input; it waits until it is told to go."""
    for module in ("mailer.dispatch.dispatcher", "structlog", "tests.acceptance.campaign_driver"):
        importlib.import_module(module)
    module, _, function = work.partition(":")
    job: Callable[[Workspace], str] = getattr(importlib.import_module(module), function)
    for line in sys.stdin:
        go, answer = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            os.close(answer[0])
            os.read(go[0], 1)
            os.write(answer[1], json.dumps(_run(job, **json.loads(line))).encode())
            os._exit(0)
        os.close(answer[1])
        _answer(str(child))
        sys.stdin.readline()
        os.write(go[1], b"!")
        words = os.read(answer[0], 1000).decode()
        for end in (*go, answer[0]):
            os.close(end)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        killed = json.dumps(["killed", 0]) if code == -signal.SIGKILL else f'["exit code {code}", 0]'
        _answer(words or killed)


def _answer(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def _run(
    job: Callable[[Workspace], str], root: str, environ: dict[str, str], fault: str, at: int
) -> tuple[str, int]:
    injects_here = DatabaseFault(fault) in {
        DatabaseFault.kill_before,
        DatabaseFault.kill_after,
        DatabaseFault.fail,
    }
    injector = inject_sqlite_fault(DatabaseFault(fault), at) if injects_here else None
    workspace = open_workspace(Path(root), environ=environ)
    try:
        ending = job(workspace)
    except (MailerError, SQLAlchemyError) as error:
        ending = type(error).__name__
    return ending, injector.seen if injector else 0


def send_first_campaign(workspace: Workspace) -> str:
    """Send campaign 1 and return how the run ended."""
    from tests.acceptance.campaign_driver import SHORT

    return send_campaign(workspace, 1, backoff=SHORT).outcome.value


class PostgresProxy:
    """A Unix socket in ``folder`` in front of PostgreSQL's own; injects a fault at the n-th round trip.

    A round trip is a Query or a Sync from the client, up to the ReadyForQuery that answers it, counted over
    all connections. The first one on a connection, sent before its first transaction, counts too.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self._server = server
        self.fault: DatabaseFault | None = None
        self.at = self.seen = 0
        self.victim = 0

    def arm(self, fault: DatabaseFault, at: int) -> None:
        self.fault, self.at, self.seen, self.victim = fault, at, 0, 0

    def __enter__(self) -> "PostgresProxy":
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        place = self.folder / ".s.PGSQL.5432"
        server = self._loop.run_until_complete(asyncio.start_unix_server(self._pass_on, place))
        started.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_unix_connection(self._server)
        reached = asyncio.Event()
        both = [
            asyncio.create_task(self._forward(reader, back_writer, reached)),
            asyncio.create_task(self._answer(back_reader, writer, reached)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
        writer.transport.abort()
        # The backend finishes its request, as it would for a client that has died.
        back_writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reached: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            length = await reader.readexactly(4)
            writer.write(length + await reader.readexactly(struct.unpack("!I", length)[0] - 4))
            while True:
                head = await reader.readexactly(5)
                message = head + await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
                if head[:1] in b"QS":
                    self.seen += 1
                    if self.seen == self.at:
                        if self.fault is DatabaseFault.cut_before or self.fault is DatabaseFault.kill_before:
                            self._kill()
                            return
                        reached.set()
                writer.write(message)
                await writer.drain()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reached: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(5)
                message = head + await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
                if head[:1] == b"Z" and reached.is_set():
                    self._kill()
                    return
                if not reached.is_set():
                    writer.write(message)
                    await writer.drain()

    def _kill(self) -> None:
        if self.fault in {DatabaseFault.kill_before, DatabaseFault.kill_after}:
            os.kill(self.victim, signal.SIGKILL)


def postgres_socket(url: str) -> Path:
    """The socket of the server that ``url`` names by its folder."""
    found = re.search(r"host=([^&]+)", url)
    assert found, url
    return Path(found[1].replace("%2F", "/")) / ".s.PGSQL.5432"
