"""Find the address in a cell as people and address books write it: with a name, with others, with a link.

:mod:`subscribers.address` stays strict: on a page, a person can correct what they typed. A cell was copied
from a mail, exported by a program or pasted from a web page, and what is meant is seldom in doubt.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

from locales.phrase import Phrase
from subscribers.address import NO_ADDRESS, Address, normalise_address
from subscribers.errors import AddressError

# Spreadsheets and web pages add these without anyone seeing them. The joiners U+200C and U+200D are not here:
# in some scripts they tell one name from another.
_INVISIBLE: dict[int, str | None] = dict.fromkeys(
    [0x00AD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF]
)
_INVISIBLE |= {0xFF20: "@", 0xFE6B: "@"}  # full-width and small
# An address can begin with signs such as { and /, but a domain cannot end with any.
_BEFORE = ' \t\r\n\u00a0\u3000.,;:\\<>()[]"、，；。“”„«»‘’'
_AFTER = f"{_BEFORE}|/{{}}`'"
_SEPARATOR = re.compile(r":::|[;,\r\n、，；]|\s[/|]\s")
_ATTACHED_SEPARATOR = re.compile(r"[/|\s]+(?:(?:and|or|und|et|y)\s+)?")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ANGLE = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>@]*@[^<>]*)>[^<>@]*")
# "(work)" as often as "(Ann Li)", so it is not taken for a name.
_COMMENT = re.compile(r"\s*(?P<address>[^\s()]+@[^\s()]+)\s*\([^()@]*\)[\s,;]*")
_LINK = re.compile(r"\s*(?:mailto|smtp|e-?mail):\s*(?://)?", re.IGNORECASE)
_MAX_LENGTH = 4000
_MAX_ADDRESSES = 50


@dataclass(frozen=True, kw_only=True)
class AddressCell:
    """``address`` is the first in the cell that can be used, ``name`` what is written beside it.

    ``others`` are the other addresses that can be used, and ``rest`` the texts that look like one and cannot.
    """

    address: Address
    name: str
    others: tuple[Address, ...]
    rest: tuple[str, ...]


def parse_address_cell(text: str) -> AddressCell:
    """Find the addresses in a cell.

    Raises:
        AddressError: there is none; the reason is that of the whole cell, or of its only address.
    """
    cleaned = text.translate(_INVISIBLE)
    if len(text) > _MAX_LENGTH or "@" not in cleaned:
        normalise_address(text)
    found: dict[str, tuple[Address, str]] = {}
    rest: list[str] = []
    failure: AddressError | None = None
    for name, written in _split_mailboxes(cleaned)[:_MAX_ADDRESSES]:
        try:
            address = normalise_address(written)
        except AddressError as error:
            failure = failure or error
            rest.append(written)
        else:
            found.setdefault(address.email, (address, name))
    if not found:
        if failure is not None and len(rest) == 1:
            raise failure
        normalise_address(text)
        raise AddressError(text, Phrase(NO_ADDRESS))
    (address, name), *others = found.values()
    return AddressCell(
        address=address, name=name, others=tuple(other for other, _ in others), rest=tuple(rest)
    )


def _split_mailboxes(text: str) -> list[tuple[str, str]]:
    """Return each name and address in ``text``, as written."""
    mailboxes: list[tuple[str, str]] = []
    held = ""
    for piece in _split_outside_quotes(text):
        if "@" not in piece:
            # "Li, Ann <ann@example.org>": a name may be written with a comma.
            held = f"{held}{piece}"
            continue
        if not held.strip(_AFTER) or ("<" not in piece and not held.rstrip().endswith(",")):
            held = ""
        mailboxes.extend(_read_mailboxes(piece, held))
        held = ""
    return mailboxes


def _split_outside_quotes(text: str) -> list[str]:
    """Split ``text`` where one mailbox ends; each piece keeps the separator at its end, as part of a name."""
    masked = _QUOTED.sub(lambda found: "\0" * len(found[0]), text)
    ends = [0, *(found.end() for found in _SEPARATOR.finditer(masked)), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def _read_mailboxes(piece: str, before: str) -> list[tuple[str, str]]:
    if found := _ANGLE.fullmatch(piece):
        name = _clean_name(before + found["name"])
        return [(name, _clean_address(found["address"]))]
    if before:
        # "jon,smith@example.org" is more likely a misspelt address than that of another person.
        return [("", f"{before}{piece}".strip())]
    if found := _COMMENT.fullmatch(piece):
        return [("", _clean_address(found["address"]))]
    words = [word for word in _ATTACHED_SEPARATOR.split(piece) if word.strip(_AFTER)]
    if len(words) > 1 and all(word.count("@") == 1 for word in words):
        return [("", _clean_address(word)) for word in words]
    return [("", _clean_address(piece))]


def _clean_address(text: str) -> str:
    if found := _LINK.match(text):
        text = unquote(text[found.end() :].partition("?")[0])
    bare = text.lstrip(_BEFORE)
    if bare.startswith("'") and bare.rstrip(_BEFORE).endswith("'"):
        # Outlook puts an address between single quotation marks.
        bare = bare[1:]
    return bare.rstrip(_AFTER)


def _clean_name(text: str) -> str:
    name = re.sub(r"\\(.)", r"\1", " ".join(text.split())).strip(" ,;|\"'")
    # Many programs write the address again where the name is missing.
    return "" if "@" in name or ":" in name else name
