"""Where messages go: what the dispatcher asks of an SMTP relay, of a folder, and of anything else that
takes mail, and what they ask of it.

An open line pulls: it takes the next message, asks for leave to send it, and says how it ended. So a line
may have the next envelope on its way while the server still reads the message before.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit

from mailer.dispatch.deliveries.claims import Claim
from mailer.errors import BuildError, ConfigurationError, MailerError
from mailer.settings import SmtpSettings
from mailer.smtp.reply_classifier import Outcome


class OutgoingMessage(NamedTuple):
    """One message on its way: whose it is, from and to, and its bytes as :func:`apply_dot_stuffing` leaves
    them."""

    key: Claim
    sender: str
    recipient: str
    payload: bytes


class ConnectionFailedError(MailerError):
    """No connection could be opened; ``outcome`` says why, and whether to try again or to stop."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.reason)


class MessageSource(Protocol):
    """Who feeds one line. Everything is called from the loop's own thread, and returns at once."""

    def next_message(self) -> OutgoingMessage | None:
        """The next message; None when there is none now. The line then waits to be woken."""

    def request_send(self, message: OutgoingMessage, proceed: Callable[[bool], None]) -> None:
        """Write down, durably, that ``parcel`` may arrive; then call ``go`` with True.

        Until then nothing of the message may leave. With False, or without a call, nothing may be sent.
        """

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        """How a parcel ended that was taken. Called once for each, but for one whose ``go`` said False."""

    def closed(self, outcome: Outcome | None) -> None:
        """The line is closed and of no more use; ``outcome`` says why, None if it had served its time."""


class Connection(Protocol):
    """An open line that takes one message after another from its courier."""

    def wake(self) -> None:
        """There may be something to take."""

    def close(self) -> None:
        """Finish the message in hand, then end politely; :meth:`Courier.ended` follows."""

    def abort(self) -> None:
        """End it at once. A message that may have arrived is settled as in doubt."""

    def check_timeout(self, now: float) -> None:
        """End it if the other side has been silent for too long; ``now`` is the loop's time."""


class Transport(Protocol):
    """A place that messages can be handed to."""

    async def connect(self, source: MessageSource) -> Connection:
        """A new line, which begins to take from ``courier`` once it is woken.

        Raises:
            ConnectionFailedError: there is none to be had.
        """


def apply_dot_stuffing(message: bytes) -> bytes:
    """``message`` as it may follow a DATA: every line ends in CRLF, and first dots are doubled.

    What :mod:`mailer.rendering.message` builds is so from the start. (RFC 5321 §2.3.8 and §4.5.2)

    Raises:
        BuildError: a CR or LF stands alone; a server may take it for the end of the message.
    """
    lines = message.count(b"\r\n")
    if not message.endswith(b"\r\n") or not message.count(b"\n") == lines == message.count(b"\r"):
        raise BuildError("a line of the message does not end in CRLF (RFC 5321 §2.3.8)")
    doubled = message.replace(b"\r\n.", b"\r\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled


def undo_dot_stuffing(payload: bytes) -> bytes:
    """What a server keeps of ``payload``: :func:`apply_dot_stuffing` undone."""
    undoubled = payload.replace(b"\r\n..", b"\r\n.")
    return undoubled[1:] if undoubled.startswith(b"..") else undoubled


def make_transport(settings: SmtpSettings, root: Path) -> Transport:
    """The transport that ``settings.url`` names; a relative path lies under ``root``. Nothing is connected.

    Raises:
        ConfigurationError: the address is none this program knows, or the password cannot be read.
    """
    # Here, because both modules need the classes above.
    from mailer.smtp.maildir import MaildirTransport
    from mailer.smtp.transport import SmtpTransport

    url = urlsplit(settings.url)
    if url.scheme in {"smtp", "smtps"} and url.hostname and _has_valid_port(url):
        return SmtpTransport(settings, root)
    if url.scheme == "maildir" and url.path:
        return MaildirTransport(root / url.path)
    # Before an @ there may be a password.
    shown = f"{url.scheme}://…@{settings.url.rpartition('@')[2]}" if "@" in settings.url else settings.url
    raise ConfigurationError(
        f"[smtp] url = {shown!r} is not a relay address. "
        "Use smtp://host:587, smtps://host:465 or maildir:PATH."
    )


def _has_valid_port(url: SplitResult) -> bool:
    """Whether what stands behind the colon, if anything does, is a port."""
    try:
        return url.port is None or url.port > 0
    except ValueError:
        return False
