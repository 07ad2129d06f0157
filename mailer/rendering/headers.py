"""The headers of a message, and the token that comes back in some of them."""

import binascii
import hashlib
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mailer.settings import FeedbackSettings
from subscribers.tokens import MAIL_TOKEN_LENGTH

_MAX_LINE = 998  # RFC 5322, section 2.1.1, without CRLF
_BYTES_PER_WORD = 45  # 60 characters of base64; with =?utf-8?B? and ?= less than RFC 2047's 75
_PLAIN_WIDTH = 60
# Words that need neither quotes nor encoding in a phrase: RFC 5322 atext, except what looks like an encoded
# word.
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
_PLAIN_TEXT = re.compile(r"[!-~]+(?: [!-~]+)*")
# A mailbox that needs no quoting, as accepted by subscribers.address. Non-ASCII only in the local part.
_MAILBOX = re.compile(r"[^\x00-\x20\x7f\x80-\xa0\"(),:;<>@\[\\\]]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_FOLDED = re.compile(r"[^\r\n\x00]*(?:\r\n [^\r\n\x00]+)*")
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HEX_DIGITS = frozenset("0123456789abcdef")
_OWN = "X-Feedback-Token: {}\r\n"
_OF_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "postmark": "X-PM-Metadata-feedback-token: {}\r\n",
        "mailgun": 'X-Mailgun-Variables: {{"feedback_token": "{}"}}\r\n',
        "sendgrid": 'X-SMTPAPI: {{"unique_args": {{"feedback_token": "{}"}}}}\r\n',
        "brevo": "X-Mailin-custom: {}\r\n",
        "mailjet": "X-MJ-CustomID: {}\r\n",
    }
)
# RFC 9477, section 3.6. The token is hard to forge, as its section 6.2 asks, and the report may leave out all
# other headers.
_OF_COMPLAINTS = "CFBL-Address: {}; report=arf\r\nCFBL-Feedback-ID: {}\r\n"
# A NUL is in no header.
_PLACE = "\0"
_MAX_SENDER_ID = 15
_MIN_SENDER_ID = 5
_DIGEST_DIGITS = 6
_MAX_FIELD = 40
# What separates the fields, and whatever a header would have to encode.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def write_header(name: str, value: str) -> str:
    """Return the header field as sent, with its line end. Raise ValueError if ``value`` would end the line
    early or start another header, is not ASCII, or has a line that is too long."""
    if not _FOLDED.fullmatch(value):
        raise ValueError(f"{name}: a line break or a NUL in the value")
    if not value.isascii():
        raise ValueError(f"{name}: not ASCII")
    header = f"{name}: {value}\r\n"
    if any(len(line) > _MAX_LINE for line in header.split("\r\n")):
        raise ValueError(f"{name}: a line of more than {_MAX_LINE} bytes")
    return header


def plain_phrase(text: str) -> str:
    """Return ``text`` on one line, without control characters, lone surrogates and changes of direction."""
    if text.isprintable():
        # Nothing that is removed below is printable, and most names are.
        return " ".join(text.split())
    kept = (
        " " if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} else character
        for character in text
        if character not in _BIDI_CONTROLS
    )
    return " ".join("".join(kept).split())


def format_mailbox(name: str, address: str) -> str:
    """Return ``name <address>`` for From, To or Reply-To; the name encoded unless it is plain words. Raise
    ValueError if the address would need quoting, or its domain is not in ASCII."""
    return format_phrase(plain_phrase(name), address)


def format_phrase(phrase: str, address: str) -> str:
    """Like :func:`format_mailbox`, for a name already processed by :func:`plain_phrase`."""
    if not _MAILBOX.fullmatch(address):
        raise ValueError(f"{address!r} cannot be written in a header")
    if not phrase:
        return address
    if _PLAIN_PHRASE.fullmatch(phrase) and len(phrase) <= _PLAIN_WIDTH and len(address) <= _PLAIN_WIDTH:
        return f"{phrase} <{address}>"
    return f"{_encode_words(phrase)}\r\n <{address}>"


