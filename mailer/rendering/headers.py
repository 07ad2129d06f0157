"""Writes header fields ourselves, so that the message contains exactly what was meant.

The standard library folds headers again when it writes a message. Python 3.11's folding can let a long
display name add an address to ``To``, and every version turns a ``List-Unsubscribe`` of more than 78
characters into an encoded word, which RFC 2369 does not allow and Gmail does not read.
"""

import binascii
import re
import textwrap
import unicodedata
from collections.abc import Iterator

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


def write_header(name: str, value: str) -> str:
    """The header field as sent, with its line end.

    Raises:
        ValueError: ``value`` would end the line early or start another header, is not ASCII, or has a line
            that is too long.
    """
    if not _FOLDED.fullmatch(value):
        raise ValueError(f"{name}: a line break or a NUL in the value")
    if not value.isascii():
        raise ValueError(f"{name}: not ASCII")
    header = f"{name}: {value}\r\n"
    if any(len(line) > _MAX_LINE for line in header.split("\r\n")):
        raise ValueError(f"{name}: a line of more than {_MAX_LINE} bytes")
    return header


def plain_phrase(text: str) -> str:
    """``text`` on one line with single spaces, without control characters, unpaired surrogates, and
    characters that change the direction of what follows."""
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
    """``name <address>`` for From, To or Reply-To; the name encoded unless it is plain words.

    Raises:
        ValueError: the address would need quoting, or its domain is not in ASCII.
    """
    return format_phrase(plain_phrase(name), address)


def format_phrase(phrase: str, address: str) -> str:
    """Like :func:`format_mailbox`, for a name already processed by :func:`plain_phrase`.

    Raises:
        ValueError: the address would need quoting, or its domain is not in ASCII.
    """
    if not _MAILBOX.fullmatch(address):
        raise ValueError(f"{address!r} cannot be written in a header")
    if not phrase:
        return address
    if _PLAIN_PHRASE.fullmatch(phrase) and len(phrase) <= _PLAIN_WIDTH and len(address) <= _PLAIN_WIDTH:
        return f"{phrase} <{address}>"
    return f"{_encode_words(phrase)}\r\n <{address}>"


def format_text(text: str) -> str:
    """``text`` for Subject: folded at spaces where it is ASCII, encoded by RFC 2047 where it is not."""
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
    """``text`` as encoded words, one per line; no character is split between two (RFC 2047, section 5)."""
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
