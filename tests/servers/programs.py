# ruff: noqa: ARG002, N802 - aiosmtpd calls its hooks by these names, with all of these arguments
"""Real servers for the tests: a PostgreSQL of our own, Postfix's smtp-sink, and an SMTP server that
misbehaves on command.

The client is never mocked. What goes wrong, goes wrong on the other side of a socket.
"""

import asyncio
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Engine, text

SMTP_SINK = Path("/usr/sbin/smtp-sink")


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = 20) -> None:
    """Look again every few milliseconds until ``condition`` holds; fail with ``what`` if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.005)


def await_server(
    server: "subprocess.Popen[bytes]",
    is_ready: Callable[[], bool],
    *,
    name: str,
    logs: Sequence[Path],
    seconds: float = 60,
) -> None:
    """Wait until ``is_ready``; if the server ends before that, or ``seconds`` pass, fail with what it wrote
    to ``logs``.
    """
    end = time.monotonic() + seconds
    while not is_ready():
        code = server.poll()
        if code is not None or time.monotonic() > end:
            fate = f"did not start within {seconds} s" if code is None else f"ended with {code} at its start"
            words = "".join(log.read_text(errors="replace") for log in logs if log.exists()).strip()
            pytest.fail(f"{name} {fate}: {words or 'it wrote nothing'}")
        time.sleep(0.005)


def end_server(server: "subprocess.Popen[bytes]") -> None:
    """Ask the server to end, and wait until it has."""
    server.terminate()
    server.wait(timeout=30)


# --- PostgreSQL


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs, or None."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


def _as_somebody_else() -> tuple[list[str | Path], pwd.struct_passwd | None]:
    """PostgreSQL refuses to run as root: the words to put before a command, and who it then runs as."""
    if os.getuid() != 0:
        return [], None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    somebody = names.get("postgres") or names["nobody"]
    # The parent's death ends the server too, so that a killed test run leaves nothing behind.
    words: list[str | Path] = [
        "setpriv",
        "--reuid",
        str(somebody.pw_uid),
        "--regid",
        str(somebody.pw_gid),
        "--clear-groups",
    ]
    return [*words, "--pdeathsig", "KILL"], somebody


@contextlib.contextmanager
def running_postgres(programs: Path, *, durable: bool = False) -> Iterator[str]:
    """A server on a Unix socket in a folder of its own, without fsync unless ``durable``; yields the address
    of its first database.
    """
    words, somebody = _as_somebody_else()
    folder = Path(tempfile.mkdtemp(prefix="mailer-pg-"))
    if somebody is not None:
        os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    data = folder / "data"
    quick = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
    try:
        subprocess.run(
            [*words, programs / "initdb", "--pgdata", data, *quick],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        options = ("listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off")
        unsafe = options[:1] if durable else options
        settings = [word for option in unsafe for word in ("-c", option)]
        command = [*words, programs / "postgres", "-D", data, "-k", folder, *settings]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, cwd=folder)
        try:
            _await_postgres(server, programs, folder)
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await_postgres(server: "subprocess.Popen[bytes]", programs: Path, folder: Path) -> None:
    def is_ready() -> bool:
        command = [programs / "pg_isready", "-h", folder, "-q"]
        return subprocess.run(command, check=False).returncode == 0

    await_server(server, is_ready, name="PostgreSQL", logs=[folder / "log"])


def is_somebody_waiting(engine: Engine) -> bool:
    """Whether a transaction of a PostgreSQL waits for an advisory lock."""
    with engine.connect() as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(connection.scalar(text(waiting)))


# --- smtp-sink


@dataclass(frozen=True, kw_only=True)
class Sink:
    """A running smtp-sink: its port and the folder it keeps every mail in."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def messages(self) -> list[bytes]:
        """Every mail it kept, as kept."""
        return [mail for path in sorted(self.folder.iterdir()) if (mail := _read(path))]

    def recipients(self) -> list[str]:
        """The envelope recipient of every mail it kept, duplicates included."""
        return [_find(rb"^X-Rcpt-Args: <(.*?)>", mail) for mail in self.messages()]

    def message_ids(self) -> list[str]:
        """The Message-ID of every mail it kept, duplicates included."""
        return [_find(rb"^Message-ID: *(.*?)\r?$", mail) for mail in self.messages()]


