"""The headers of a message or of one group of a delivery report."""

import binascii
import re
from base64 import b64decode
from quopri import decodestring

from mailer.feedback.mime.charsets import decode_bytes

_FIELD = re.compile(r"^([!-9;-~]+)[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?\n]*)\?=")
_BETWEEN_WORDS = re.compile(r"(=\?[^?\s]{1,40}\?[bBqQ]\?[^?\n]*\?=)\s+(?==\?)")
_PARAMETER = re.compile(r';\s*([^\s=;*]+)(?:\*\d*\*?)?\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
# Enough for any real message. A message with more is an attack or a log.
_MAX_FIELDS = 2000
_MAX_PARAMETERS = 4096


class Headers:
    """Header fields in their order: (lower-case name, unfolded value with its encoded words)."""

    __slots__ = ("_by_name", "fields")

    def __init__(self, fields: tuple[tuple[str, str], ...] = ()) -> None:
        self.fields = fields
        self._by_name: dict[str, list[str]] = {}
        for name, value in fields:
            if name in self._by_name:
                self._by_name[name].append(value)
            else:
                self._by_name[name] = [value]

    def raw(self, name: str) -> str:
        """Return the first field with the lower-case ``name`` as it was written, "" if there is none."""
        values = self._by_name.get(name)
        return values[0] if values else ""

    def get(self, name: str) -> str:
        """Return the first field with the lower-case ``name``, decoded, "" if there is none."""
        return decode_words(self.raw(name))

    def all(self, name: str) -> tuple[str, ...]:
        """Return every field with the lower-case ``name``, decoded."""
        values = self._by_name.get(name)
        return tuple(map(decode_words, values)) if values else ()

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __bool__(self) -> bool:
        return bool(self.fields)


def parse_headers(block: str) -> Headers:
    """Read the fields of ``block``. Lines that are no header are left out."""
    return make_headers(find_fields(block))


def make_headers(fields: list[tuple[str, str]]) -> Headers:
    """Make headers of fields as they are written."""
    return Headers(
        tuple([(name.lower(), _unfold(value) if "\n" in value else value.rstrip()) for name, value in fields])
    )


def find_fields(block: str) -> list[tuple[str, str]]:
    """Return the fields of ``block`` as they are written: name, and value with its folds."""
    return _FIELD.findall(block)[:_MAX_FIELDS]


def _unfold(value: str) -> str:
    return " ".join([line.strip() for line in value.split("\n")]).strip()


def decode_words(value: str) -> str:
    """Decode the encoded words (RFC 2047) of ``value``; what cannot be decoded stays as it is."""
    if "=?" not in value:
        return value
    return _ENCODED_WORD.sub(_decode_word, _BETWEEN_WORDS.sub(r"\1", value))


def _decode_word(match: re.Match[str]) -> str:
    charset, encoding, text = match.groups()
    try:
        if encoding in "bB":
            content = b64decode(text.encode("ascii", "ignore") + b"==")
        else:
            content = decodestring(text.replace("_", " ").encode("latin-1", "ignore"))
    except (binascii.Error, ValueError):
        return match[0]
    # RFC 2231 allows a language after the charset: =?utf-8*en?…
    return " ".join(decode_bytes(content, charset.partition("*")[0]).split("\n"))


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split such a value as ``text/plain; charset=utf-8`` into its lower-case head and its parameters."""
    value = value[:_MAX_PARAMETERS]
    head, separator, _ = value.partition(";")
    if not separator:
        return head.strip().lower(), {}
    parameters: dict[str, str] = {}
    for match in _PARAMETER.finditer(value):
        name, quoted, plain = match.groups()
        parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain)
    return head.strip().lower(), parameters
