"""Address books as vCards (versions 2.1 to 4.0), each card a row of our own columns."""

import quopri
import re
from collections import defaultdict
from collections.abc import Iterator

from subscribers.csv_format import COLUMNS, SEPARATOR, Row
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import Material

_PLAIN = re.compile(r"(?:[\w-]+\.)?(?P<name>[\w-]+)(?P<parameters>(?:;[^:]*)?):(?P<value>.*)", re.DOTALL)
_LONGEST_CARD = 20_000
"""Lines. A photograph in a card has some thousands."""


def is_vcard(material: Material, encoding: str) -> bool:
    return (
        material.begins(64)
        .decode(encoding, errors="ignore")
        .lstrip("\ufeff\r\n ")
        .upper()
        .startswith("BEGIN:VCARD")
    )


def read_vcards(material: Material, *, encoding: str) -> Iterator[Row]:
    """A header of our columns, then one row for each card that has an address, numbered by the cards.

    Raises:
        ImportFileError: a card has no end.
    """
    yield Row(1, COLUMNS)
    number = 1
    for card in _cards(material, encoding):
        number += 1
        yield Row(number, _cells(card))


def _cards(material: Material, encoding: str) -> Iterator[defaultdict[str, list[str]]]:
    card: defaultdict[str, list[str]] | None = None
    length = 0
    for line in _unfolded(material, encoding):
        length += 1
        match = _PLAIN.fullmatch(line)
        if match is None:
            continue
        name, value = match["name"].upper(), _value(match["parameters"].upper(), match["value"])
        if name == "BEGIN":
            card, length = defaultdict(list), 0
        elif name == "END" and card is not None:
            yield card
            card = None
        elif card is not None:
            card[name].append(value)
        if card is not None and length > _LONGEST_CARD:
            break
    if card is not None:
        raise ImportFileError(material.name, "a card has no end (END:VCARD).")


def _unfolded(material: Material, encoding: str) -> Iterator[str]:
    """Lines, those that were broken put together again: by a blank, or by = in quoted-printable."""
    import io

    held = ""
    with io.TextIOWrapper(material.open(), encoding=encoding) as stream:
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


def _value(parameters: str, value: str) -> str:
    if "QUOTED-PRINTABLE" not in parameters:
        return value
    found = re.search(r"CHARSET=\"?([\w-]+)", parameters)
    raw = quopri.decodestring(value.encode("utf-8", "surrogateescape"))
    try:
        return raw.decode(found[1] if found else "utf-8")
    except (LookupError, UnicodeDecodeError):
        return raw.decode("utf-8", "replace")


def _cells(card: defaultdict[str, list[str]]) -> tuple[str, ...]:
    names = card["N"]
    name = _first(card["FN"]) or (" ".join(filter(None, reversed(_parts(names[0])[:2]))) if names else "")
    organisation = ", ".join(filter(None, _parts(card["ORG"][0]))) if card["ORG"] else ""
    countries = [parts[6] for parts in map(_parts, card["ADR"]) if len(parts) > 6 and parts[6]]
    tags = [tag for line in card["CATEGORIES"] for tag in re.split(r"(?<!\\),", line)]
    return (
        _first(card["EMAIL"]),
        name,
        organisation,
        countries[0] if countries else "",
        "",
        _first(card["LANG"]),
        SEPARATOR.join(map(_unescaped, tags)),
    )


def _first(values: list[str]) -> str:
    return _unescaped(values[0]).removeprefix("mailto:") if values else ""


def _parts(value: str) -> list[str]:
    return [_unescaped(part) for part in re.split(r"(?<!\\);", value)]


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\\,;nN])", lambda found: " " if found[1] in "nN" else found[1], text).strip()
