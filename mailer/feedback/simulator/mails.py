"""A mail that the simulator took, and one that comes back: the values between its parts."""

from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class AcceptedMail:
    """A mail to one recipient, as the server took it at the moment ``at``.

    ``sender`` and ``recipient`` are those of the envelope; ``sender`` is "" for a mail that must not be
    answered. ``envelope_id`` is its ENVID (RFC 3461), "" if it has none. With ``returns_headers_only`` a
    bounce must not contain its body (``RET=HDRS``).
    """

    sender: str
    recipient: str
    content: bytes
    at: datetime
    envelope_id: str = ""
    returns_headers_only: bool = False

    @cached_property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return BytesParser(EmailMessage, policy=policy.default).parsebytes(self.content)

    def header(self, name: str) -> str:
        """The value of a header on one line, "" if there is none."""
        return " ".join(str(self.message.get(name, "")).split())

    @property
    def header_block(self) -> bytes:
        """The headers as they were sent, with the line break that ends the last."""
        return self.content.partition(b"\r\n\r\n")[0] + b"\r\n"


@dataclass(frozen=True, kw_only=True)
class ReturnedMail:
    """A mail that comes back: its envelope (``sender`` is "" for reports) and its bytes, with CRLF."""

    sender: str
    recipient: str
    content: bytes
