"""One SMTP connection that keeps the server busy and always knows what may have arrived.

Commands go out ahead of the replies where the server allows it (RFC 2920): the message, its final dot and the
next message's MAIL, RCPT and DATA are one write, so a message costs one round trip. The replies still
expected are remembered in order, so the first that is missing tells at which stage the connection failed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from locales.phrase import gettext_noop
from mailer.smtp.auth import AuthSetting, Credentials, read_user
from mailer.smtp.interfaces import MessageSource, OutgoingMessage
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, classify_reply, clean_reply_text
from mailer.smtp.stream import (
    SEND_BUFFER,
    Capabilities,
    Reply,
    SmtpStream,
    find_obstacle,
    write_mail_command,
    write_rcpt_command,
)

_LONG_MESSAGE = SEND_BUFFER
"""In bytes; a message this long may stay in our buffer after it has been written."""

_LOGIN_CODES: Final = frozenset({530, 535})
"""Authentication required, or not valid (RFC 4954 §6)."""

CONNECTION_LOST: Final = "connection lost at"
TIMED_OUT: Final = "timed out"
"""How the words of an outcome begin if the connection was lost, and how they end if the server was silent."""

_MAX_DATA_WAIT = 120.0  # RFC 5321 §4.5.3.2.4
_FINAL_DOT: Final = b".\r\n"
_ENVELOPE_STAGES: Final = (Stage.mail, Stage.rcpt, Stage.data)
_NO_COMMANDS: Final[tuple[bytes, tuple[Stage, ...]]] = (b"", ())
_SMTP_PORT, _SUBMISSION_PORT, _SUBMISSIONS_PORT = 25, 587, 465


@dataclass(frozen=True, kw_only=True)
class SmtpOptions:
    """The options of one server. Times are in seconds.

    ``starttls`` says whether a connection without ``implicit_tls`` must, may or must not be upgraded.
    ``timeout`` is for ordinary replies, ``final_timeout`` for the reply to the final dot (RFC 5321 §4.5.3.2).
    A connection is renewed after ``messages_per_connection`` messages or ``connection_seconds``.
    """

    host: str
    port: int
    implicit_tls: bool = False
    starttls: Literal["require", "if-offered", "never"] = "if-offered"
    credentials: Credentials | None = None
    auth: AuthSetting = "auto"
    pipelining: bool = True
    timeout: float = 300
    final_timeout: float = 600
    messages_per_connection: int = 50
    connection_seconds: float = 300

    @classmethod
    def from_url(cls, url: str, *, credentials: Credentials | None = None, **options: Any) -> Self:
        """Return the options for ``smtp://host:587`` or ``smtps://host:465``; without a port it is 465 for
        ``smtps``, 587 for ``smtp`` with a user, else 25. The user and password in the URL are used unless
        ``credentials`` are given. Raise ValueError if the URL names neither scheme, no host, or an invalid
        port."""
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError(f"{parts.scheme}://{parts.hostname or ''} is not the URL of an SMTP server")
        implicit_tls = parts.scheme == "smtps"
        usual = _SUBMISSIONS_PORT if implicit_tls else _SUBMISSION_PORT if parts.username else _SMTP_PORT
        return cls(
            host=parts.hostname,
            port=parts.port or usual,
            implicit_tls=implicit_tls,
            credentials=credentials or read_user(url),
            **options,
        )

    @property
    def address(self) -> str:
        """Host and port, as shown to people."""
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return self.host in {"127.0.0.1", "localhost", "::1"}

    @property
    def needs_trusted_certificate(self) -> bool:
        """Whether the server's certificate must be valid: for implicit TLS, where STARTTLS is required, and
        whenever a password is sent. Otherwise an unverified one still beats clear text (RFC 7435)."""
        return self.implicit_tls or self.starttls == "require" or self.credentials is not None


class SmtpConnection:
    """One connection and its dialogue, once :mod:`mailer.smtp.transport` has opened its stream. At most one
    message is unanswered (its final dot has no reply yet) and at most one more is offered (its envelope is
    sent, its body is not)."""

    def __init__(
        self,
        source: MessageSource,
        options: SmtpOptions,
        stream: SmtpStream,
        capabilities: Capabilities,
        *,
        token: str = "",
    ) -> None:
        """Begin where the server waits for MAIL; ``token`` is the one that we logged in with."""
        self._source = source
        self._options = options
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._transport = stream.transport
        self.capabilities = capabilities
        self._pipelines = options.pipelining and "PIPELINING" in capabilities
        self._token = token
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
        self._is_written_ahead = False
        self._unanswered: OutgoingMessage | None = None
        self._unsent_tail: tuple[bytes, ...] = ()
        self._is_write_paused = False
        self._needs_reset = False
        self._message_count = 0
        self._deadline = float("inf")
        self._expires_at = self._loop.time() + options.connection_seconds
        self._is_closing = False
        self._is_quitting = False
        self._is_closed = False
        stream.hand_over(self)

    # --- Connection

    def wake(self) -> None:
        if self._offered is not None:
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
        self.connection_failed("aborted by the mailer")

    def check_timeout(self, now: float) -> None:
        if now > self._deadline:
            self.connection_failed(TIMED_OUT)
        elif now > self._expires_at and self._offered is None and self._unanswered is None:
            self._quit()

    # --- ReplyTaker

    def take_replies(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            if self._is_closed:
                return
            self._on_reply(reply)
        if replies and not self._is_closed:
            self._deadline = self._next_deadline()

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        if self._unsent_tail and not self._is_closed:
            self._write_tail()

    def connection_failed(self, words: str) -> None:
        """Handle a connection that broke or is aborted. Before the final dot nothing can have arrived; after
        it, it is not known."""
        if self._is_closed:
            return
        if self._pending_stages:
            stage = self._pending_stages[0]
        else:
            stage = Stage.mail if self._unanswered is None else Stage.dot
        self._terminate(_lost_outcome(stage, f"{CONNECTION_LOST} {stage.value}: {words}"))

    def connection_closed(self, words: str) -> None:
        if self._is_quitting:
            self._source.closed(None)
        else:
            self.connection_failed(words)

    # --- the dialogue

    def _on_reply(self, reply: Reply) -> None:
        if not self._pending_stages:
            # A server that shuts down sends 421 unasked (RFC 5321 §3.8).
            self.connection_failed(_decode_text(reply.text) or "closed by the server")
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
            # We no longer know which envelope the server has.
            self._refusal = _classify(Stage.reset, reply)
            self._terminate(self._refusal)
        elif not self._pipelines:
            assert self._offered is not None  # noqa: S101 - the reset was for its envelope
            self._send_commands(*self._build_envelope(self._offered))

    def _on_mail(self, reply: Reply) -> None:
        if reply.code != 250:
            self._refuse_offered(self._classify_envelope(Stage.mail, reply))
        elif not self._pipelines:
            self._send_commands(self._write_rcpt(), (Stage.rcpt,))

    def _on_rcpt(self, reply: Reply) -> None:
        if self._refusal is None and reply.code not in {250, 251, 252}:
            self._refuse_offered(self._classify_envelope(Stage.rcpt, reply))
        elif not self._pipelines:
            self._send_commands(b"DATA\r\n", (Stage.data,))

    def _classify_envelope(self, stage: Stage, reply: Reply) -> Outcome:
        """Return what a refusal means. "Log in first", in a session opened with a token, says that it has
        ended."""
        outcome = _classify(stage, reply)
        credentials = self._options.credentials
        if not self._token or outcome.code not in _LOGIN_CODES:
            return outcome
        if credentials is not None and credentials.tokens is not None:
            credentials.tokens.refuse(self._token)
        return outcome._replace(verdict=Verdict.give_back, reconnect=True)

    def _refuse_offered(self, fault: Outcome) -> None:
        """End the offered message with ``fault``, once the replies to the rest of its envelope are in."""
        self._refusal = self._refusal or fault
        self._needs_reset = True
        if fault.code == 421:
            # The server closes the connection; no reply will follow.
            self._terminate(fault)
        elif not self._pipelines or not self._pending_stages or Stage.data not in self._pending_stages:
            self._report_refusal()

    def _on_data(self, reply: Reply) -> None:
        if self._refusal is not None:
            self._end_refused_data(self._refusal, reply)
        elif reply.code != 354:
            self._refuse_offered(self._classify_envelope(Stage.data, reply))
        elif self._is_closing:
            self._abandon()
        else:
            assert self._offered is not None  # noqa: S101 - its DATA got a reply
            self._is_written_ahead = True
            self._source.write_ahead(self._offered, self._send_message)

    def _end_refused_data(self, refusal: Outcome, reply: Reply) -> None:
        """Continue after a refusal that came before the reply to DATA, so that nothing is delivered."""
        if reply.code != 354:
            self._report_refusal()
        elif refusal.stage is Stage.rcpt and 400 <= (refusal.code or 0) <= 599:
            # It wants a message despite the refusal, and gets an empty one (RFC 2920 §3.1). Any other reply,
            # such as one that cannot be read, may have accepted the recipient.
            self._send_commands(_FINAL_DOT, (Stage.dot,))
        else:
            # It may have accepted the recipient. Only closing the connection is sure to deliver nothing.
            self._terminate(refusal)

    def _send_message(self, may_send: bool) -> None:
        """Send the message if its source allows it, now that this is recorded."""
        message, self._offered, self._is_written_ahead = self._offered, None, False
        assert message is not None  # noqa: S101 - it was offered and has not ended
        if self._is_closed:
            if may_send:
                self._source.report(
                    message,
                    _lost_outcome(
                        Stage.data, gettext_noop("the connection was lost before the message was sent")
                    ),
                )
            return
        if not may_send:
            self._abandon()
            return
        self._unanswered = message
        self._pending_stages.append(Stage.dot)
        self._deadline = self._loop.time() + self._options.final_timeout
        envelope, stages = _NO_COMMANDS
        if self._pipelines and self._can_take_next():
            envelope, stages = self._next_envelope()
        self._pending_stages.extend(stages)
        if len(message.payload) < _LONG_MESSAGE:
            self._transport.write(message.payload + _FINAL_DOT + envelope)
        else:
            self._write_long(message.payload, _FINAL_DOT, envelope)

    def _write_long(self, payload: bytes, *tail: bytes) -> None:
        """Write a message that may stay in our buffer, and its final dot only once it has left. If the
        connection fails before that, it failed before the dot, and the message cannot have arrived."""
        self._unsent_tail = tail
        self._transport.write(payload)
        if not self._is_write_paused:
            self._write_tail()

    def _write_tail(self) -> None:
        tail, self._unsent_tail = self._unsent_tail, ()
        self._deadline = self._loop.time() + self._options.final_timeout
        self._transport.writelines(tail)

    def _on_dot(self, reply: Reply) -> None:
        if self._unsent_tail and not 400 <= reply.code <= 599:
            self._pending_stages.appendleft(Stage.dot)
            self.connection_failed("the server replied before the message had ended")
            return
        message, self._unanswered = self._unanswered, None
        if message is None:
            # The lone dot after a refusal; whatever the reply, nothing is delivered.
            self._report_refusal()
            return
        outcome = _classify(Stage.dot, reply)
        self._source.report(message, outcome)
        if outcome.reconnect or self._unsent_tail:
            self._terminate(outcome)
        elif self._offered is None:
            self._send_next()

    def _report_refusal(self) -> None:
        """Report the message whose envelope was refused, and continue with the next."""
        message, fault = self._offered, self._refusal
        self._offered = self._refusal = None
        assert message is not None and fault is not None  # noqa: S101, PT018 - the caller saw the refusal
        self._source.report(message, fault)
        if fault.reconnect:
            self._terminate(fault)
        else:
            self._send_next()

    def _send_next(self) -> None:
        if self._is_closed or self._unanswered is not None:
            return
        if self._is_closing or self._is_used_up():
            self._quit()
        elif self._can_take_next():
            self._send_commands(*self._next_envelope())

    # --- envelopes

    def _can_take_next(self) -> bool:
        return not (self._is_closed or self._is_closing or self._is_used_up())

    def _is_used_up(self) -> bool:
        return (
            self._message_count >= self._options.messages_per_connection
            or self._loop.time() > self._expires_at
        )

    def _next_envelope(self) -> tuple[bytes, tuple[Stage, ...]]:
        """Return the commands for the next message and the replies they ask for; nothing if there is none."""
        while (message := self._source.next_message()) is not None:
            if words := find_obstacle(message, self.capabilities):
                refusal = Outcome(verdict=Verdict.failed, stage=Stage.mail, text=words)
                self._source.report(message, refusal)
                continue
            self._message_count += 1
            self._offered, self._refusal = message, None
            return self._build_envelope(message)
        return _NO_COMMANDS

    def _build_envelope(self, message: OutgoingMessage) -> tuple[bytes, tuple[Stage, ...]]:
        mail = write_mail_command(message, self.capabilities)
        stages: tuple[Stage, ...] = _ENVELOPE_STAGES
        if self._needs_reset:
            # Only after a refusal: servers penalise needless RSETs, and Postfix requires one before a new
            # MAIL.
            self._needs_reset = False
            mail, stages = b"RSET\r\n" + mail, (Stage.reset, *stages)
        if not self._pipelines:
            return mail[: mail.index(b"\n") + 1], stages[:1]
        return mail + self._write_rcpt() + b"DATA\r\n", stages

    def _write_rcpt(self) -> bytes:
        assert self._offered is not None  # noqa: S101 - the caller has just offered it
        return write_rcpt_command(self._offered, self.capabilities)

    def _send_commands(self, commands: bytes, stages: tuple[Stage, ...]) -> None:
        if stages:
            if not self._pending_stages:
                self._pending_stages.extend(stages)
                self._deadline = self._next_deadline()
            else:
                self._pending_stages.extend(stages)
            self._transport.write(commands)

    # --- ending

    def _quit(self) -> None:
        """Close politely, when no message is being sent."""
        if not self._is_closed:
            self._is_closed, self._deadline = True, float("inf")
            self._is_quitting = True
            self._stream.quit()

    def _abandon(self) -> None:
        """Close while the server waits for a message that must not be sent: a lone dot would deliver an empty
        message; without one the server discards the envelope."""
        self._terminate(None)

    def _terminate(self, outcome: Outcome | None) -> None:
        self._is_closed, self._deadline = True, float("inf")
        self._transport.abort()
        words, reached = ("not sent", Stage.mail) if outcome is None else (outcome.text, outcome.stage)
        if self._unanswered is not None or reached is Stage.dot:
            # The server was asked about a message behind another one, but did not get to reply.
            reached = Stage.mail
        if self._unanswered is not None:
            message, self._unanswered = self._unanswered, None
            self._source.report(message, self._classify_loss(words))
        if self._offered is not None and not self._is_written_ahead:
            message, self._offered = self._offered, None
            self._source.report(message, self._refusal or _lost_outcome(reached, words))
        self._source.closed(outcome)

    def _classify_loss(self, words: str) -> Outcome:
        """Return how the message ended whose final dot got no reply."""
        if self._unsent_tail:
            return _lost_outcome(
                Stage.body,
                f"{CONNECTION_LOST} body: the message was not sent completely",
            )
        return Outcome(verdict=Verdict.in_doubt, stage=Stage.dot, text=words, reconnect=True)


def _classify(stage: Stage, reply: Reply) -> Outcome:
    return classify_reply(stage, reply.code, _decode_text(reply.text))


def _decode_text(words: bytes) -> str:
    return clean_reply_text(words.decode("utf-8", "replace"))


def _lost_outcome(stage: Stage, words: str) -> Outcome:
    return Outcome(verdict=Verdict.give_back, stage=stage, text=words, reconnect=True)
