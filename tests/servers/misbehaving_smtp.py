# ruff: noqa: ARG002, N802 - aiosmtpd calls its hooks by these names, with all of these arguments
"""An SMTP server that misbehaves on command.

The client is never mocked: faults happen on the other side of a socket.
"""

import asyncio
import contextlib
import ssl
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Stage(StrEnum):
    """Where the server can be told to misbehave."""

    connect = "CONNECT"
    ehlo = "EHLO"
    mail = "MAIL"
    rcpt = "RCPT"
    data = "DATA"
    body = "BODY"
    """In the middle of the message; only DROP is possible here."""

    dot = "."
    """After the final dot. The mail is kept after DROP, HANG or a 2xx reply, but not after
    a 4xx or 5xx reply.
    """


DROP = "drop"
"""Close the connection without a reply."""

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
    """A mail the server kept: its envelope and its bytes with dot-stuffing undone."""

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
    open_connections: "list[_Connection]" = field(default_factory=list, repr=False)

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
        # aiosmtpd's own Controller cannot take port 0: it connects to that port to see whether it is up.
        asyncio.set_event_loop(self._loop)
        factory = self._loop.create_server(lambda: _Connection(self, self._loop), self.host, 0, ssl=self.tls)
        server = self._loop.run_until_complete(factory)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._hang_up())
        self._loop.close()

    async def _hang_up(self) -> None:
        """Close every open connection, so that none is left to the garbage collector."""
        for connection in self.open_connections:
            connection.hang_up()
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


class _Connection(SMTP):
    """One connection: aiosmtpd's, except where a rule says otherwise."""

    def __init__(self, owner: MisbehavingServer, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        options = {"enable_SMTPUTF8": True, "hostname": "mx.example.org", "ident": "ready", **owner.options}
        super().__init__(_Hooks(owner), loop=loop, **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._owner.open_connections.append(self)
        super().connection_made(transport)

    def hang_up(self) -> None:
        if self.transport is not None:
            # Python 3.11.2 drops a TLS connection that is closed twice, as aiosmtpd does.
            with contextlib.suppress(AttributeError):
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


def _transport_of(connection: SMTP) -> asyncio.Transport:
    transport = connection.transport
    assert isinstance(transport, asyncio.Transport)
    return transport


async def _misbehave(connection: SMTP, answer: str | None) -> bool:
    """Send ``answer`` on ``connection``; return False if there is none."""
    if answer is None:
        return False
    if answer == HANG:
        await asyncio.Event().wait()
    if answer != DROP:
        await connection.push(answer)
    if answer == DROP or answer.startswith("421"):
        _transport_of(connection).close()
    return True


class _Hooks:
    """The hooks that aiosmtpd calls at each command."""

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
