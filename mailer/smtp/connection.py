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

from mailer.smtp.errors import MalformedReplyError
from mailer.smtp.interfaces import MessageSource, OutgoingMessage
from mailer.smtp.options import SmtpOptions
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply, clean_reply_text
from mailer.smtp.reply_parser import Capabilities, Reply, ReplyParser

_SEND_BUFFER = 256 * 1024
"""Bytes; so that a message of 100 KB and the next envelope leave in one call."""

_LONG_MESSAGE = _SEND_BUFFER
"""Bytes from which on a message may be stuck here for longer than it takes to write it."""

_MAX_DATA_WAIT = 120.0  # RFC 5321 §4.5.3.2.4
_UNSAFE_IN_COMMAND: Final = re.compile(r"[\x00-\x20<>\x7f-\x9f\u2028\u2029]")
_FINAL_DOT: Final = b".\r\n"
_ENVELOPE_STAGES: Final = (Stage.mail, Stage.rcpt, Stage.data)
_NO_COMMANDS: Final[tuple[bytes, tuple[Stage, ...]]] = (b"", ())


class SmtpConnection(asyncio.Protocol):
    """A connection and its dialogue. :mod:`mailer.smtp.transport` brings it to where messages may go.

    At any moment at most one message is sent, its dot unanswered, and at most one more is offered, its
    envelope on its way without a body.
    """

    def __init__(self, source: MessageSource, options: SmtpOptions, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._options = options
        self._loop = loop
        self._parser = ReplyParser()
        self._opening_replies: asyncio.Queue[Reply | None] | None = asyncio.Queue()
        self._pending_stages: deque[Stage] = deque()
        self._handlers: dict[Stage, Callable[[Reply], None]] = {
            Stage.reset: self._on_reset,
            Stage.mail: self._on_mail,
            Stage.rcpt: self._on_rcpt,
            Stage.data: self._on_data,
            Stage.dot: self._on_dot,
        }
        self._offered: OutgoingMessage | None = None
        self._refusal: Outcome | None = None
        self._is_send_requested = False
        self._unanswered: OutgoingMessage | None = None
        self._unsent_tail: tuple[bytes, ...] = ()
        self._is_write_paused = False
        self._needs_reset = False
        self._message_count = 0
        self._deadline = float("inf")
        self._expires_at = float("inf")
        self._is_closing = False
        self._is_quitting = False
        self._is_closed = False
        self.transport: asyncio.Transport = _NULL_TRANSPORT
        self.capabilities = Capabilities()
        self._pipelines = False

    # --- opening: one question after another

    async def send_command(self, command: bytes | None) -> Reply | None:
        """Send ``command`` (None: only listen) and wait for the reply; None when the connection ended."""
        assert self._opening_replies is not None  # noqa: S101 - only opening.py calls this
        if command is not None:
            self.transport.write(command + b"\r\n")
        return await self._opening_replies.get()

    @property
    def has_unread_data(self) -> bool:
        """Whether the server has said more than it was asked for."""
        return not self._parser.is_empty or (
            self._opening_replies is not None and not self._opening_replies.empty()
        )

    def start_sending(self, capabilities: Capabilities) -> None:
        """The server waits for MAIL. From here on replies go to the dialogue."""
        self.capabilities = capabilities
        self._pipelines = self._options.pipelining and "PIPELINING" in capabilities
        self._opening_replies = None
        self._expires_at = self._loop.time() + self._options.connection_seconds

    # --- Line

    def wake(self) -> None:
        if self._offered is not None or self._opening_replies is not None:
            return
        if self._unanswered is None:
            self._send_next()
        elif self._pipelines and not self._unsent_tail and self._can_take_next():
            self._send_commands(*self._next_envelope())

    def close(self) -> None:
        self._is_closing = True
        if self._offered is None and self._unanswered is None:
            self._quit()

    def abort(self) -> None:
        self._connection_failed("aborted by the mailer")

    def check_timeout(self, now: float) -> None:
        if now > self._deadline:
            self._connection_failed("timed out")
        elif now > self._expires_at and self._offered is None and self._unanswered is None:
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
            replies = self._parser.feed(data)
        except MalformedReplyError as error:
            if self._opening_replies is not None:
                self.transport.abort()
            elif not self._is_closed:
                self._connection_failed(str(error))
            return
        for reply in replies:
            if self._is_closed:
                return
            if self._opening_replies is not None:
                self._opening_replies.put_nowait(reply)
            else:
                self._on_reply(reply)
        if replies and not self._is_closed:
            self._deadline = self._next_deadline()

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        if self._unsent_tail and not self._is_closed:
            self._write_tail()

    def eof_received(self) -> None:
        # Left to itself, the transport would go on writing what it holds to a server that answers no more.
        if self._opening_replies is None and not self._is_closed:
            self._connection_failed("closed by the server")

    def connection_lost(self, error: Exception | None) -> None:
        if self._opening_replies is not None:
            self._opening_replies.put_nowait(None)
        elif self._is_quitting:
            self._source.closed(None)
        elif not self._is_closed:
            self._connection_failed(clean_reply_text(str(error)) if error else "closed by the server")

    # --- the dialogue

    def _on_reply(self, reply: Reply) -> None:
        if not self._pending_stages:
            # A server that shuts down says 421 unasked (RFC 5321 §3.8).
            self._connection_failed(_decode_text(reply.text) or "closed by the server")
            return
        self._handlers[self._pending_stages.popleft()](reply)

    def _next_deadline(self) -> float:
        if not self._pending_stages:
            return float("inf")
        stage, seconds = self._pending_stages[0], self._options.timeout
        if stage is Stage.dot:
            seconds = self._options.final_timeout
        elif stage is Stage.data:
            seconds = min(seconds, _MAX_DATA_WAIT)
        return self._loop.time() + seconds

    def _on_reset(self, reply: Reply) -> None:
        if reply.code != 250:
            # Whatever envelope the server has now, it is none that we know.
            self._refusal = _classify(Stage.reset, reply)
            self._terminate(self._refusal)
        elif not self._pipelines:
            assert self._offered is not None  # noqa: S101 - the reset was for its envelope
            self._send_commands(*self._build_envelope(self._offered))

    def _on_mail(self, reply: Reply) -> None:
        if reply.code != 250:
            self._refuse_offered(_classify(Stage.mail, reply))
        elif not self._pipelines:
            self._send_commands(self._rcpt_command(), (Stage.rcpt,))

    def _on_rcpt(self, reply: Reply) -> None:
        if self._refusal is None and reply.code not in {250, 251, 252}:
            self._refuse_offered(_classify(Stage.rcpt, reply))
        elif not self._pipelines:
            self._send_commands(b"DATA\r\n", (Stage.data,))

    def _refuse_offered(self, fault: Outcome) -> None:
        """The offered message ends with ``fault``, once the replies to the rest of its envelope are in."""
        self._refusal = self._refusal or fault
        self._needs_reset = True
        if fault.code == 421:
            # The server hangs up; nothing more is to be heard.
            self._terminate(fault)
        elif not self._pipelines or not self._pending_stages or Stage.data not in self._pending_stages:
            self._report_refusal()

    def _on_data(self, reply: Reply) -> None:
        if self._refusal is not None:
            if reply.code != 354:
                self._report_refusal()
            elif self._refusal.stage is Stage.rcpt:
                # It wants a message in spite of the refusal: RFC 2920 §3.1 has it get an empty one.
                self._send_commands(_FINAL_DOT, (Stage.dot,))
            else:
                # It may have taken the recipient. Nothing but the end is sure to deliver nothing.
                self._terminate(self._refusal)
        elif reply.code != 354:
            self._refuse_offered(_classify(Stage.data, reply))
        elif self._is_closing:
            self._abandon()
        else:
            assert self._offered is not None  # noqa: S101 - its DATA was answered
            self._is_send_requested = True
            self._source.request_send(self._offered, self._proceed)

    def _proceed(self, may_send: bool) -> None:
        """The ledger has written down that the message may arrive, or refuses it."""
        parcel, self._offered, self._is_send_requested = self._offered, None, False
        assert parcel is not None  # noqa: S101 - it was offered and is not settled
        if self._is_closed:
            if may_send:
                self._source.report(
                    parcel, _lost_outcome(Stage.data, "the connection was lost before the message was sent")
                )
            return
        if not may_send:
            self._abandon()
            return
        self._unanswered = parcel
        self._pending_stages.append(Stage.dot)
        self._deadline = self._loop.time() + self._options.final_timeout
        envelope, stages = (
            self._next_envelope() if self._pipelines and self._can_take_next() else _NO_COMMANDS
        )
        self._pending_stages.extend(stages)
        if len(parcel.payload) < _LONG_MESSAGE:
            self.transport.write(parcel.payload + _FINAL_DOT + envelope)
        else:
            self._write_long(parcel.payload, _FINAL_DOT, envelope)

    def _write_long(self, payload: bytes, *tail: bytes) -> None:
        """Write a message that may be held up on its way, and its dot only when it no longer is.

        So a line that is lost before was lost before the dot, and the message cannot have arrived.
        """
        self._unsent_tail = tail
        self.transport.write(payload)
        if not self._is_write_paused:
            self._write_tail()

    def _write_tail(self) -> None:
        tail, self._unsent_tail = self._unsent_tail, ()
        self._deadline = self._loop.time() + self._options.final_timeout
        self.transport.writelines(tail)

    def _on_dot(self, reply: Reply) -> None:
        if self._unsent_tail and not 400 <= reply.code <= 599:
            self._pending_stages.appendleft(Stage.dot)
            self._connection_failed("the server replied before the message had ended")
            return
        parcel, self._unanswered = self._unanswered, None
        if parcel is None:
            # The lone dot after a refusal; whatever it is answered, nobody gets anything.
            self._report_refusal()
            return
        outcome = _classify(Stage.dot, reply)
        self._source.report(parcel, outcome)
        if outcome.reconnect or self._unsent_tail:
            self._terminate(outcome)
        elif self._offered is None:
            self._send_next()

    def _report_refusal(self) -> None:
        """Settle the message whose envelope was refused, and go on."""
        parcel, fault = self._offered, self._refusal
        self._offered = self._refusal = None
        assert parcel is not None and fault is not None  # noqa: S101, PT018 - the caller saw the refusal
        self._source.report(parcel, fault)
        if fault.reconnect:
            self._terminate(fault)
        else:
            self._send_next()

    def _send_next(self) -> None:
        """Take the next message, or end if the time has come."""
        if self._is_closed or self._unanswered is not None:
            return
        if self._is_closing or self._is_used_up():
            self._quit()
        elif self._can_take_next():
            self._send_commands(*self._next_envelope())

    # --- envelopes

    def _can_take_next(self) -> bool:
        return not (
            self._is_closed or self._is_closing or self._opening_replies is not None or self._is_used_up()
        )

    def _is_used_up(self) -> bool:
        return (
            self._message_count >= self._options.messages_per_connection
            or self._loop.time() > self._expires_at
        )

    def _next_envelope(self) -> tuple[bytes, tuple[Stage, ...]]:
        """The commands for the next message and what they make the server owe; nothing if there is none."""
        while (parcel := self._source.next_message()) is not None:
            if words := self._find_obstacle(parcel):
                refusal = Outcome(verdict=Verdict.failed, stage=Stage.mail, text=words)
                self._source.report(parcel, refusal)
                continue
            self._message_count += 1
            self._offered, self._refusal = parcel, None
            return self._build_envelope(parcel)
        return _NO_COMMANDS

    def _build_envelope(self, parcel: OutgoingMessage) -> tuple[bytes, tuple[Stage, ...]]:
        mail = b"MAIL FROM:<%b>%b\r\n" % (parcel.sender.encode(), self._mail_parameters(parcel))
        stages: tuple[Stage, ...] = _ENVELOPE_STAGES
        if self._needs_reset:
            # After a refusal only: servers count RSET as chatter, and Postfix wants one before a new MAIL.
            self._needs_reset = False
            mail, stages = b"RSET\r\n" + mail, (Stage.reset, *stages)
        if not self._pipelines:
            return mail[: mail.index(b"\n") + 1], stages[:1]
        return mail + self._rcpt_command() + b"DATA\r\n", stages

    def _rcpt_command(self) -> bytes:
        assert self._offered is not None  # noqa: S101 - the caller has just offered it
        return b"RCPT TO:<%b>\r\n" % self._offered.recipient.encode()

    def _mail_parameters(self, parcel: OutgoingMessage) -> bytes:
        options = b" SIZE=%d" % len(parcel.payload) if "SIZE" in self.capabilities.keywords else b""
        if not parcel.payload.isascii():
            options += b" BODY=8BITMIME"
        if _needs_smtputf8(parcel):
            options += b" SMTPUTF8"
        return options

    def _find_obstacle(self, parcel: OutgoingMessage) -> str:
        """Why this message cannot be handed to this server at all, if so. The server is not asked."""
        if _UNSAFE_IN_COMMAND.search(parcel.sender + parcel.recipient):
            return "the address contains characters that an SMTP command cannot carry"
        if "SMTPUTF8" not in self.capabilities.keywords and _needs_smtputf8(parcel):
            return "the address needs SMTPUTF8 (RFC 6531), which the mail server does not offer"
        if "8BITMIME" not in self.capabilities.keywords and not parcel.payload.isascii():
            return "the message needs 8BITMIME (RFC 6152), which the mail server does not offer"
        return ""

    def _send_commands(self, commands: bytes, stages: tuple[Stage, ...]) -> None:
        if stages:
            if not self._pending_stages:
                self._pending_stages.extend(stages)
                self._deadline = self._next_deadline()
            else:
                self._pending_stages.extend(stages)
            self.transport.write(commands)

    # --- ending

    def _quit(self) -> None:
        """End politely, with nothing in hand."""
        if not self._is_closed:
            self._is_closed, self._deadline = True, float("inf")
            self._is_quitting = True
            self.transport.write(b"QUIT\r\n")
            # Neither close(), which under TLS waits for the other side, nor at once, before QUIT has left.
            self._loop.call_soon(self.transport.abort)

    def _abandon(self) -> None:
        """End while the server waits for a message that must not come.

        A lone dot would deliver an empty message; without one the server throws away what it has.
        """
        self._terminate(None)

    def _connection_failed(self, words: str) -> None:
        """The line broke, or is given up. Before the final dot nothing can have arrived; after it, nobody
        knows."""
        if not self._is_closed:
            stage = (
                self._pending_stages[0]
                if self._pending_stages
                else Stage.mail
                if self._unanswered is None
                else Stage.dot
            )
            self._terminate(_lost_outcome(stage, f"connection lost at {stage.value}: {words}"))

    def _terminate(self, outcome: Outcome | None) -> None:
        self._is_closed, self._deadline = True, float("inf")
        self.transport.abort()
        words = outcome.text if outcome else "not sent"
        # About a message behind another the server was asked, but it did not come to answer.
        is_behind = self._unanswered is not None or outcome is None or outcome.stage is Stage.dot
        reached = Stage.mail if is_behind or outcome is None else outcome.stage
        if self._unanswered is not None:
            parcel, self._unanswered = self._unanswered, None
            self._source.report(parcel, self._classify_loss(words))
        if self._offered is not None and not self._is_send_requested:
            parcel, self._offered = self._offered, None
            self._source.report(parcel, self._refusal or _lost_outcome(reached, words))
        self._source.closed(outcome)

    def _classify_loss(self, words: str) -> Outcome:
        """What became of the message whose dot was not answered."""
        if self._unsent_tail:
            return _lost_outcome(Stage.body, "connection lost at body: the message was not sent completely")
        return Outcome(verdict=Verdict.in_doubt, stage=Stage.dot, text=words, reconnect=True)


class _NullTransport(asyncio.Transport):
    """The transport of a line that is not connected yet."""

    def write(self, data: object) -> None:
        """Nobody listens."""

    def abort(self) -> None:
        """There is nothing to end."""

    close = abort


_NULL_TRANSPORT: Final = _NullTransport()


def _needs_smtputf8(parcel: OutgoingMessage) -> bool:
    """Whether an address is beyond ASCII (RFC 6531): its local part, domains are A-labels already."""
    return not (parcel.sender.isascii() and parcel.recipient.isascii())


def _classify(stage: Stage, reply: Reply) -> Outcome:
    return classify_reply(stage, reply.code, _decode_text(reply.text))


def _decode_text(words: bytes) -> str:
    return clean_reply_text(words.decode("utf-8", "replace"))


def _lost_outcome(stage: Stage, words: str) -> Outcome:
    return Outcome(verdict=Verdict.give_back, stage=stage, text=words, reconnect=True)
