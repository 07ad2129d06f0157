"""An SMTP server that keeps every byte and the time of every step, and misbehaves at the step it is told to.

It speaks ESMTP with PIPELINING and, where given a certificate, STARTTLS. A *step* is a reply it is about to
give: the first is the greeting, and they are counted over all connections.
"""

import asyncio
import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong at a step."""

    drop = "drop"
    """The connection ends without a word."""

    farewell = "421"
    """421, and the connection ends."""

    later = "4xx"
    """A refusal for now."""

    never = "5xx"
    """A refusal for good."""

    garbage = "garbage"
    """A line that is no reply."""

    nul = "NUL"
    """A good reply with NULs in its text."""

    lines = "multi-line"
    """A good reply in three lines. No fault, for a client that can read."""

    silence = "silence"
    """No reply, ever."""

    drip = "slow drip"
    """A good reply, one byte at a time. No fault either."""

    long = "endless line"
    """A reply line that does not end within any limit."""


_REPLIES = {
    Fault.farewell: b"421 4.3.2 Going down\r\n",
    Fault.later: b"451 4.3.0 Not now\r\n",
    Fault.never: b"554 5.7.0 Not you\r\n",
    Fault.garbage: b"what? who is there\r\n",
    Fault.long: b"250 " + b"x" * 70_000 + b"\r\n",
}


@dataclass(kw_only=True)
class Mail:
    """One message as it came: ``raw`` is everything from the first byte after 354 to the final dot's line."""

    sender: str
    recipient: str
    began_at: float
    """``time.time()`` when its first byte was read."""

    raw: bytes = b""
    is_kept: bool = False

    @property
    def message_id(self) -> str:
        found = re.search(rb"^Message-ID: *(.*?)\r$", self.raw, re.MULTILINE | re.IGNORECASE)
        assert found, self.raw[:500]
        return found[1].decode()


@dataclass(kw_only=True)
class WireServer:
    """Use it in a ``with``. ``mails`` are all whose body began, kept or not."""

    fault: Fault | None = None
    at: int = 0
    """The step at which ``fault`` happens, once; 0 for never."""

    cut_body_after: int | None = None
    """Drop the connection once, after so many bytes of the ``at``-th message's body."""

    delay: float = 0.0
    """Seconds between a final dot and its reply."""

    tls: ssl.SSLContext | None = None
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    mails: list[Mail] = field(default_factory=list)
    streams: list[bytearray] = field(default_factory=list)
    steps: int = 0
    bodies: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def kept(self) -> list[Mail]:
        return [mail for mail in self.mails if mail.is_kept]

    def message_ids(self) -> list[str]:
        """Of the mails it kept, duplicates included."""
        return [mail.message_id for mail in self.kept]

    def __enter__(self) -> "WireServer":
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
        asyncio.set_event_loop(self._loop)
        factory = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**22)
        server = self._loop.run_until_complete(factory)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Conversation(self, reader, writer).hold()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError, _HungUpError):
            pass
        finally:
            writer.transport.abort()

    def take_step(self) -> Fault | None:
        """The fault of the next step, if it is that one's turn."""
        self.steps += 1
        return self.fault if self.steps == self.at and self.cut_body_after is None else None


class _HungUpError(Exception):
    """This side has ended the connection."""


