# ruff: noqa: ARG002 - every command is called with its argument
"""An SMTP server in the client's own event loop that keeps every piece it reads and does what a script says.

It is as strict as Postfix where that matters to a client that sends ahead: a MAIL inside a transaction is
refused, and so is a DATA without a recipient.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from mailer.dispatch.opening import SmtpTransport
from mailer.dispatch.transport import unstuff
from mailer.settings import SmtpSettings

EXTENSIONS: Final = ("PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class Act(StrEnum):
    """What a server does instead of answering."""

    close = "close"
    """It ends the connection in order."""

    abort = "abort"
    """It breaks the connection off."""

    hang = "hang"
    """It says nothing any more."""


Script = Callable[[str, str], str | Act | None]
"""The answer to a verb and its argument, None for the usual one.

Verbs are as on the wire, and CONNECT (before the greeting), BODY (the first piece of a message) and "." (its
end); the argument of those two is the recipient. At "." an answer of 2xx keeps the message, and so does an
:class:`Act`, which does not acknowledge it.
"""


def usual(verb: str, argument: str) -> str | Act | None:
    """The script of a server without fault."""
    return None


def answering(*answers: tuple[str, str, str | Act]) -> Script:
    """A script of (verb, part of its argument, answer)."""

    def script(verb: str, argument: str) -> str | Act | None:
        return next((say for named, part, say in answers if named == verb and part in argument), None)

    return script


@dataclass(kw_only=True)
class Mail:
    """A message that was kept."""

    sender: str
    recipient: str
    content: bytes
    is_acknowledged: bool


@dataclass(eq=False)
class ScriptedServer:
    """Use it in an ``async with``. ``chunks`` are the pieces read, by connection.

    With ``takes_data`` it answers 354 to a DATA without a recipient, as RFC 2920 §3.1 foresees. ``piece``
    cuts what it sends into pieces of so many bytes. With ``tls`` it speaks TLS from the first byte.
    """

    script: Script = usual
    extensions: tuple[str, ...] = EXTENSIONS
    takes_data: bool = False
    piece: int | None = None
    tls: ssl.SSLContext | None = None
    chunks: list[list[bytes]] = field(default_factory=list)
    kept: list[Mail] = field(default_factory=list)
    port: int = 0
    conversations: "list[_Conversation]" = field(default_factory=list, repr=False)

    async def __aenter__(self) -> "ScriptedServer":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Conversation(self), "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for conversation in self.conversations:
            conversation.transport.abort()
        await self._server.wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def acknowledged(self) -> list[str]:
        """The recipients of the messages it kept and said so."""
        return [mail.recipient for mail in self.kept if mail.is_acknowledged]

    @property
    def recipients(self) -> list[str]:
        """The recipients of the messages it kept."""
        return [mail.recipient for mail in self.kept]

    @property
    def lines(self) -> list[str]:
        """The command lines of all connections. A body counts as one, written "…"."""
        return [line for conversation in self.conversations for line in conversation.lines]

    def client(self, root: Path, **values: object) -> SmtpTransport:
        """A transport to this server."""
        url = f"smtp://127.0.0.1:{self.port}"
        settings = {"url": url, "timeout": 5, "final_timeout": 5, **values}
        return SmtpTransport(SmtpSettings.model_validate(settings), root)


class _Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: ScriptedServer) -> None:
        self.owner = owner
        self.lines: list[str] = []
        self._chunks: list[bytes] = []
        self._buffer = b""
        self._out = b""
        self._is_pumping = self._is_closing = self._is_silent = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._body: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.owner.conversations.append(self)
        self.owner.chunks.append(self._chunks)
        self._answer(self.owner.script("CONNECT", ""), "220 mx.example.org ESMTP")

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._buffer += data
        while self._buffer and not self._is_silent:
            if self._body is not None:
                if not self._take_body():
                    return
            elif b"\r\n" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\r\n")
                self._hear(line.decode())
            else:
                return

    # --- what is heard

    def _hear(self, line: str) -> None:
        self.lines.append(line)
        verb, _, argument = line.partition(" ")
        said = self.owner.script(verb, argument)
        if said is not None:
            is_good = said[:1] in {"2", "3"}
            self._answer(said, "")
            if not is_good:
                return
        method = getattr(self, f"_on_{verb.lower()}", None)
        reply: str = method(argument) if method is not None else "500 5.5.2 What?"
        if said is None:
            self._answer(None, reply)
        if reply.startswith("354"):
            self._body = b""

    def _on_ehlo(self, argument: str) -> str:
        names = ("mx.example.org", *self.owner.extensions)
        return "\r\n".join(f"250{' ' if name is names[-1] else '-'}{name}" for name in names)

    def _on_helo(self, argument: str) -> str:
        return "250 mx.example.org"

    def _on_mail(self, argument: str) -> str:
        if self._sender is not None:
            return "503 5.5.1 Error: nested MAIL command"
        self._sender = _read_address(argument)
        return "250 2.1.0 Ok"

    def _on_rcpt(self, argument: str) -> str:
        if self._sender is None:
            return "503 5.5.1 Error: need MAIL command"
        self._recipients.append(_read_address(argument))
        return "250 2.1.5 Ok"

    def _on_data(self, argument: str) -> str:
        if self._recipients or self.owner.takes_data:
            return "354 End data with <CR><LF>.<CR><LF>"
        return "554 5.5.1 Error: no valid recipients"

    def _on_rset(self, argument: str) -> str:
        self._forget()
        return "250 2.0.0 Ok"

    def _on_quit(self, argument: str) -> Act:
        return Act.close

    def _forget(self) -> None:
        self._sender, self._recipients, self._body = None, [], None

    # --- the message

    def _take_body(self) -> bool:
        """Take what there is of the message; whether it is complete."""
        assert self._body is not None
        if not self._body:
            said = self.owner.script("BODY", "".join(self._recipients))
            if said is not None:
                self._answer(said, "")
                return False
        start = max(0, len(self._body) - 4)
        self._body += self._buffer
        self._buffer = b""
        end = 0 if self._body.startswith(b".\r\n") else self._body.find(b"\r\n.\r\n", start) + 2
        if end == 1:
            return False
        content, self._buffer = self._body[:end], self._body[end + 3 :]
        self.lines.append("…")
        self._end_message(content)
        return True

    def _end_message(self, content: bytes) -> None:
        recipients, sender = self._recipients, self._sender or ""
        self._forget()
        if not recipients:
            self._answer(None, "554 5.5.1 Error: no valid recipients")
            return
        said = self.owner.script(".", recipients[0])
        if said is None or isinstance(said, Act) or said.startswith("2"):
            is_acknowledged = not isinstance(said, Act)
            for recipient in recipients:
                mail = Mail(
                    sender=sender,
                    recipient=recipient,
                    content=unstuff(content),
                    is_acknowledged=is_acknowledged,
                )
                self.owner.kept.append(mail)
        self._answer(said, "250 2.0.0 Ok: queued")

    # --- what is said

    def _answer(self, said: str | Act | None, otherwise: str | Act) -> None:
        match said or otherwise:
            case Act.close:
                self._is_silent = True
                self._close()
            case Act.abort:
                self._is_silent = True
                self.transport.abort()
            case Act.hang:
                self._is_silent = True
            case reply:
                self._write(reply.encode() + b"\r\n")
                if reply.startswith("421"):
                    self._is_silent = True
                    self._close()

    def _write(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.owner.piece is None:
            self.transport.write(data)
            return
        self._out += data
        if not self._is_pumping:
            self._is_pumping = True
            self._pump()

    def _pump(self) -> None:
        if self.transport.is_closing():
            return
        piece, self._out = self._out[: self.owner.piece], self._out[self.owner.piece :]
        self.transport.write(piece)
        if self._out:
            # Late enough for the other side to have read the piece before.
            asyncio.get_running_loop().call_later(0, self._pump)
        else:
            self._is_pumping = False
            if self._is_closing:
                self.transport.close()

    def _close(self) -> None:
        self._is_closing = True
        if not self._is_pumping:
            self.transport.close()


def _read_address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]
