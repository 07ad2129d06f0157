"""Where messages go: what the dispatcher asks of an SMTP relay, of a folder, and of anything else that
takes mail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from mailer.dispatch.replies import Outcome
from mailer.errors import ConfigurationError, MailerError
from mailer.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """One message on its way: who it is from and to, and its bytes (lines end in CRLF, dots not yet
    doubled).
    """

    sender: str
    recipient: str
    payload: bytes

    @property
    def needs_smtputf8(self) -> bool:
        """Whether an address is beyond ASCII (RFC 6531). Domains are A-labels already, so it is the local
        part.
        """
        return not (self.sender.isascii() and self.recipient.isascii())


class ConnectionFailedError(MailerError):
    """No connection could be opened; ``outcome`` says why, and whether to try again or to stop."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.reason)


class Connection(Protocol):
    """An open line that takes one message after another. For one thread at a time."""

    @property
    def is_usable(self) -> bool:
        """Whether it can take another message."""

    def deliver(self, envelope: Envelope, begin: Callable[[], bool]) -> Outcome:
        """Hand over one message. Raises nothing of its own: whatever happens on the line is an outcome.

        ``begin`` is called once, at the last moment at which nothing can have arrived; when it says False, or
        raises, nothing is sent. No message reaches the other side unless ``begin`` has said True.
        """

    def close(self) -> None:
        """End it, politely where possible."""


class Transport(Protocol):
    """A place that messages can be handed to. Safe to share between threads."""

    def connect(self) -> Connection:
        """A new connection.

        Raises:
            ConnectionFailedError: there is none to be had.
        """


def open_transport(settings: Settings, root: Path) -> Transport:
    """The transport ``[smtp] url`` names; a relative path lies under ``root``. Nothing is connected yet.

    Raises:
        ConfigurationError: the address is none this program knows, or the password cannot be read.
    """
    # Here, because both modules need the classes above.
    from mailer.dispatch.maildir import MaildirTransport
    from mailer.dispatch.smtp import SmtpTransport

    url = urlsplit(settings.smtp.url)
    if url.scheme in {"smtp", "smtps"} and url.hostname:
        return SmtpTransport(settings.smtp, root)
    if url.scheme == "maildir" and url.path:
        return MaildirTransport(root / url.path)
    raise ConfigurationError(
        f"[smtp] url = {settings.smtp.url!r} is no address to send to. "
        "Use smtp://host:587, smtps://host:465 or maildir:PATH."
    )
