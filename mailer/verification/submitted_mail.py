"""Takes apart what somebody submits: one mail, or one with others in it. Never fails, whatever the bytes are.

A mail that was passed on as an attachment is whole inside the other. One that was passed on in the text is
not: only its words and links are left.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from quopri import decodestring

from mailer.feedback.mime_headers import decode_bytes, decode_words, read_mailbox
from mailer.feedback.mime_part import MimePart, parse_message
from mailer.verification.answer import Obstacle
from mailer.verification.word_stream import Token, read_html_tokens, read_text_tokens

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TNEF_MAGIC = b"\x78\x9f\x3e\x22"
_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_ENCRYPTED_TYPES = frozenset(
    {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"}
)
_ENCLOSED_TYPES = ("message/rfc822", "message/global", "text/rfc822")
# What belongs to a mail's text, or is added by programs on the way, is no attachment.
_HARMLESS_TYPES = ("text/plain", "text/html", "multipart/", "message/", "image/", "text/rfc822")
_SIGNATURE_TYPES = frozenset({"application/pkcs7-signature", "application/pgp-signature"})
_FIELD = re.compile(rb"^[A-Za-z][!-9;-~]{1,70}[ \t]*:", re.MULTILINE)
_BASE64_NOISE = re.compile(rb"[^A-Za-z0-9+/]")
_MAX_MAILS = 12
_MAX_DEPTH = 4
MAX_PART_BYTES = 512 * 1024
"""Of one part, decoded. An edition has 100 kB; what a program makes of it when it is passed on, several times
as many."""


@dataclass(frozen=True, eq=False)
class SubmittedMail:
    """One mail: its ``part``, its bytes, and whether it stood inside another one."""

    part: MimePart
    source: bytes
    is_enclosed: bool = False

    @cached_property
    def tokens(self) -> tuple[tuple[Token, ...], ...]:
        """The words and links of each text part, in order."""
        streams = []
        for part in self._list_text_parts():
            text = decode_bytes(decode_part(part)[:MAX_PART_BYTES], part.parameters.get("charset", ""))
            read = read_html_tokens if part.content_type == "text/html" else read_text_tokens
            streams.append(tuple(read(text)))
        return tuple(streams)

    @cached_property
    def searchable_text(self) -> str:
        """Everything that the text parts say, with markup, for the search of marks."""
        pieces = []
        for part in self._list_text_parts():
            text = decode_bytes(decode_part(part)[:MAX_PART_BYTES], part.parameters.get("charset", ""))
            pieces.append(text)
        return "\n".join(pieces)

    @cached_property
    def is_too_long(self) -> bool:
        """Whether a text part is longer than what is read of it."""
        return any(len(decode_part(part)) > MAX_PART_BYTES for part in self._list_text_parts())

    @property
    def sender(self) -> str:
        """The address in From, in small letters. With several From headers or addresses, "" is returned."""
        values = self.part.headers.all("from")
        if len(values) != 1 or (values[0].count("@") > 1 and "," in values[0]):
            return ""
        return read_mailbox(values[0]).lower()

    @property
    def sender_text(self) -> str:
        """Every From header as it is shown."""
        return ", ".join(self.part.headers.all("from"))

    @property
    def reply_addresses(self) -> tuple[str, ...]:
        return tuple(read_mailbox(value).lower() for value in self.part.headers.all("reply-to"))

    @property
    def subject(self) -> str:
        return " ".join(decode_words(self.part.headers.raw("subject")).split())

    @property
    def has_attachments(self) -> bool:
        """Whether it has a part that is neither text, a picture nor another mail."""
        return any(
            not part.content_type.startswith(_HARMLESS_TYPES) and part.content_type not in _SIGNATURE_TYPES
            for part in self.part.walk()
        )

    @property
    def obstacle(self) -> Obstacle | None:
        """Why it cannot be read, if so."""
        kinds = {part.content_type for part in self.part.walk()}
        if kinds & _ENCRYPTED_TYPES:
            return Obstacle.encrypted
        if kinds & _TNEF_TYPES and not any(self.tokens):
            return Obstacle.winmail
        return None

    def _list_text_parts(self) -> list[MimePart]:
        return [part for part in self.part.walk() if part.is_text]


def read_submission(source: bytes) -> tuple[SubmittedMail, ...] | Obstacle:
    """Return the mails in ``source``, the outer one first; or why there are none."""
    if source.startswith(_OLE_MAGIC):
        return Obstacle.outlook_file
    if source.startswith(_TNEF_MAGIC):
        return Obstacle.winmail
    if len(_FIELD.findall(source[:20_000])) < 2:
        return Obstacle.no_mail
    return tuple(_list_mails(source))


def _list_mails(source: bytes) -> Iterator[SubmittedMail]:
    waiting = [(source, 0)]
    budget = _MAX_MAILS
    while waiting and budget:
        raw, depth = waiting.pop(0)
        budget -= 1
        part = parse_message(raw)
        yield SubmittedMail(part, raw, is_enclosed=depth > 0)
        if depth < _MAX_DEPTH:
            waiting += [(decode_part(inner), depth + 1) for inner in part.walk() if _is_mail(inner)]


def _is_mail(part: MimePart) -> bool:
    """Whether a part is another mail. Some programs send one as a file of no particular kind."""
    if part.content_type.startswith(_ENCLOSED_TYPES):
        return True
    name = part.parameters.get("name", "") + part.headers.get("content-disposition")
    return part.content_type.startswith("application/") and ".eml" in name.lower()


def decode_part(part: MimePart) -> bytes:
    """Return the whole content of a part, undone of its transfer encoding."""
    encoding = part.headers.raw("content-transfer-encoding").strip().strip("\"'").lower()
    if encoding == "base64":
        letters = _BASE64_NOISE.sub(b"", part.body)
        return b64decode(letters[: len(letters) // 4 * 4] + _pad(letters))
    if encoding == "quoted-printable":
        return decodestring(part.body)
    return part.body


def _pad(letters: bytes) -> bytes:
    """Return the last, incomplete group of base64, filled up; b"" if there is none or it is no group."""
    rest = letters[len(letters) // 4 * 4 :]
    return rest.ljust(4, b"=") if len(rest) >= 2 else b""