class _Conversation:
    """One connection."""

    def __init__(self, owner: WireServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.owner, self.reader, self.writer = owner, reader, writer
        self.sender = self.recipient = ""
        self.stream = bytearray()
        owner.streams.append(self.stream)

    async def hold(self) -> None:
        await self.say("220 wire.example.org ESMTP")
        while line := await self.reader.readline():
            self.stream += line
            verb = line.split(None, 1)[0].upper().partition(b":")[0] if line.split() else b""
            rest = line.decode("utf-8", "replace")
            match verb:
                case b"EHLO" | b"HELO":
                    await self.greet()
                case b"STARTTLS":
                    if await self.say("220 2.0.0 Go on"):
                        await self.writer.start_tls(self.owner.tls)  # type: ignore[arg-type]
                        self.is_secure = True
                case b"MAIL":
                    if await self.say("250 2.1.0 OK"):
                        self.sender = _address(rest)
                case b"RCPT":
                    if await self.say("250 2.1.5 OK"):
                        self.recipient = _address(rest)
                case b"DATA":
                    await self.take_data()
                case b"QUIT":
                    await self.say("221 2.0.0 Bye")
                    return
                case b"RSET" | b"NOOP":
                    await self.say("250 2.0.0 OK")
                    self.recipient = "" if verb == b"RSET" else self.recipient
                case _:
                    await self.say("500 5.5.1 What?")

    is_secure = False

    async def greet(self) -> None:
        offered = list(self.owner.extensions)
        if self.owner.tls is not None and not self.is_secure:
            offered.append("STARTTLS")
        names = ["wire.example.org", *offered]
        marks = ["-"] * (len(names) - 1) + [" "]
        await self.say("\r\n".join(f"250{mark}{name}" for mark, name in zip(marks, names, strict=True)))

    async def take_data(self) -> None:
        if not self.recipient:
            await self.say("503 5.5.1 Whom for?")
            return
        if not await self.say("354 Go on"):
            return
        mail = Mail(sender=self.sender, recipient=self.recipient, began_at=0.0)
        self.recipient = ""
        await self.read_body(mail)
        if self.owner.delay:
            await asyncio.sleep(self.owner.delay)
        mail.is_kept = True
        # The mail is kept unless the reply refuses it: what the client does not understand changes nothing.
        mail.is_kept = await self.say("250 2.0.0 kept", refusing=lambda: setattr(mail, "is_kept", False))

    async def read_body(self, mail: Mail) -> None:
        owner = self.owner
        owner.bodies += 1
        limit = owner.cut_body_after if owner.bodies == owner.at else None
        first = await self.reader.readexactly(1)
        mail.began_at = time.time()
        owner.mails.append(mail)
        if limit is not None:
            mail.raw = first + await self.reader.readexactly(max(0, limit - 1))
            self.writer.transport.abort()
            raise _HungUpError
        body = bytearray(first)
        while True:
            line = await self.reader.readline()
            if not line:
                mail.raw = bytes(body)
                raise _HungUpError
            body += line
            if line == b".\r\n" and (body == b".\r\n" or body.endswith(b"\r\n.\r\n")):
                break
        mail.raw = bytes(body)
        self.stream += body

    async def say(self, reply: str, refusing: Callable[[], None] | None = None) -> bool:
        """Give ``reply``, or go wrong; whether the client heard a good one, or may think so."""
        fault = self.owner.take_step()
        good = reply.encode() + b"\r\n"
        match fault:
            case None:
                self.writer.write(good)
            case Fault.drop:
                self.writer.transport.abort()
                raise _HungUpError
            case Fault.silence:
                await self.reader.read(-1)
                raise _HungUpError
            case Fault.nul:
                self.writer.write(good.replace(b" ", b" \0\0", 1))
            case Fault.lines:
                code = good[:3]
                self.writer.write(
                    b"".join([code, b"-one\r\n", code, b"-two\r\n", good.split(b"\r\n")[-2], b"\r\n"])
                )
            case Fault.drip:
                for byte in good:
                    self.writer.write(bytes([byte]))
                    await asyncio.sleep(0.002)
            case Fault.garbage | Fault.long:
                self.writer.write(_REPLIES[fault])
            case _:
                if refusing is not None:
                    refusing()
                self.writer.write(_REPLIES[fault])
        await self.writer.drain()
        if fault is Fault.farewell:
            self.writer.close()
            raise _HungUpError
        return fault not in {Fault.later, Fault.never}


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def undo_dots(raw: bytes) -> bytes:
    """The message of a captured body: without the final dot and the dots that were doubled."""
    assert raw.endswith(b"\r\n.\r\n")
    body = raw[: -len(b".\r\n")]
    return (b"\r\n" + body).replace(b"\r\n.", b"\r\n")[2:]
