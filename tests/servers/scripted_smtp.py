# ruff: noqa: ARG002 - every command is called with its argument
"""An SMTP server that keeps every byte it reads and misbehaves by a script, or at the step it is told to.

It is as strict as Postfix where that matters to a client that sends ahead: a MAIL inside a transaction is
refused, and so is a DATA without a recipient. It runs in the client's own event loop (``async with``) or in a
thread of its own (``with``).
"""

import asyncio
import base64
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from mailer.dispatch.sending_settings import make_smtp_options
from mailer.settings import SmtpSettings
from mailer.smtp.transport import SmtpTransport

EXTENSIONS: Final = ("PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class Act(StrEnum):
    """What a server does instead of replying."""

    close = "close"
    """It closes the connection cleanly."""

    abort = "abort"
    """It resets the connection."""

    hang = "hang"
    """It never replies again."""


class Fault(StrEnum):
    """What goes wrong with one reply."""

    drop = "drop"
    """The connection is reset instead."""

    shutdown = "421"
    """421, and the connection ends."""

    later = "4xx"
    """A temporary refusal."""

    never = "5xx"
    """A permanent refusal."""

    garbage = "garbage"
    """A line that is not a reply."""

    nul = "NUL"
    """A good reply with NULs in its text."""

    lines = "multi-line"
    """A good reply in three lines. Harmless to a correct client."""

    silence = "silence"
    """No reply, ever."""

    drip = "slow drip"
    """A good reply, one byte at a time. Also harmless."""

    long = "endless line"
    """A reply line longer than any limit."""


_REFUSALS: Final = {Fault.shutdown, Fault.later, Fault.never}
_LINES: Final = {
    Fault.shutdown: "421 4.3.2 Going down",
    Fault.later: "451 4.3.0 Not now",
    Fault.never: "554 5.7.0 Not you",
    Fault.garbage: "what? who is there",
    Fault.long: "250 " + "x" * 70_000,
}
_DRIP_SECONDS: Final = 0.002

Script = Callable[[str, str], str | Act | None]
"""The answer to a verb and its argument, None for the usual one.

Verbs are those of SMTP, and CONNECT (before the greeting), BODY (the first piece of a message) and "." (its
end); the argument of those two is the recipient. At "." an answer of 2xx keeps the message, and so does an
:class:`Act`, which does not acknowledge it.
"""


def usual(verb: str, argument: str) -> str | Act | None:
    """The script of a server that behaves."""
    return None


def answering(*answers: tuple[str, str, str | Act]) -> Script:
    """A script of (verb, part of its argument, answer)."""

    def script(verb: str, argument: str) -> str | Act | None:
        return next((say for named, part, say in answers if named == verb and part in argument), None)

    return script


@dataclass(kw_only=True, eq=False)
class Mail:
    """A message whose body began, kept or not."""

    sender: str
    recipient: str
    began_at: float
    """``time.time()`` when its first byte was read."""

    raw: bytes = b""
    """Everything after 354, with the final dot's line where it came that far."""

    is_kept: bool = False
    is_acknowledged: bool = False

    @property
    def content(self) -> bytes:
        """The message of a complete body: no final dot, and no dot before a line (RFC 5321 §4.5.2)."""
        assert (b"\r\n" + self.raw).endswith(b"\r\n.\r\n")
        body = b"\r\n" + self.raw[: -len(b".\r\n")]
        return body.replace(b"\r\n.", b"\r\n")[len(b"\r\n") :]

    @property
    def message_id(self) -> str:
        found = re.search(rb"^Message-ID: *(.*?)\r$", self.raw, re.MULTILINE | re.IGNORECASE)
        assert found, self.raw[:500]
        return found[1].decode()


@dataclass(eq=False)
class ScriptedServer:
    """``mails`` are all whose body began; ``chunks`` are the pieces read, by connection.

    With ``takes_data`` it answers 354 to a DATA without a recipient, as RFC 2920 §3.1 foresees. ``piece``
    cuts what it sends into pieces of that many bytes. With ``tls`` it speaks TLS from the first byte.
    """

    script: Script = usual
    extensions: tuple[str, ...] = EXTENSIONS
    takes_data: bool = False
    piece: int | None = None
    tls: ssl.SSLContext | None = None
    fault: Fault | None = None
    at: int = 0
    """The step at which ``fault`` happens, once; 0 for never. A *step* is a reply: the greeting is the first,
    and they are counted over all connections.
    """

    cut_body_after: int | None = None
    """Reset the connection once, after this many bytes of the ``at``-th body, instead of a fault."""

    delay: float = 0.0
    """Seconds between a final dot and its reply."""

    accepts_token: Callable[[str], bool] | None = None
    """Who may send: after AUTH with a token for which this holds (XOAUTH2, OAUTHBEARER). By default, all."""

    checks_sessions: bool = False
    """Whether a token that has ended ends the sessions it opened, too, at their next MAIL."""

    logins: list[tuple[str, str, str]] = field(default_factory=list)
    """The mechanism, user and token of every attempt to log in."""

    steps: int = 0
    bodies: int = 0
    port: int = 0
    chunks: list[list[bytes]] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    conversations: "list[_Conversation]" = field(default_factory=list, repr=False)

    async def __aenter__(self) -> "ScriptedServer":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Conversation(self), "127.0.0.1", self.port, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for conversation in self.conversations:
            conversation.transport.abort()
        await self._server.wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)

    def __enter__(self) -> "ScriptedServer":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.__aenter__(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.__aexit__(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def kept(self) -> list[Mail]:
        return [mail for mail in self.mails if mail.is_kept]

    @property
    def acknowledged(self) -> list[str]:
        """The recipients of the messages it kept and acknowledged."""
        return [mail.recipient for mail in self.mails if mail.is_acknowledged]

    @property
    def recipients(self) -> list[str]:
        """The recipients of the messages it kept."""
        return [mail.recipient for mail in self.kept]

    def message_ids(self) -> list[str]:
        """Of the messages it kept, duplicates included."""
        return [mail.message_id for mail in self.kept]

    @property
    def streams(self) -> list[bytes]:
        """Every byte it read, by connection."""
        return [b"".join(chunks) for chunks in self.chunks]

    @property
    def lines(self) -> list[str]:
        """The command lines of all connections. A body counts as one, written "…"."""
        return [line for conversation in self.conversations for line in conversation.lines]

    def client(self, root: Path, **values: object) -> SmtpTransport:
        """A transport to this server."""
        settings = {"url": self.url, "timeout": 5, "final_timeout": 5, **values}
        return SmtpTransport(make_smtp_options(SmtpSettings.model_validate(settings), root))

    def take_step(self) -> Fault | None:
        """The fault of the next step, if it is due."""
        self.steps += 1
        return self.fault if self.steps == self.at and self.cut_body_after is None else None

    def take_body(self) -> int | None:
        """After how many bytes of the next body to reset the connection, None to read all of it."""
        self.bodies += 1
        return self.cut_body_after if self.bodies == self.at else None


class _Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: ScriptedServer) -> None:
        self.owner = owner
        self.lines: list[str] = []
        self._chunks: list[bytes] = []
        self._buffer = b""
        self._out = b""
        self._pause = 0.0
        self._is_pumping = self._is_closing = self._is_silent = self._is_waiting = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._body: bytes | None = None
        self._cut_after: int | None = None
        self._mails: list[Mail] = []
        self._token = ""
        self._awaits = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.owner.conversations.append(self)
        self.owner.chunks.append(self._chunks)
        self._answer(self.owner.script("CONNECT", ""), "220 mx.example.org ESMTP", self.owner.take_step())

    def connection_lost(self, exc: Exception | None) -> None:
        self._save_body(self._body or b"")

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._buffer += data
        self._read()

    def _read(self) -> None:
        while self._buffer and not self._is_silent and not self._is_waiting:
            if self._body is not None:
                if not self._take_body():
                    return
            elif b"\r\n" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\r\n")
                self._on_line(line.decode("utf-8", "replace"))
            else:
                return

    # --- commands

    def _on_line(self, line: str) -> None:
        self.lines.append(line)
        if self._awaits:
            mechanism, self._awaits = self._awaits, ""
            # After a refusal, the client says that it has read the reason.
            self._say(
                "535 5.7.3 Authentication unsuccessful"
                if mechanism == "refused"
                else self._log_in(mechanism, line)
            )
            return
        verb, _, argument = line.partition(" ")
        said = self.owner.script(verb, argument)
        fault = self.owner.take_step()
        if said is not None and said[:1] not in {"2", "3"}:
            self._answer(said, "", fault)
            return
        if said is None and fault in _REFUSALS:
            self._answer(None, "", fault)
            return
        method = getattr(self, f"_on_{verb.lower()}", None)
        reply: str = method(argument) if method is not None else "500 5.5.2 What?"
        self._answer(said, reply, fault)
        if reply.startswith("354"):
            self._body = b""
        elif verb == "QUIT":
            self._is_silent = True
            self._close()

    def _on_ehlo(self, argument: str) -> str:
        names = ("mx.example.org", *self.owner.extensions)
        return "\r\n".join(f"250{' ' if name is names[-1] else '-'}{name}" for name in names)

    def _on_helo(self, argument: str) -> str:
        return "250 mx.example.org"

    def _on_auth(self, argument: str) -> str:
        if self.owner.accepts_token is None:
            return "500 5.5.2 What?"
        mechanism, _, response = argument.partition(" ")
        if not response:
            self._awaits = mechanism
            return "334 "
        return self._log_in(mechanism, response)

    def _log_in(self, mechanism: str, response: str) -> str:
        said = base64.b64decode(response).decode()
        found = re.search(r"(?:user|a)=([^\x01,]*).*auth=Bearer ([^\x01]*)", said)
        assert found, said
        self.owner.logins.append((mechanism, found[1], found[2]))
        if self.owner.accepts_token is not None and self.owner.accepts_token(found[2]):
            self._token = found[2]
            return "235 2.7.0 Authentication successful"
        self._awaits = "refused"
        return "334 " + base64.b64encode(b'{"status":"400","schemes":"Bearer"}').decode()

    def _may_send(self) -> bool:
        accepts = self.owner.accepts_token
        if accepts is None:
            return True
        return self._token != "" and (not self.owner.checks_sessions or accepts(self._token))

    def _on_mail(self, argument: str) -> str:
        if not self._may_send():
            return "530 5.7.57 Client not authenticated to send mail"
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

    def _on_noop(self, argument: str) -> str:
        return "250 2.0.0 Ok"

    def _on_quit(self, argument: str) -> str:
        return "221 2.0.0 Bye"

    def _forget(self) -> None:
        self._sender, self._recipients, self._body, self._mails = None, [], None, []

    # --- the message

    def _take_body(self) -> bool:
        """Read what has arrived of the message; return whether it is complete."""
        assert self._body is not None
        if not self._body:
            said = self.owner.script("BODY", "".join(self._recipients))
            if said is not None:
                self._answer(said, "", None)
                return False
            self._begin_body()
        start = max(0, len(self._body) - 4)
        self._body += self._buffer
        self._buffer = b""
        if self._cut_after is not None and len(self._body) >= self._cut_after:
            self._body = self._body[: self._cut_after]
            self._is_silent = True
            self.transport.abort()
            return False
        end = 0 if self._body.startswith(b".\r\n") else self._body.find(b"\r\n.\r\n", start) + 2
        if end == 1:
            return False
        raw, self._buffer = self._body[: end + 3], self._body[end + 3 :]
        self.lines.append("…")
        self._save_body(raw)
        if self.owner.delay:
            self._is_waiting = True
            asyncio.get_running_loop().call_later(self.owner.delay, self._end_delayed_message)
        else:
            self._end_message()
        return True

    def _begin_body(self) -> None:
        self._cut_after = self.owner.take_body()
        now = time.time()
        self._mails = [
            Mail(sender=self._sender or "", recipient=recipient, began_at=now)
            for recipient in self._recipients
        ]
        self.owner.mails += self._mails

    def _save_body(self, raw: bytes) -> None:
        for mail in self._mails:
            mail.raw = raw

    def _end_delayed_message(self) -> None:
        self._is_waiting = False
        self._end_message()
        self._read()

    def _end_message(self) -> None:
        mails = self._mails
        self._forget()
        said = self.owner.script(".", mails[0].recipient) if mails else "554 5.5.1 Error: no valid recipients"
        fault = self.owner.take_step()
        is_kept = fault not in _REFUSALS if said is None else isinstance(said, Act) or said.startswith("2")
        for mail in mails:
            mail.is_kept = is_kept
            mail.is_acknowledged = is_kept and not isinstance(said, Act) and fault is None
        self._answer(said, "250 2.0.0 Ok: queued", fault)

    # --- replies

    def _answer(self, said: str | Act | None, otherwise: str, fault: Fault | None) -> None:
        """Reply as the script says, otherwise with ``fault`` if it is due, otherwise as usual."""
        match said:
            case Act():
                self._act(said)
            case None if fault is not None:
                self._fail(fault, otherwise)
            case _:
                self._say(said or otherwise)

    def _act(self, act: Act) -> None:
        self._is_silent = True
        match act:
            case Act.close:
                self._close()
            case Act.abort:
                self.transport.abort()
            case Act.hang:
                pass

    def _fail(self, fault: Fault, reply: str) -> None:
        match fault:
            case Fault.drop:
                self._act(Act.abort)
            case Fault.silence:
                self._act(Act.hang)
            case Fault.nul:
                self._say(reply.replace(" ", " \0\0", 1))
            case Fault.lines:
                code, last = reply[:3], reply.rpartition("\r\n")[2]
                self._say(f"{code}-one\r\n{code}-two\r\n{last}")
            case Fault.drip:
                self._say(reply, pause=_DRIP_SECONDS)
            case _:
                self._say(_LINES[fault])

    def _say(self, reply: str, *, pause: float = 0.0) -> None:
        self._write(reply.encode() + b"\r\n", pause)
        if reply.startswith("421"):
            self._is_silent = True
            self._close()

    def _write(self, data: bytes, pause: float) -> None:
        if self.transport.is_closing():
            return
        if self.owner.piece is None and not pause and not self._is_pumping:
            self.transport.write(data)
            return
        self._out += data
        self._pause = max(self._pause, pause)
        if not self._is_pumping:
            self._is_pumping = True
            self._pump()

    def _pump(self) -> None:
        if self.transport.is_closing():
            return
        size = self.owner.piece or (1 if self._pause else len(self._out))
        piece, self._out = self._out[:size], self._out[size:]
        self.transport.write(piece)
        if self._out:
            # Long enough for the other side to have read the previous piece.
            asyncio.get_running_loop().call_later(self._pause, self._pump)
        else:
            self._is_pumping, self._pause = False, 0.0
            if self._is_closing:
                self.transport.close()

    def _close(self) -> None:
        self._is_closing = True
        if not self._is_pumping:
            self.transport.close()


def _read_address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]
