"""What a bounce says of one recipient, before anyone has asked for the reason."""

import re
from dataclasses import dataclass

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]\d)")
_CODE = re.compile(r"(?<![\d.,:/=-])([245][0-5]\d)(?=[ \-,:;\"'<>)\]]|$)(?!-\d)")
_ADDRESS = re.compile(
    r"[^\s<>,;:\"'()\[\]\\|]+@[^\s<>,;:\"'()\[\]\\|]+|\"[^\"\n]{1,64}\"@[^\s<>,;:\"'()\[\]\\|]+"
)
# Longer replies repeat themselves, or quote the message.
_MAX_WORDS = 700


@dataclass(frozen=True, kw_only=True)
class RecipientReport:
    """One recipient as a bounce names it.

    ``words`` are the server's own, on one line. ``original_address`` is the address that the message was sent
    to, if the report says so and it is another than ``address``. ``status`` is such as "5.1.1", ``code`` such
    as "550", ``action`` one of RFC 3464, ``host`` the server that refused, ``command`` the SMTP command that
    it refused; each is "" if it is unknown.
    """

    address: str
    words: str = ""
    status: str = ""
    code: str = ""
    action: str = ""
    host: str = ""
    command: str = ""
    envelope_id: str = ""
    original_address: str = ""


def clean_address(text: str) -> str:
    """Return the first address in ``text`` without what surrounds it, "" if there is none."""
    if "@" not in text:
        return ""
    match = _ADDRESS.search(text[:1000])
    if match is None:
        return ""
    local, _, domain = match[0].rpartition("@")
    domain = domain.strip(".>'\"`*_!?=")
    local = local.lstrip("<=*'`") if not local.startswith('"') else local
    if local.lower().startswith(("mailto:", "rfc822;", "smtp:")):
        local = re.split(r"[:;]", local, maxsplit=1)[1]
    return f"{local}@{domain}" if local and domain else ""


def one_line(text: str) -> str:
    """Return ``text`` on one line, without runs of spaces, at most 700 characters of it."""
    words = " ".join(text[: _MAX_WORDS * 4].split())
    return words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…"


def find_status(text: str) -> str:
    """Return the first enhanced status code (RFC 3463) in ``text`` that says something, "" if none does."""
    found = [match[1] for match in _STATUS.finditer(text[: _MAX_WORDS * 2])]
    # x.0.0 is "other": a more precise one after it is the server's own.
    return next((status for status in found if not status.endswith(".0.0")), found[0] if found else "")


def find_code(text: str) -> str:
    """Return the first SMTP reply code in ``text``, "" if there is none."""
    match = _CODE.search(text[: _MAX_WORDS * 2])
    return match[1] if match else ""
