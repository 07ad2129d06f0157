"""One reader's message, as bytes for SMTP."""

import base64
import binascii
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import quote

from mailer.errors import BuildError, ConfigurationError
from mailer.rendering.compiled import CompiledEdition
from mailer.rendering.headers import MailPolicy, format_mailbox, format_text
from mailer.rendering.personalising import personalise
from mailer.rendering.reader import Reader, message_id
from mailer.settings import Settings
from subscribers.address import normalise_address
from subscribers.errors import AddressError

__all__ = ["build_message", "encode_body", "message_id", "names_survive_folding"]

_POLICY = MailPolicy(linesep="\r\n")
# What To says in a preview for nobody (RFC 5322, appendix A.1.3).
_NOBODY = "undisclosed-recipients:;"
# Bytes that quoted-printable writes as they are: all visible ASCII but "=", and space, tab and line ends.
_UNQUOTED = bytes(byte for byte in range(32, 127) if byte != ord("=")) + b"\t\r\n"


def build_message(compiled: CompiledEdition, reader: Reader, settings: Settings, *, now: datetime) -> bytes:
    """The whole message of ``reader``: multipart/alternative, CRLF throughout, bodies in lines of 76 at most.

    The same arguments give the same bytes.

    Raises:
        BuildError: no message can be made for this reader; the reason is in the words.
        ConfigurationError: the sender's own address or list id cannot be used.
    """
    personal = personalise(compiled, reader)
    message = EmailMessage(policy=_POLICY.clone(utf8=reader.needs_smtputf8))
    try:
        for name, value in _headers(compiled, reader, settings, now):
            message[name] = value
        # "=_" occurs neither in quoted-printable nor in base64, so no body can hold the boundary.
        message["Content-Type"] = (
            f'multipart/alternative; boundary="=_{reader.message_id.strip("<>").partition("@")[0]}"'
        )
        message.attach(_part("plain", personal.text))
        message.attach(_part("html", personal.html))
        return message.as_bytes()
    except (ValueError, UnicodeError) as error:
        raise BuildError(f"{reader.email}: no message can be built: {error}.") from error


def _headers(
    compiled: CompiledEdition, reader: Reader, settings: Settings, now: datetime
) -> list[tuple[str, str]]:
    sender, own_address = settings.sender, sender_address(settings.sender.address)
    reply_to = sender_address(sender.reply_to) if sender.reply_to else ""
    mailbox, token = quote(reply_to or own_address, safe="@"), quote(reader.token, safe="")
    headers = [
        ("From", format_mailbox(compiled.sender_name, own_address)),
        ("To", format_mailbox(reader.name, reader.envelope) if reader.envelope else _NOBODY),
        ("Reply-To", reply_to),
        ("Subject", format_text(compiled.subject)),
        ("Date", format_datetime(now)),
        ("Message-ID", reader.message_id),
        ("MIME-Version", "1.0"),
        # RFC 8058: exactly one https URI that a POST unsubscribes; RFC 2369: in order of preference.
        (
            "List-Unsubscribe",
            f"<{reader.unsubscribe_url}>, <mailto:{mailbox}?subject=unsubscribe%20{token}>",
        ),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("List-Id", f"<{_list_id(settings)}>"),
        ("List-Post", "NO"),
        ("Precedence", "bulk"),
        # Exchange's "no out-of-office, please". Auto-Submitted is for mail that answers mail (RFC 3834).
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
        ("Content-Language", compiled.language),
    ]
    return [(name, value) for name, value in headers if value]


@lru_cache(maxsize=8)
def sender_address(address: str) -> str:
    """One of our own addresses as headers take it, its domain in ASCII.

    Raises:
        ConfigurationError: it is no address, or its local part is not ASCII, which many servers refuse.
    """
    try:
        normalised = normalise_address(address)
    except AddressError as error:
        raise ConfigurationError(f"[sender] {address}: {error}") from error
    if normalised.needs_smtputf8:
        raise ConfigurationError(
            f"[sender] {address}: must be ASCII before the @, or many servers refuse the mail."
        )
    return normalised.envelope


def _list_id(settings: Settings) -> str:
    """The list's name for RFC 2919: never changes, looks like a domain, holds no encoded words."""
    domain = sender_address(settings.sender.address).rpartition("@")[2]
    label = settings.sender.list_id or f"newsletter.{domain}"
    if not label.isascii() or any(character in label for character in "<> \t\r\n") or "." not in label:
        raise ConfigurationError(f"[sender] list_id: {label!r} must look like newsletter.example.org.")
    return label


def _part(subtype: str, body: str) -> EmailMessage:
    encoding, payload = encode_body(body)
    part = EmailMessage(policy=_POLICY)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = encoding
    part.set_payload(payload)
    return part


def encode_body(body: str) -> tuple[str, str]:
    """``body`` for the wire: the encoding that makes it smaller, by name, and its lines of 76 at most.

    Raises:
        ValueError: it holds a NUL, which no mail may.
    """
    if "\0" in body:
        raise ValueError("the body holds a NUL")
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    data = lines.replace("\n", "\r\n").encode()
    escaped = len(data.translate(None, _UNQUOTED))
    # Three characters for an escaped byte, against four for three bytes: about one in six makes them equal.
    if escaped * 6 > len(data):
        return "base64", base64.encodebytes(data).decode("ascii")
    return "quoted-printable", binascii.b2a_qp(data, istext=True).decode("ascii")


def names_survive_folding() -> bool:
    """Whether a display name made to be taken for an address stays a name when others read our message."""
    message = EmailMessage(policy=_POLICY)
    message["To"] = format_mailbox("evil@example.com, " + "x" * 80, "reader@example.org")
    addresses = message_from_bytes(message.as_bytes(), policy=policy.default)["To"].addresses
    return [address.addr_spec for address in addresses] == ["reader@example.org"]
