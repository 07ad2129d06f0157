"""The headers of a message, their addresses, and text in any charset."""

import binascii
import codecs
import re
from base64 import b64decode
from email.utils import parseaddr
from quopri import decodestring

# Some programs name a charset that no codec has, or name an 8-bit text as ASCII.
_FALLBACK = "windows-1252"
# These decode bytes into something other than the text of a mail, and two of them can make surrogates.
_NOT_CHARSETS = frozenset(
    {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "mbcs", "oem"}
)
# A database column of text takes no NUL, and no program can print a lone surrogate.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CONTROLS = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\n\r")
_FIELD = re.compile(r"^([!-9;-~]+)[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?\n]*)\?=")
_BETWEEN_WORDS = re.compile(r"(=\?[^?\s]{1,40}\?[bBqQ]\?[^?\n]*\?=)\s+(?==\?)")
_PARAMETER = re.compile(r';\s*([^\s=;*]+)(?:\*\d*\*?)?\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
# Enough for any real message. A message with more is an attack or a log.
_MAX_FIELDS = 2000
_MAX_PARAMETERS = 4096
_ADDRESS = re.compile(
    r'"[^"\n]{1,64}"@[^\s<>,;:"()\[\]]{1,255}|[^\s<>,;:"()\[\]]{1,255}@[^\s<>,;:"()\[\]]{1,255}'
)
# What most fields are: one address, perhaps after a name. It saves the search above.
_SIMPLE = re.compile(
    r'(?:[^<>"@,;:()]*<|"[^"<>@]*" *<)?([^\s<>,;:"()\[\]@]{1,255}@[^\s<>,;:"()\[\]@]{1,255})>?'
)
# A field with more is a mailing list or an attack.
_MAX_FIELD = 64 * 1024


def decode_bytes(content: bytes, charset: str = "") -> str:
    """Decode ``content``. A wrong, missing or unknown ``charset`` costs at most some characters.

    ISO-2022-JP is recognised by its escape sequences, because old Japanese servers seldom declare it.
    """
    if content.isascii() and b"\x1b" not in content and charset[:3].lower() != "utf":
        return content.translate(None, _CONTROLS).decode("ascii")
    for name in _candidates(content, charset):
        try:
            return clean_text(content.decode(name))
        except (UnicodeError, ValueError, LookupError):
            continue
    return clean_text(content.decode(_FALLBACK, "replace"))


def _candidates(content: bytes, charset: str) -> list[str]:
    names = []
    if b"\x1b$" in content or b"\x1b(" in content:
        names.append("iso2022_jp_ext")
    known = _text_codec(charset)
    if known and known != "ascii":
        names.append(known)
    return [*names, "utf-8"]


def _text_codec(charset: str) -> str:
    name = charset.strip().strip("\"'").lower()
    if not name or "\x00" in name or len(name) > 40:
        return ""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        return ""
    is_text = getattr(codec, "_is_text_encoding", True)
    return codec.name if is_text and codec.name.replace("_", "-") not in _NOT_CHARSETS else ""


def clean_text(text: str) -> str:
    """Return ``text`` without control characters (other than line ends and tabs) and without surrogates."""
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub("", text)


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


def list_addresses(*values: str) -> tuple[str, ...]:
    """Return the addresses in ``values``, each once, in their order, as they are spelled."""
    found: dict[str, str] = {}
    for value in values:
        if "@" in value:
            simple = _SIMPLE.fullmatch(value)
            matches = [simple[1]] if simple else [match[0] for match in _ADDRESS.finditer(value[:_MAX_FIELD])]
            for match in matches:
                address = match.strip("'`*.")
                found.setdefault(address.lower(), address)
    return tuple(found.values())


def read_mailbox(value: str) -> str:
    """Return the address of the first mailbox in ``value``, "" if there is none."""
    try:
        return parseaddr(value[:_MAX_FIELD])[1]
    except RecursionError:
        # Comments within comments, or groups within groups, a thousand deep.
        return ""
