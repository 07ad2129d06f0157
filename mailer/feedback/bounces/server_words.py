"""Tidies a mail server's words, so that rules can be written as plain phrases."""

import html
import re
import unicodedata
from urllib.parse import unquote

# Servers say why in their first lines; what follows is help text, or a copy of the message.
_MAX_LENGTH = 4000
_ADDRESS = re.compile(r"[^\s<>@\"'(),;:\[\]]{1,128}@(?:[^\s<>@\"'(),;:\[\]]{1,255}|\[[^\s\]]{1,64}\])")
_ADDRESS_AND_COLON = re.compile("\N{OBJECT REPLACEMENT CHARACTER}[ >\"')]{0,4}:")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,15}(?:\s[^<>]{0,300})?/?>")
_PERCENT_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2}){2}|%20")
# Replies of several lines repeat their codes: "550-5.1.1 The account 550 5.1.1 does not exist".
_CODES = re.compile(
    r"(?<![\d.])(?:[245]\d\d[ -])?[ #(]{0,2}[245]\.\d{1,3}\.\d{1,3}(?![\d.])[ )]?"
    r"|(?<![\d.])[245]\d\d(?=[- ])-?"
)
_QUOTES_AND_BRACKETS = re.compile(r"[<>\"“”„«»()\[\]{}`_*|\\]|(?<!\w)'|'(?!\w)")
_NOT = re.compile(r"\b(do|does|did|is|are|was|has|have|could|would|should)n[’'´]?t\b")
_SPACE_BETWEEN_IDEOGRAPHS = re.compile(
    r"(?<=[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef]) (?=[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef])"
)


def decode_words(words: str) -> str:
    """Return the beginning of ``words`` without percent-encoding, HTML tags and references."""
    text = words[:_MAX_LENGTH]
    if _PERCENT_ENCODED.search(text):
        text = unquote(text, errors="replace")
    return html.unescape(_TAG.sub(" ", text)) if "<" in text or "&" in text else text


def tidy_words(words: str) -> str:
    """Return decoded ``words`` on one line, in small letters, without addresses, reply codes and quotes.

    Addresses are removed, because "no-such-user@example.org" says nothing about itself; one that is followed
    by a colon leaves "@:". "doesn't" becomes "does not", and "e-mail" becomes "email".
    """
    text = _ADDRESS.sub("\N{OBJECT REPLACEMENT CHARACTER}", words)
    text = _ADDRESS_AND_COLON.sub(" @: ", text).replace("\N{OBJECT REPLACEMENT CHARACTER}", " ")
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = _CODES.sub(" ", text).lower().replace("’", "'")
    text = _NOT.sub(r"\1 not", text)
    text = text.replace("can't", "can not").replace("cannot", "can not").replace("e-mail", "email")
    text = " ".join(_QUOTES_AND_BRACKETS.sub(" ", text).split())
    return text if text.isascii() else _SPACE_BETWEEN_IDEOGRAPHS.sub("", text)


_ENHANCED_CODE = re.compile(r"(?<![\d.])[45]\.\d\.\d{1,3}(?![\d.])")
_REPLY_CODE = re.compile(r"(?<![\d.])(?:[45][0-7]\d)(?=[- ])")


def find_enhanced_codes(words: str) -> tuple[str, ...]:
    """Return the enhanced status codes (RFC 3463) in ``words``, each once, in their order."""
    return tuple(dict.fromkeys(_ENHANCED_CODE.findall(words)))


def find_reply_code(words: str) -> str:
    """Return the first SMTP reply code of an error in ``words``, or ""."""
    found = _REPLY_CODE.search(words)
    return found[0] if found else ""


_ANSWERED_TO = re.compile(
    r"(?:in reply to|after|answer to|response to|reply to|our|>>>|for) (?:the )?(?:final |end of )?"
    r"(RCPT|DATA|MAIL|EHLO|HELO|TEXT)\b|\[(RCPT|DATA|MAIL)_?(?:TO|FROM)?\]|(end of data)",
    re.IGNORECASE,
)


def find_command(words: str) -> str:
    """Return the SMTP command that ``words`` say was refused: "RCPT", "DATA", "MAIL", … or ""."""
    found = _ANSWERED_TO.search(words)
    if found is None:
        return ""
    command = (found[1] or found[2] or "DATA").upper()
    return "DATA" if command == "TEXT" else command
