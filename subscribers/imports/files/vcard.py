"""Read address books in vCard format (versions 2.1 to 4.0), each card as a row of our own columns.

A card may have several addresses, and a row has one: they are put into its cell with the preferred one first,
as somebody would write them there. Whoever reads the cell imports the first and names the others.
"""

import quopri
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from locales.phrase import gettext_noop
from subscribers.csv_format import COLUMNS, SEPARATOR, SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource

# A parameter's value may be quoted, and then contain a colon: GEO="geo:47.9,106.9".
_PROPERTY = re.compile(
    r"(?:[\w-]++\.)?(?P<name>[\w-]++)"
    r"(?P<parameters>(?:;(?:[^\":;]++|\"[^\"]*+\"|\")*+)*+):(?P<value>.*)",
    re.DOTALL,
)
_PREFERENCE = re.compile(r";PREF=\"?(\d{1,3})")
_PREFERRED = re.compile(r"[;=,\"]PREF(?![\w=])")
_LEAST_PREFERRED = 101
_MAX_CARD_LINES = 20_000
"""A photograph in a card takes a few thousand lines."""
_MAX_LINE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class CardValue:
    """A value of a card as written; ``preference`` is smaller for what its owner prefers (1 to 101)."""

    text: str
    preference: int


Card = defaultdict[str, list[CardValue]]
"""The values of a card by the name of their property."""


def is_vcard(source: FileSource, encoding: str) -> bool:
    return (
        source.read_start(64)
        .decode(encoding, errors="ignore")
        .lstrip("\ufeff\r\n ")
        .upper()
        .startswith("BEGIN:VCARD")
    )


def read_vcards(source: FileSource, *, encoding: str) -> Iterator[SheetRow]:
    """Yield a header of our columns, then one row for each card, numbered in order.

    Raises:
        ImportFileError: a card has no end.
    """
    yield SheetRow(1, COLUMNS)
    number = 1
    for card in _read_cards(source, encoding):
        number += 1
        yield SheetRow(number, _make_cells(card))


def _read_cards(source: FileSource, encoding: str) -> Iterator[Card]:
    card: Card | None = None
    nested = length = 0
    follows_agent = False
    for line in _unfold_lines(source, encoding):
        length += 1
        if card is not None and length > _MAX_CARD_LINES:
            break
        match = _PROPERTY.fullmatch(line)
        if match is None:
            continue
        name, parameters = match["name"].upper(), match["parameters"].upper()
        if name == "BEGIN":
            if card is None:
                card, length = defaultdict(list), 0
            elif nested or follows_agent:
                # vCard 2.1 writes the card of a person's assistant into that of the person.
                nested += 1
            else:
                break
        elif name == "END" and nested:
            nested -= 1
        elif name == "END" and card is not None:
            yield card
            card = None
        elif card is not None and not nested:
            value = CardValue(
                text=_decode_value(parameters, match["value"]), preference=_read_preference(parameters)
            )
            card[name].append(value)
        follows_agent = name == "AGENT"
    if card is not None:
        raise ImportFileError(source.name, gettext_noop("a card has no end (END:VCARD)."))


def _read_preference(parameters: str) -> int:
    """Read ``PREF=1`` (4.0), ``TYPE=pref`` (3.0) and ``PREF`` alone (2.1)."""
    if found := _PREFERENCE.search(parameters):
        return int(found[1])
    return 1 if _PREFERRED.search(parameters) else _LEAST_PREFERRED


def _unfold_lines(source: FileSource, encoding: str) -> Iterator[str]:
    """Yield unfolded lines: continued by leading white space, or by a final = in quoted-printable."""
    import io

    held = ""
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        for raw in stream:
            line = raw.rstrip("\r\n")
            if line[:1] in {" ", "\t"} and len(held) < _MAX_LINE:
                held += line[1:]
            elif held.endswith("=") and "QUOTED-PRINTABLE" in held.upper().partition(":")[0]:
                held = held[:-1] + line
            else:
                yield held
                held = line
    yield held


def _decode_value(parameters: str, value: str) -> str:
    if "QUOTED-PRINTABLE" not in parameters:
        return value
    found = re.search(r"CHARSET=\"?([\w-]+)", parameters)
    raw = quopri.decodestring(value.encode("utf-8", "surrogateescape"))
    try:
        return raw.decode(found[1] if found else "utf-8")
    except (LookupError, UnicodeDecodeError):
        return raw.decode("utf-8", "replace")


def _make_cells(card: Card) -> tuple[str, ...]:
    organisations = [_split_components(value) for value in _sort_values(card["ORG"])]
    addresses = map(_split_components, _sort_values(card["ADR"]))
    countries = [parts[6] for parts in addresses if len(parts) > 6 and parts[6]]
    tags = [tag for value in card["CATEGORIES"] for tag in re.split(r"(?<!\\),", value.text)]
    return (
        "; ".join(filter(None, map(_unescape, _sort_values(card["EMAIL"])))),
        _make_name(card),
        ", ".join(filter(None, organisations[0])) if organisations else "",
        countries[0] if countries else "",
        "",
        next(map(_unescape, _sort_values(card["LANG"])), ""),
        SEPARATOR.join(map(_unescape, tags)),
    )


def _make_name(card: Card) -> str:
    shown = next(map(_unescape, _sort_values(card["FN"])), "")
    if shown and "@" not in shown:
        return shown
    # Family name, given name, additional names (RFC 6350, 6.2.2); any may be missing.
    parts = [_split_components(value)[:3] for value in _sort_values(card["N"])[:1]]
    family, given, additional = (*parts[0], "", "", "")[:3] if parts else ("", "", "")
    return " ".join(filter(None, (given, additional, family)))


def _sort_values(values: list[CardValue]) -> list[str]:
    """Return the texts with those their owner prefers first."""
    return [value.text for value in sorted(values, key=lambda value: value.preference)]


def _split_components(value: str) -> list[str]:
    return [_unescape(part) for part in re.split(r"(?<!\\);", value)]


def _unescape(text: str) -> str:
    return re.sub(r"\\([\\,;nN])", lambda found: " " if found[1] in "nN" else found[1], text).strip()