def _read(path: Path) -> bytes:
    """A file of smtp-sink's; nothing where it is that of a mail which has not come, or comes no more."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _find(pattern: bytes, mail: bytes) -> str:
    found = re.search(pattern, mail, re.MULTILINE | re.IGNORECASE)
    assert found, mail[:500]
    return found[1].decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def smtp_sink(*flags: str) -> Iterator[Sink]:
    """Postfix's smtp-sink with ``flags`` on a free port of loopback (``-q .`` keeps the mail and drops the
    line).
    """
    if not SMTP_SINK.exists():
        message = f"{SMTP_SINK} is not installed (package postfix)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="mailer-sink-"))
    folder.chmod(0o777)
    port = free_port()
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    # The address is given as a number: smtp-sink would ask the resolver for "localhost".
    command = [str(SMTP_SINK), *user, *flags, "-d", f"{folder}/", f"127.0.0.1:{port}", "1024"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _await_port(server, port)
        yield Sink(port=port, folder=folder)
    finally:
        server.kill()
        server.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def _await_port(server: "subprocess.Popen[bytes]", port: int) -> None:
    def is_ready() -> bool:
        assert server.poll() is None, server.communicate()[1].decode()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    wait_until(is_ready, what=f"a server on port {port}")


# --- the server that misbehaves on command


class Stage(StrEnum):
    """Where the server can be told to misbehave."""

    connect = "CONNECT"
    ehlo = "EHLO"
    mail = "MAIL"
    rcpt = "RCPT"
    data = "DATA"
    body = "BODY"
    """In the middle of the message; only DROP makes sense here."""

    dot = "."
    """After the final dot. The mail is kept when the line is dropped, hangs or gets 2xx, not when it gets
    4xx or 5xx.
    """


DROP = "drop"
"""Close the connection without a word."""

HANG = "hang"
"""Never answer."""


@dataclass(kw_only=True)
class Rule:
    """``answer`` at ``stage``: a reply line, DROP or HANG; ``times`` counts down, None is for ever.

    A reply that begins with 421 is followed by closing the connection. ``only`` is part of the recipient's
    address.
    """

    stage: Stage
    answer: str
    times: int | None = None
    only: str = ""

    def fits(self, stage: Stage, recipient: str) -> bool:
        return self.stage is stage and self.times != 0 and self.only in recipient


@dataclass(frozen=True, kw_only=True)
class Received:
    """A mail the server kept: its envelope and its bytes after undoing the dots."""

    sender: str
    recipient: str
    content: bytes
    mail_options: tuple[str, ...]


@dataclass
class MisbehavingServer:
    """An SMTP server on a free port of loopback, well-behaved until told otherwise with :meth:`answer`.

    Use it in a ``with``. ``received`` is what it kept, ``connections`` how many it took. With ``tls`` it
    speaks TLS from the first byte (smtps). ``options`` go to aiosmtpd's ``SMTP``.
    """

    options: dict[str, Any] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    connections: int = 0
    port: int = 0
    lines: "list[_Line]" = field(default_factory=list, repr=False)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def recipients(self) -> list[str]:
        return [mail.recipient for mail in self.received]

    def answer(self, stage: Stage, answer: str, *, times: int | None = None, only: str = "") -> None:
        """From now on, give ``answer`` at ``stage``."""
        self.rules.append(Rule(stage=stage, answer=answer, times=times, only=only))

    def take(self, stage: Stage, recipient: str = "") -> str | None:
        """The answer to give at ``stage``, or None for the usual one."""
        for rule in self.rules:
            if rule.fits(stage, recipient):
                rule.times = None if rule.times is None else rule.times - 1
                return rule.answer
        return None

    def __enter__(self) -> "MisbehavingServer":
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self, started: threading.Event) -> None:
        # aiosmtpd's own Controller cannot take port 0: it dials that port to see whether it is up.
        asyncio.set_event_loop(self._loop)
        factory = self._loop.create_server(lambda: _Line(self, self._loop), self.host, 0, ssl=self.tls)
        server = self._loop.run_until_complete(factory)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._hang_up())
        self._loop.close()

    async def _hang_up(self) -> None:
        """End every connection that is still open, so that none is left to the garbage collector."""
        for line in self.lines:
            line.hang_up()
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


class _Line(SMTP):
    """One connection: aiosmtpd's, except where a rule says otherwise."""

    def __init__(self, owner: MisbehavingServer, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        options = {"enable_SMTPUTF8": True, "hostname": "mx.example.org", "ident": "ready", **owner.options}
        super().__init__(_Hooks(owner), loop=loop, **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._owner.lines.append(self)
        super().connection_made(transport)

    def hang_up(self) -> None:
        if self.transport is not None:
            _transport_of(self).abort()

    async def _handle_client(self) -> None:
        self._owner.connections += 1
        if not await _misbehave(self, self._owner.take(Stage.connect)):
            await super()._handle_client()

    async def smtp_DATA(self, arg: str) -> None:
        recipient = self.envelope.rcpt_tos[0] if self.envelope and self.envelope.rcpt_tos else ""
        if await _misbehave(self, self._owner.take(Stage.data, recipient)):
            return
        if self._owner.take(Stage.body, recipient) is not None:
            await self.push("354 Go on")
            await self._reader.read(100)
            self.hang_up()
            return
        await super().smtp_DATA(arg)


def _transport_of(line: SMTP) -> asyncio.Transport:
    transport = line.transport
    assert isinstance(transport, asyncio.Transport)
    return transport


async def _misbehave(line: SMTP, answer: str | None) -> bool:
    """Give ``answer`` on ``line``; False when there was none to give."""
    if answer is None:
        return False
    if answer == HANG:
        await asyncio.Event().wait()
    if answer != DROP:
        await line.push(answer)
    if answer == DROP or answer.startswith("421"):
        _transport_of(line).close()
    return True


class _Hooks:
    """What aiosmtpd asks at each command."""

    def __init__(self, owner: MisbehavingServer) -> None:
        self._owner = owner

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        answer = await self._reply(server, self._owner.take(Stage.ehlo))
        return responses if answer is None else [answer]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._reply(server, self._owner.take(Stage.mail))
        if answer is not None:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._reply(server, self._owner.take(Stage.rcpt, address))
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self._owner.take(Stage.dot, envelope.rcpt_tos[0])
        if answer is None or answer in {DROP, HANG} or answer.startswith("2"):
            self._keep(envelope)
        return await self._reply(server, answer) or f"250 2.0.0 kept as {len(self._owner.received)}"

    def _keep(self, envelope: Envelope) -> None:
        mail = Received(
            sender=envelope.mail_from or "",
            recipient=envelope.rcpt_tos[0],
            content=bytes(envelope.original_content or b""),
            mail_options=tuple(envelope.mail_options),
        )
        self._owner.received.append(mail)

    @staticmethod
    async def _reply(server: SMTP, answer: str | None) -> str | None:
        if answer == HANG:
            await asyncio.Event().wait()
        if answer == DROP:
            _transport_of(server).abort()
            await asyncio.Event().wait()  # connection_lost cancels this
        if answer is not None and answer.startswith("421"):
            await server.push(answer)
            _transport_of(server).close()
            await asyncio.Event().wait()
        return answer


# --- PostgreSQL that can be restarted, and that keeps what it has promised


@dataclass(kw_only=True)
class Cluster:
    """A durable PostgreSQL on a Unix socket in ``folder``, which can end and start again."""

    programs: Path
    folder: Path
    words: list[str | Path]
    server: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    def start(self) -> None:
        command = [*self.words, self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder]
        with (self.folder / "log").open("ab") as log:
            self.server = subprocess.Popen(
                [*command, "-c", "listen_addresses="], stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder
            )
        _await_postgres(self.server, self.programs, self.folder)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends every session and then the server; SIGQUIT ends all at once, as a crash does."""
        if self.server is not None:
            self.server.send_signal(how)
            self.server.wait()
            self.server = None


@contextlib.contextmanager
def postgres_cluster(programs: Path) -> Iterator[Cluster]:
    """A cluster of our own, started, with fsync and every commit durable."""
    words, somebody = _as_somebody_else()
    folder = Path(tempfile.mkdtemp(prefix="mailer-pg-"))
    if somebody is not None:
        os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    cluster = Cluster(programs=programs, folder=folder, words=words)
    quick = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
    try:
        command = [*words, programs / "initdb", "--pgdata", folder / "data", *quick]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        cluster.start()
        yield cluster
    finally:
        cluster.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
