"""One SMTP connection that keeps the server busy and always knows what may have arrived.

Commands go out ahead of the replies where the server allows it (RFC 2920): the message, its final dot and the
next message's MAIL, RCPT and DATA are one write, so a message costs one round trip. What was written is
remembered as the replies that are owed; they come in order, and the first that is missing tells where in the
dialogue a failure fell.
"""

import asyncio
import re
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from mailer.settings import SmtpSettings
from mailer.smtp.interfaces import Courier, Parcel
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_words, judge_reply
from mailer.smtp.reply_parser import Capabilities, GibberishError, Reply, ReplyReader

_SEND_BUFFER = 256 * 1024
"""Bytes; so that a message of 100 KB and the next envelope leave in one call."""

_LONG = _SEND_BUFFER
"""Bytes from which on a message may be stuck here for longer than it takes to write it."""

_LONGEST_DATA_WAIT = 120.0  # RFC 5321 §4.5.3.2.4
_UNSAFE: Final = re.compile(r"[\x00-\x20<>\x7f-\x9f\u2028\u2029]")
_DOT: Final = b".\r\n"
_ENVELOPE: Final = (Stage.mail, Stage.rcpt, Stage.data)
_NOTHING: Final[tuple[bytes, tuple[Stage, ...]]] = (b"", ())


