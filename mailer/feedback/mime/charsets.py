"""Decodes text whatever its charset says, into characters that a database accepts."""

import codecs
import re

# Some programs name a charset that no codec has, or name an 8-bit text as ASCII.
_FALLBACK = "windows-1252"
# These decode bytes into something other than the text of a mail, and two of them can make surrogates.
_NOT_CHARSETS = frozenset(
    {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "mbcs", "oem"}
)
# A database column of text takes no NUL, and no program can print a lone surrogate.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_CONTROLS = bytes(byte for byte in (*range(32), 127) if byte not in b"\t\n\r")


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
    """Return the codec's name, "" if Python has none that makes text."""
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
