"""What connects a sender to a server, a folder or anything else that accepts messages.

A connection pulls. It takes the next message from its source, asks for permission to send it, and reports
how it ended. So the next envelope can be on its way while the server still reads the message before.
"""

from collections.abc import Callable, Hashable
from typing import NamedTuple, Protocol

from mailer.smtp.reply_classifier import Outcome


class SmtpError(Exception):
    """The SMTP client could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])


class MessageFormatError(SmtpError):
    """The message cannot be sent or signed as it is; the error says why."""


class MalformedReplyError(SmtpError):
    """The server sent a line or a reply longer than any server should."""

    def __init__(self) -> None:
        super().__init__("the server's reply is too long")


class DkimKeyError(SmtpError):
    """A DKIM key cannot be used; the error says why."""


class OutgoingMessage(NamedTuple):
    """One message to send: its envelope, and its bytes as :func:`apply_dot_stuffing` returns them. ``key`` is
    the source's own, to tell messages apart. ``envelope_id`` is the name of this message that a server
    repeats when it reports about it (ENVID), "" to ask for nothing special."""

    key: Hashable
    sender: str
    recipient: str
    payload: bytes
    envelope_id: str = ""


class ConnectionFailedError(SmtpError):
    """No connection could be opened; ``outcome`` says why, and whether to try again or to stop."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.reason)


class MessageSource(Protocol):
    """Supplies one connection with messages. All methods are called in the event loop, and must not block."""

    def next_message(self) -> OutgoingMessage | None:
        """Return the next message; None if there is none now. The connection then waits for ``wake``."""

    def write_ahead(self, message: OutgoingMessage, send_message: Callable[[bool], None]) -> None:
        """Record durably that ``message`` may arrive, then call ``send_message`` with True. Until then
        nothing of the message is sent. After False, or without a call, it never is."""

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        """Learn how a message ended: called once for each, except where ``send_message`` got False."""

    def closed(self, outcome: Outcome | None) -> None:
        """Learn that the connection is closed; ``outcome`` says why, None if it was used up or asked to."""


class Connection(Protocol):
    """An open connection that sends one message after another from its source."""

    def wake(self) -> None:
        """Take a message if there is one now."""

    def close(self) -> None:
        """Finish the current message, then close politely; :meth:`MessageSource.closed` follows."""

    def abort(self) -> None:
        """Close immediately. A message that may have arrived is reported as in doubt."""

    def check_timeout(self, now: float) -> None:
        """Close if the server has been silent for too long; ``now`` is the event loop's time."""


class Transport(Protocol):
    async def connect(self, source: MessageSource) -> Connection:
        """Open a connection, which begins to take messages from ``source`` once it is woken. Raise
        ConnectionFailedError if none could be opened.
        """


def apply_dot_stuffing(message: bytes) -> bytes:
    """Return ``message`` as it may follow DATA: dots that begin a line are doubled (RFC 5321 §4.5.2). Raise
    MessageFormatError if a line does not end in CRLF (§2.3.8): a server may take a lone CR or LF for the end
    of the message."""
    lines = message.count(b"\r\n")
    if not message.endswith(b"\r\n") or not message.count(b"\n") == lines == message.count(b"\r"):
        raise MessageFormatError("a line of the message does not end in CRLF (RFC 5321 §2.3.8)")
    doubled = message.replace(b"\r\n.", b"\r\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled


def undo_dot_stuffing(payload: bytes) -> bytes:
    undoubled = payload.replace(b"\r\n..", b"\r\n.")
    return undoubled[1:] if undoubled.startswith(b"..") else undoubled
