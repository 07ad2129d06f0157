"""Read address books in vCard format (versions 2.1 to 4.0), each card as a row of our own columns."""

import quopri
import re
from collections import defaultdict
from collections.abc import Iterator

from subscribers.csv_format import COLUMNS, SEPARATOR, SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource

_PROPERTY = re.compile(r"(?:[\w-]+\.)?(?P<name>[\w-]+)(?P<parameters>(?:;[^:]*)?):(?P<value>.*)", re.DOTALL)
_MAX_CARD_LINES = 20_000
"""A photograph in a card takes a few thousand lines."""


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


def _read_cards(source: FileSource, encoding: str) -> Iterator[defaultdict[str, list[str]]]:
    card: defaultdict[str, list[str]] | None = None
    length = 0
    for line in _unfold_lines(source, encoding):
        length += 1
        match = _PROPERTY.fullmatch(line)
        if match is None:
            continue
        name, value = match["name"].upper(), _decode_value(match["parameters"].upper(), match["value"])
        if name == "BEGIN":
            card, length = defaultdict(list), 0
        elif name == "END" and card is not None:
            yield card
            card = None
        elif card is not None:
            card[name].append(value)
        if card is not None and length > _MAX_CARD_LINES:
            break
    if card is not None:
        raise ImportFileError(source.name, "a card has no end (END:VCARD).")


def _unfold_lines(source: FileSource, encoding: str) -> Iterator[str]:
    """Yield unfolded lines: continued by leading white space, or by a final = in quoted-printable."""
    import io

    held = ""
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        for raw in stream:
            line = raw.rstrip("\r\n")
            if line[:1] in {" ", "\t"} and len(held) < 1 << 20:
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


def _make_cells(card: defaultdict[str, list[str]]) -> tuple[str, ...]:
    names = card["N"]
    name = _first_value(card["FN"]) or (
        " ".join(filter(None, reversed(_split_components(names[0])[:2]))) if names else ""
    )
    organisation = ", ".join(filter(None, _split_components(card["ORG"][0]))) if card["ORG"] else ""
    countries = [parts[6] for parts in map(_split_components, card["ADR"]) if len(parts) > 6 and parts[6]]
    tags = [tag for line in card["CATEGORIES"] for tag in re.split(r"(?<!\\),", line)]
    return (
        _first_value(card["EMAIL"]),
        name,
        organisation,
        countries[0] if countries else "",
        "",
        _first_value(card["LANG"]),
        SEPARATOR.join(map(_unescape, tags)),
    )


def _first_value(values: list[str]) -> str:
    return _unescape(values[0]).removeprefix("mailto:") if values else ""


def _split_components(value: str) -> list[str]:
    return [_unescape(part) for part in re.split(r"(?<!\\);", value)]


def _unescape(text: str) -> str:
    return re.sub(r"\\([\\,;nN])", lambda found: " " if found[1] in "nN" else found[1], text).strip()