def format_text(text: str) -> str:
    """Return ``text`` for Subject: folded at spaces where it is ASCII, otherwise encoded by RFC 2047."""
    phrase = plain_phrase(text)
    lines = textwrap.wrap(phrase, _PLAIN_WIDTH, break_long_words=False, break_on_hyphens=False)
    if (
        _PLAIN_TEXT.fullmatch(phrase)
        and "=?" not in phrase
        and all(len(line) <= _PLAIN_WIDTH for line in lines)
    ):
        return "\r\n ".join(lines)
    return _encode_words(phrase)


def _encode_words(text: str) -> str:
    """Return ``text`` as encoded words, one per line, that split no character (RFC 2047, section 5)."""
    if 0 < len(whole := text.encode()) <= _BYTES_PER_WORD:
        # Most names fit in one encoded word.
        return _encode_word(whole)
    return "\r\n ".join(map(_encode_word, _split_words(text)))


def _encode_word(chunk: bytes) -> str:
    return f"=?utf-8?B?{binascii.b2a_base64(chunk, newline=False).decode('ascii')}?="


def _split_words(text: str) -> Iterator[bytes]:
    chunk = b""
    for character in text:
        encoded = character.encode()
        if len(chunk) + len(encoded) > _BYTES_PER_WORD:
            yield chunk
            chunk = b""
        chunk += encoded
    if chunk:
        yield chunk


def split_address(base: str, delimiter: str) -> tuple[str, str]:
    """Return what is around the token in addresses from ``base``: ``("bounce+", "@example.org")``."""
    local_part, _, domain = base.rpartition("@")
    return f"{local_part}{delimiter}", f"@{domain}"


def make_address(base: str, delimiter: str, token: str) -> str:
    """Return ``base`` with ``token`` before its domain."""
    before, after = split_address(base, delimiter)
    return f"{before}{token}{after}"


def find_token(address: str) -> str | None:
    """Return the token at the end of the local part, in lower case and not verified; None if there is none.
    Whatever stands before it is passed over: servers change the case of an address, those that forward put
    their own words before it (SRS, BATV), and the settings may have called the address otherwise."""
    local_part = address.strip().rpartition("@")[0].rstrip('"').lower()
    before, token = local_part[:-MAIL_TOKEN_LENGTH], local_part[-MAIL_TOKEN_LENGTH:]
    if len(token) < MAIL_TOKEN_LENGTH or not _HEX_DIGITS.issuperset(token):
        return None
    # A longer word of letters and digits is somebody else's.
    return None if before[-1:].isalnum() else token


def split_token_headers(feedback: FeedbackSettings) -> tuple[str, ...]:
    """Return the headers, cut where the token stands: ``token.join(...)`` writes them for one message."""
    providers = feedback.webhooks.list_names()
    headers = [_OWN, *(_OF_PROVIDERS[name] for name in providers if name in _OF_PROVIDERS)]
    written = [template.format(_PLACE) for template in headers]
    if feedback.complaint_address:
        written.append(_OF_COMPLAINTS.format(feedback.complaint_address, _PLACE))
    return tuple("".join(written).split(_PLACE))


def write_campaign_fields(edition: str, language: str, domain: str) -> str:
    """Return what follows the campaign's number in its Feedback-ID, the same for all of its readers."""
    return f":e-{_clean(edition)}:l-{_clean(language)}:{make_sender_id(domain)}"


def write_letter_id(kind: str, domain: str) -> str:
    """Return the Feedback-ID of a reader's letter of ``kind``. Two fields are empty, as Gmail allows."""
    return f"letter::k-{_clean(kind)}:{make_sender_id(domain)}"


def make_sender_id(domain: str) -> str:
    """Return the sender's field: the sender's domain, shortened to 15 characters by a digest of all of it."""
    name = _clean(domain.lower()).replace(".", "-")
    if _MIN_SENDER_ID <= len(name) <= _MAX_SENDER_ID:
        return name
    digest = hashlib.sha256(domain.lower().encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{name[: _MAX_SENDER_ID - _DIGEST_DIGITS - 1]}-{digest}"


def _clean(text: str) -> str:
    return _UNSAFE.sub("-", text)[:_MAX_FIELD]
