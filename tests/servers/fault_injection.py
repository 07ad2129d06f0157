"""Database faults at an exact place: at the n-th write to SQLite, at the n-th round trip to PostgreSQL.

Neither needs the product's help. SQLite is watched where every caller meets it, in the driver of a process of
its own; PostgreSQL through a proxy that reads the protocol and so sees every driver, pipelined or not.
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
from mailer.workspace import open_workspace
from tests.paths import ROOT

_PROJECT = ROOT


class Blow(StrEnum):
    """What happens at the place."""

    kill_before = "kill before"
    """The process dies as the write is about to happen."""

    kill_after = "kill after"
    """The process dies with the write done and not yet known to have been."""

    fail = "fail"
    """The database refuses: the write has not happened, and the process is told so."""

    cut_before = "cut before"
    """PostgreSQL: the connection breaks before the request arrives."""

    cut_after = "cut after"
    """PostgreSQL: the connection breaks with the request done and its answer lost."""


_WRITE = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH|REPLACE|COMMIT)\b", re.IGNORECASE)


class _Striker:
    """Counts the writes of this process and strikes at the n-th."""

    def __init__(self, blow: Blow, at: int) -> None:
        self.blow, self.at, self.seen = blow, at, 0
        self.lock = threading.Lock()

    def around(self, connection: sqlite3.Connection, sql: str, call: Callable[[], Any]) -> Any:
        if not _WRITE.match(sql) or (sql.strip().upper() == "COMMIT" and not connection.in_transaction):
            return call()
        with self.lock:
            self.seen += 1
            is_it = self.seen == self.at
        if is_it and self.blow is Blow.kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        if is_it and self.blow is Blow.fail:
            raise sqlite3.OperationalError("disk I/O error")
        result = call()
        if is_it and self.blow is Blow.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


def strike_sqlite(blow: Blow, at: int) -> _Striker:
    """From now on every SQLite connection of this process is watched."""
    striker = _Striker(blow, at)

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *rest: Any) -> Any:
            return striker.around(self.connection, sql, lambda: sqlite3.Cursor.execute(self, sql, *rest))

        def executemany(self, sql: str, *rest: Any) -> Any:
            return striker.around(self.connection, sql, lambda: sqlite3.Cursor.executemany(self, sql, *rest))

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, sql: str, *rest: Any) -> Any:
            return self.cursor().execute(sql, *rest)

        def executemany(self, sql: str, *rest: Any) -> Any:
            return self.cursor().executemany(sql, *rest)

        def commit(self) -> None:
            striker.around(self, "COMMIT", lambda: sqlite3.Connection.commit(self))

    connect = sqlite3.connect

    def watched(*words: Any, **named: Any) -> sqlite3.Connection:
        return connect(*words, **{"factory": Connection, **named})

    sqlite3.connect = sqlite3.dbapi2.connect = watched  # type: ignore[assignment]
    return striker


class Nursery:
    """Forks processes that send campaign 1 and are struck: from one that has imported everything, in no time.

    Use it in a ``with``. Python's own forkserver will not do: the product has started it by then.
    """

    def __enter__(self) -> "Nursery":
        command = [sys.executable, "-c", "from tests.servers.fault_injection import serve; serve()"]
        self._mother = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": str(_PROJECT)},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._mother.communicate(timeout=60)

    def send(
        self,
        root: Path,
        environ: Mapping[str, str],
        blow: Blow,
        at: int,
        on_start: Callable[[int], None] = lambda _: None,
    ) -> tuple[str, int]:
        """How the run ended ("killed" if so), and how many writes to SQLite it made."""
        own = {name: value for name, value in environ.items() if name.startswith("MAILER_")}
        on_start(int(self._ask({"root": str(root), "environ": own, "blow": blow, "at": at})))
        ending, seen = json.loads(self._ask("go"))
        return ending, seen

    def _ask(self, words: object) -> str:
        assert self._mother.stdin
        assert self._mother.stdout
        self._mother.stdin.write(json.dumps(words) + "\n")
        self._mother.stdin.flush()
        return self._mother.stdout.readline()


def serve() -> None:
    """The mother's work: for each line a child, which waits until it is told to go."""
    for module in ("mailer.dispatch.dispatcher", "structlog", "tests.acceptance.campaign_driver"):
        importlib.import_module(module)
    for line in sys.stdin:
        go, answer = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            os.close(answer[0])
            os.read(go[0], 1)
            os.write(answer[1], json.dumps(_send(**json.loads(line))).encode())
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


def _send(root: str, environ: dict[str, str], blow: str, at: int) -> tuple[str, int]:
    from tests.acceptance.campaign_driver import SHORT

    strikes_here = Blow(blow) in {Blow.kill_before, Blow.kill_after, Blow.fail}
    striker = strike_sqlite(Blow(blow), at) if strikes_here else None
    workspace = open_workspace(Path(root), environ=environ)
    try:
        ending = send_campaign(workspace, 1, backoff=SHORT).outcome.value
    except (MailerError, SQLAlchemyError) as error:
        ending = type(error).__name__
    return ending, striker.seen if striker else 0


class PostgresProxy:
    """A Unix socket in ``folder`` before the one of a PostgreSQL, that strikes at the n-th round trip.

    A round trip is a Query or a Sync from the client, up to the ReadyForQuery that answers it, counted over
    all connections. A connection's first, that it asks before its first transaction, counts too.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self.folder = folder
        self._server = server
        self.blow: Blow | None = None
        self.at = self.seen = 0
        self.victim = 0

    def arm(self, blow: Blow, at: int) -> None:
        self.blow, self.at, self.seen, self.victim = blow, at, 0, 0

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
        struck = asyncio.Event()
        both = [
            asyncio.create_task(self._forward(reader, back_writer, struck)),
            asyncio.create_task(self._answer(back_reader, writer, struck)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
        writer.transport.abort()
        # The backend finishes what it was asked, as it would with a client that has died.
        back_writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, struck: asyncio.Event
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
                        if self.blow is Blow.cut_before or self.blow is Blow.kill_before:
                            self._kill()
                            return
                        struck.set()
                writer.write(message)
                await writer.drain()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, struck: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(5)
                message = head + await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
                if head[:1] == b"Z" and struck.is_set():
                    self._kill()
                    return
                if not struck.is_set():
                    writer.write(message)
                    await writer.drain()

    def _kill(self) -> None:
        if self.blow in {Blow.kill_before, Blow.kill_after}:
            os.kill(self.victim, signal.SIGKILL)


def postgres_socket(url: str) -> Path:
    """The socket of the server that ``url`` names by its folder."""
    found = re.search(r"host=([^&]+)", url)
    assert found, url
    return Path(found[1].replace("%2F", "/")) / ".s.PGSQL.5432"