class SmtpLine(asyncio.Protocol):
    """A connection and its dialogue. :mod:`mailer.smtp.transport` brings it to where messages may go.

    At any moment at most one message is sent, its dot unanswered, and at most one more is offered, its
    envelope on its way without a body.
    """

    def __init__(self, courier: Courier, settings: SmtpSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._courier = courier
        # Read for every message, and a model of pydantic's takes its time to answer.
        self._timeout, self._final_timeout = settings.timeout, settings.final_timeout
        self._wants_pipelining = settings.pipelining
        self._most_messages = settings.messages_per_connection
        self._longest_seconds = 60 * settings.connection_minutes
        self._loop = loop
        self._reader = ReplyReader()
        self._opening: asyncio.Queue[Reply | None] | None = asyncio.Queue()
        self._owed: deque[Stage] = deque()
        self._steps: dict[Stage, Callable[[Reply], None]] = {
            Stage.reset: self._on_reset,
            Stage.mail: self._on_mail,
            Stage.rcpt: self._on_rcpt,
            Stage.data: self._on_data,
            Stage.dot: self._on_dot,
        }
        self._offered: Parcel | None = None
        self._fault: Outcome | None = None
        self._is_begun = False
        self._sent: Parcel | None = None
        self._tail: tuple[bytes, ...] = ()
        self._is_held_up = False
        self._needs_reset = False
        self._taken = 0
        self._deadline = float("inf")
        self._retires_at = float("inf")
        self._is_closing = False
        self._is_quitting = False
        self._is_over = False
        self.transport: asyncio.Transport = _NOWHERE
        self.capabilities = Capabilities()
        self._pipelines = False

    # --- opening: one question after another

    async def ask(self, command: bytes | None) -> Reply | None:
        """Send ``command`` (None: only listen) and wait for the reply; None when the connection ended."""
        assert self._opening is not None  # noqa: S101 - only opening.py calls this
        if command is not None:
            self.transport.write(command + b"\r\n")
        return await self._opening.get()

    @property
    def has_unread(self) -> bool:
        """Whether the server has said more than it was asked for."""
        return not self._reader.is_empty or (self._opening is not None and not self._opening.empty())

    def start(self, capabilities: Capabilities) -> None:
        """The server waits for MAIL. From here on replies go to the dialogue."""
        self.capabilities = capabilities
        self._pipelines = self._wants_pipelining and "PIPELINING" in capabilities
        self._opening = None
        self._retires_at = self._loop.time() + self._longest_seconds

    # --- Line

    def wake(self) -> None:
        if self._offered is not None or self._opening is not None:
            return
        if self._sent is None:
            self._go_on()
        elif self._pipelines and not self._tail and self._may_take():
            self._write(*self._take())

    def close(self) -> None:
        self._is_closing = True
        if self._offered is None and self._sent is None:
            self._quit()

    def abort(self) -> None:
        self._lose("aborted by the mailer")

    def check(self, now: float) -> None:
        if now > self._deadline:
            self._lose("timed out")
        elif now > self._retires_at and self._offered is None and self._sent is None:
            self._quit()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclass of it.
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        # Nagle's algorithm would hold the end of a message back while an acknowledgement is out.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        try:
            replies = self._reader.feed(data)
        except GibberishError as error:
            if self._opening is not None:
                self.transport.abort()
            elif not self._is_over:
                self._lose(str(error))
            return
        for reply in replies:
            if self._is_over:
                return
            if self._opening is not None:
                self._opening.put_nowait(reply)
            else:
                self._hear(reply)
        if replies and not self._is_over:
            self._deadline = self._find_deadline()

    def pause_writing(self) -> None:
        self._is_held_up = True

    def resume_writing(self) -> None:
        self._is_held_up = False
        if self._tail and not self._is_over:
            self._write_tail()

    def eof_received(self) -> None:
        # Left to itself, the transport would go on writing what it holds to a server that answers no more.
        if self._opening is None and not self._is_over:
            self._lose("closed by the server")

    def connection_lost(self, error: Exception | None) -> None:
        if self._opening is not None:
            self._opening.put_nowait(None)
        elif self._is_quitting:
            self._courier.ended(None)
        elif not self._is_over:
            self._lose(clean_words(str(error)) if error else "closed by the server")

    # --- the dialogue

    def _hear(self, reply: Reply) -> None:
        if not self._owed:
            # A server that shuts down says 421 unasked (RFC 5321 §3.8).
            self._lose(_read_words(reply.words) or "closed by the server")
            return
        self._steps[self._owed.popleft()](reply)

    def _find_deadline(self) -> float:
        if not self._owed:
            return float("inf")
        stage, seconds = self._owed[0], self._timeout
        if stage is Stage.dot:
            seconds = self._final_timeout
        elif stage is Stage.data:
            seconds = min(seconds, _LONGEST_DATA_WAIT)
        return self._loop.time() + seconds

    def _on_reset(self, reply: Reply) -> None:
        if reply.code != 250:
            # Whatever envelope the server has now, it is none that we know.
            self._fault = _judge(Stage.reset, reply)
            self._end(self._fault)
        elif not self._pipelines:
            assert self._offered is not None  # noqa: S101 - the reset was for its envelope
            self._write(*self._write_envelope(self._offered))

    def _on_mail(self, reply: Reply) -> None:
        if reply.code != 250:
            self._give_up(_judge(Stage.mail, reply))
        elif not self._pipelines:
            self._write(self._rcpt(), (Stage.rcpt,))

    def _on_rcpt(self, reply: Reply) -> None:
        if self._fault is None and reply.code not in {250, 251, 252}:
            self._give_up(_judge(Stage.rcpt, reply))
        elif not self._pipelines:
            self._write(b"DATA\r\n", (Stage.data,))

    def _give_up(self, fault: Outcome) -> None:
        """The offered message ends with ``fault``, once the replies to the rest of its envelope are in."""
        self._fault = self._fault or fault
        self._needs_reset = True
        if fault.code == 421:
            # The server hangs up; nothing more is to be heard.
            self._end(fault)
        elif not self._pipelines or not self._owed or Stage.data not in self._owed:
            self._drop_offered()

    def _on_data(self, reply: Reply) -> None:
        if self._fault is not None:
            if reply.code != 354:
                self._drop_offered()
            elif self._fault.stage is Stage.rcpt:
                # It wants a message in spite of the refusal: RFC 2920 §3.1 has it get an empty one.
                self._write(_DOT, (Stage.dot,))
            else:
                # It may have taken the recipient. Nothing but the end is sure to deliver nothing.
                self._end(self._fault)
        elif reply.code != 354:
            self._give_up(_judge(Stage.data, reply))
        elif self._is_closing:
            self._leave()
        else:
            assert self._offered is not None  # noqa: S101 - its DATA was answered
            self._is_begun = True
            self._courier.begin(self._offered, self._go)

    def _go(self, may_send: bool) -> None:
        """The ledger has written down that the message may arrive, or refuses it."""
        parcel, self._offered, self._is_begun = self._offered, None, False
        assert parcel is not None  # noqa: S101 - it was offered and is not settled
        if self._is_over:
            if may_send:
                self._courier.settle(
                    parcel, _lost(Stage.data, "the connection was lost before the message was sent")
                )
            return
        if not may_send:
            self._leave()
            return
        self._sent = parcel
        self._owed.append(Stage.dot)
        self._deadline = self._loop.time() + self._final_timeout
        envelope, stages = self._take() if self._pipelines and self._may_take() else _NOTHING
        self._owed.extend(stages)
        if len(parcel.payload) < _LONG:
            self.transport.write(parcel.payload + _DOT + envelope)
        else:
            self._write_long(parcel.payload, _DOT, envelope)

    def _write_long(self, payload: bytes, *tail: bytes) -> None:
        """Write a message that may be held up on its way, and its dot only when it no longer is.

        So a line that is lost before was lost before the dot, and the message cannot have arrived.
        """
        self._tail = tail
        self.transport.write(payload)
        if not self._is_held_up:
            self._write_tail()

    def _write_tail(self) -> None:
        tail, self._tail = self._tail, ()
        self._deadline = self._loop.time() + self._final_timeout
        self.transport.writelines(tail)

    def _on_dot(self, reply: Reply) -> None:
        if self._tail and not 400 <= reply.code <= 599:
            self._owed.appendleft(Stage.dot)
            self._lose("the server replied before the message had ended")
            return
        parcel, self._sent = self._sent, None
        if parcel is None:
            # The lone dot after a refusal; whatever it is answered, nobody gets anything.
            self._drop_offered()
            return
        outcome = _judge(Stage.dot, reply)
        self._courier.settle(parcel, outcome)
        if outcome.reconnect or self._tail:
            self._end(outcome)
        elif self._offered is None:
            self._go_on()

    def _drop_offered(self) -> None:
        """Settle the message whose envelope was refused, and go on."""
        parcel, fault = self._offered, self._fault
        self._offered = self._fault = None
        assert parcel is not None and fault is not None  # noqa: S101, PT018 - the caller saw the refusal
        self._courier.settle(parcel, fault)
        if fault.reconnect:
            self._end(fault)
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Take the next message, or end if the time has come."""
        if self._is_over or self._sent is not None:
            return
        if self._is_closing or self._has_served():
            self._quit()
        elif self._may_take():
            self._write(*self._take())

    # --- envelopes

    def _may_take(self) -> bool:
        return not (self._is_over or self._is_closing or self._opening is not None or self._has_served())

    def _has_served(self) -> bool:
        return self._taken >= self._most_messages or self._loop.time() > self._retires_at

    def _take(self) -> tuple[bytes, tuple[Stage, ...]]:
        """The commands for the next message and what they make the server owe; nothing if there is none."""
        while (parcel := self._courier.take()) is not None:
            if words := self._look_over(parcel):
                refusal = Outcome(verdict=Verdict.failed, stage=Stage.mail, words=words)
                self._courier.settle(parcel, refusal)
                continue
            self._taken += 1
            self._offered, self._fault = parcel, None
            return self._write_envelope(parcel)
        return _NOTHING

    def _write_envelope(self, parcel: Parcel) -> tuple[bytes, tuple[Stage, ...]]:
        mail = b"MAIL FROM:<%b>%b\r\n" % (parcel.sender.encode(), self._options(parcel))
        stages: tuple[Stage, ...] = _ENVELOPE
        if self._needs_reset:
            # After a refusal only: servers count RSET as chatter, and Postfix wants one before a new MAIL.
            self._needs_reset = False
            mail, stages = b"RSET\r\n" + mail, (Stage.reset, *stages)
        if not self._pipelines:
            return mail[: mail.index(b"\n") + 1], stages[:1]
        return mail + self._rcpt() + b"DATA\r\n", stages

    def _rcpt(self) -> bytes:
        assert self._offered is not None  # noqa: S101 - the caller has just offered it
        return b"RCPT TO:<%b>\r\n" % self._offered.recipient.encode()

    def _options(self, parcel: Parcel) -> bytes:
        options = b" SIZE=%d" % len(parcel.payload) if "SIZE" in self.capabilities.offers else b""
        if not parcel.payload.isascii():
            options += b" BODY=8BITMIME"
        if _needs_smtputf8(parcel):
            options += b" SMTPUTF8"
        return options

    def _look_over(self, parcel: Parcel) -> str:
        """Why this message cannot be handed to this server at all, if so. The server is not asked."""
        if _UNSAFE.search(parcel.sender + parcel.recipient):
            return "the address contains characters that an SMTP command cannot carry"
        if "SMTPUTF8" not in self.capabilities.offers and _needs_smtputf8(parcel):
            return "the address needs SMTPUTF8 (RFC 6531), which the mail server does not offer"
        if "8BITMIME" not in self.capabilities.offers and not parcel.payload.isascii():
            return "the message needs 8BITMIME (RFC 6152), which the mail server does not offer"
        return ""

    def _write(self, commands: bytes, stages: tuple[Stage, ...]) -> None:
        if stages:
            if not self._owed:
                self._owed.extend(stages)
                self._deadline = self._find_deadline()
            else:
                self._owed.extend(stages)
            self.transport.write(commands)

    # --- ending

    def _quit(self) -> None:
        """End politely, with nothing in hand."""
        if not self._is_over:
            self._is_over, self._deadline = True, float("inf")
            self._is_quitting = True
            self.transport.write(b"QUIT\r\n")
            # Neither close(), which under TLS waits for the other side, nor at once, before QUIT has left.
            self._loop.call_soon(self.transport.abort)

    def _leave(self) -> None:
        """End while the server waits for a message that must not come.

        A lone dot would deliver an empty message; without one the server throws away what it has.
        """
        self._end(None)

    def _lose(self, words: str) -> None:
        """The line broke, or is given up. Before the final dot nothing can have arrived; after it, nobody
        knows."""
        if not self._is_over:
            stage = self._owed[0] if self._owed else Stage.mail if self._sent is None else Stage.dot
            self._end(_lost(stage, f"connection lost at {stage.value}: {words}"))

    def _end(self, outcome: Outcome | None) -> None:
        self._is_over, self._deadline = True, float("inf")
        self.transport.abort()
        words = outcome.words if outcome else "not sent"
        # About a message behind another the server was asked, but it did not come to answer.
        is_behind = self._sent is not None or outcome is None or outcome.stage is Stage.dot
        reached = Stage.mail if is_behind or outcome is None else outcome.stage
        if self._sent is not None:
            parcel, self._sent = self._sent, None
            self._courier.settle(parcel, self._judge_loss(words))
        if self._offered is not None and not self._is_begun:
            parcel, self._offered = self._offered, None
            self._courier.settle(parcel, self._fault or _lost(reached, words))
        self._courier.ended(outcome)

    def _judge_loss(self, words: str) -> Outcome:
        """What became of the message whose dot was not answered."""
        if self._tail:
            return _lost(Stage.body, "connection lost at body: the message was not sent completely")
        return Outcome(verdict=Verdict.in_doubt, stage=Stage.dot, words=words, reconnect=True)


class _Nowhere(asyncio.Transport):
    """The transport of a line that is not connected yet."""

    def write(self, data: object) -> None:
        """Nobody listens."""

    def abort(self) -> None:
        """There is nothing to end."""

    close = abort


_NOWHERE: Final = _Nowhere()


def _needs_smtputf8(parcel: Parcel) -> bool:
    """Whether an address is beyond ASCII (RFC 6531): its local part, domains are A-labels already."""
    return not (parcel.sender.isascii() and parcel.recipient.isascii())


def _judge(stage: Stage, reply: Reply) -> Outcome:
    return judge_reply(stage, reply.code, _read_words(reply.words))


def _read_words(words: bytes) -> str:
    return clean_words(words.decode("utf-8", "replace"))


def _lost(stage: Stage, words: str) -> Outcome:
    return Outcome(verdict=Verdict.give_back, stage=stage, words=words, reconnect=True)
