"""Read address books and lists of members, each person as a row: vCard, LDIF, Sympa's dump, mailboxes.

A card or an entry may have several addresses, and a row has one: they are put into its cell with the
preferred one first. The reader of the cell imports the first and names the others.
"""

import base64
import binascii
import io
import quopri
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from operator import itemgetter
from types import MappingProxyType

from locales.phrase import gettext_noop
from subscribers.csv_format import COLUMNS, SEPARATOR, SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.columns.status_titles import classify_label
from subscribers.imports.files.delimited_text import MAX_COLUMNS
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


Card = defaultdict[str, list[tuple[int, str]]]
"""The values of a card by the name of their property, each after its preference: 1, the highest, to 101."""
_START = 1 << 12
_ATTRIBUTE = re.compile(
    r"(?P<name>[A-Za-z][\w.-]*)(?:;[\w-]+)*:(?P<is_encoded>:)?(?!<)[ ]*(?P<value>.*)", re.DOTALL
)
_FIRST_LINES = re.compile(r"(?:#[^\n]*\n|version: *\d+ *\n|[ \t]*\n)*+dn::? ?\S", re.IGNORECASE)
_LDIF_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "mail": "Email",
        "mozillasecondemail": "Email 2",
        "givenname": "First name",
        "sn": "Last name",
        "cn": "Name",
        "displayname": "Display name",
        "o": "Organisation",
        "c": "Country",
        "co": "Country name",
        "mozillahomecountryname": "Home country",
        "preferredlanguage": "Language",
    }
)
_UNUSED = frozenset({"dn", "changetype", "member", "uniquemember", "jpegphoto", "userpassword"})
# Lists of people, and what a directory is divided into.
_NO_PERSON = frozenset({"groupofnames", "groupofuniquenames", "organizationalunit", "dcobject", "domain"})
Entry = dict[str, list[str]]
"""The values of an entry by the name of their attribute, in small letters."""
_SYMPA_LINE = re.compile(r"(?P<key>[a-z_]{1,40})(?: (?P<value>.*))?", re.DOTALL)
_SYMPA_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "email": "email",
        "gecos": "name",
        "reception": "reception",
        "suspend": "suspended",
        "bounce": "bounce details",
    }
)
_SYMPA_NEEDED = frozenset({"email", "reception"})
_SAMPLE_LENGTH = 1 << 16
_ADDRESS = r"[^\s@<>\",;]+@[^\s@<>\",;]+"
_MAILBOX = re.compile(rf"(?:\"[^\"]*\"|[^\"<>@,;\t|]*)\s*<{_ADDRESS}>|{_ADDRESS}(?:\s*\([^()]*\))?")


def is_vcard(source: FileSource, encoding: str) -> bool:
    return (
        source.read_start(64)
        .decode(encoding, errors="ignore")
        .lstrip("\ufeff\r\n ")
        .upper()
        .startswith("BEGIN:VCARD")
    )


def read_vcards(source: FileSource, *, encoding: str) -> Iterator[SheetRow]:
    """Yield a header of our columns, then one row for each card, numbered in order; with a column for the
    status if a note or a group says that somebody left."""
    has_status = any(map(_find_status, _read_cards(source, encoding)))
    yield SheetRow(1, (*COLUMNS, "status") if has_status else COLUMNS)
    for number, card in enumerate(_read_cards(source, encoding), start=2):
        yield SheetRow(number, (*_make_cells(card), *([_find_status(card)] if has_status else [])))


def _find_status(card: Card) -> str:
    """Return a note or a group that says that somebody left, "" if there is none."""
    notes = (*(_unescape(text) for _, text in card["NOTE"]), *_list_groups(card))
    return next((note for note in notes if (said := classify_label(note)) and said.is_certain), "")


def _read_cards(source: FileSource, encoding: str) -> Iterator[Card]:
    card: Card | None = None
    nested = length = 0
    follows_agent = False
    for line in _unfold_vcard(source, encoding):
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
            value = _decode_value(parameters, match["value"])
            card[name].append((_read_preference(parameters), value))
        follows_agent = name == "AGENT"
    if card is not None:
        raise ImportFileError(source.name, gettext_noop("a card has no end (END:VCARD)."))


def _read_preference(parameters: str) -> int:
    """Read ``PREF=1`` (4.0), ``TYPE=pref`` (3.0) and ``PREF`` alone (2.1)."""
    if found := _PREFERENCE.search(parameters):
        return int(found[1])
    return 1 if _PREFERRED.search(parameters) else _LEAST_PREFERRED


def _unfold_vcard(source: FileSource, encoding: str) -> Iterator[str]:
    """Yield unfolded lines: continued by leading white space, or by a final = in quoted-printable."""
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
    return (
        "; ".join(filter(None, map(_unescape, _sort_values(card["EMAIL"])))),
        _make_name(card),
        ", ".join(filter(None, organisations[0])) if organisations else "",
        countries[0] if countries else "",
        "",
        next(map(_unescape, _sort_values(card["LANG"])), ""),
        SEPARATOR.join(_list_groups(card)),
    )


def _list_groups(card: Card) -> list[str]:
    return [_unescape(tag) for _, text in card["CATEGORIES"] for tag in re.split(r"(?<!\\),", text)]


def _make_name(card: Card) -> str:
    shown = next(map(_unescape, _sort_values(card["FN"])), "")
    if shown and "@" not in shown:
        return shown
    # Family name, given name, additional names (RFC 6350, 6.2.2); any may be missing.
    parts = [_split_components(value)[:3] for value in _sort_values(card["N"])[:1]]
    family, given, additional = (*parts[0], "", "", "")[:3] if parts else ("", "", "")
    return " ".join(filter(None, (given, additional, family)))


def _sort_values(values: list[tuple[int, str]]) -> list[str]:
    return [text for _, text in sorted(values, key=itemgetter(0))]


def _split_components(value: str) -> list[str]:
    return [_unescape(part) for part in re.split(r"(?<!\\);", value)]


def _unescape(text: str) -> str:
    return re.sub(r"\\([\\,;nN])", lambda found: " " if found[1] in "nN" else found[1], text).strip()


def is_ldif(source: FileSource, encoding: str) -> bool:
    """Return whether a file begins with the name of an entry (``dn: cn=Ann Li``)."""
    start = source.read_start(_START).decode(encoding, errors="ignore").lstrip("\ufeff")
    return _FIRST_LINES.match(start.replace("\r\n", "\n").replace("\r", "\n")) is not None


def read_ldif(source: FileSource, *, encoding: str) -> Iterator[SheetRow]:
    """Yield a header of all attributes in the file, then one row for each entry, numbered in order."""
    names: dict[str, None] = {}
    for entry in _read_people(source, encoding):
        names |= dict.fromkeys(entry)
        if len(names) > MAX_COLUMNS:
            raise ImportFileError(
                source.name,
                gettext_noop("it has %(number)s columns; the limit is %(most)s.")
                % {"number": f"{len(names):,}", "most": f"{MAX_COLUMNS:,}"},
            )
    # Titles that people know come first, in the order above: of two countries, that at work.
    ordered = [
        *(name for name in _LDIF_TITLES if name in names),
        *(name for name in names if name not in _LDIF_TITLES),
    ]
    yield SheetRow(1, tuple(_LDIF_TITLES.get(name, name) for name in ordered))
    for number, entry in enumerate(_read_people(source, encoding), start=2):
        yield SheetRow(number, tuple(f"{SEPARATOR} ".join(entry.get(name, ())) for name in ordered))


def _read_people(source: FileSource, encoding: str) -> Iterator[Entry]:
    for entry in _read_entries(source, encoding):
        kinds = {kind.casefold() for kind in entry.pop("objectclass", ())}
        if "mail" in entry or (entry and kinds.isdisjoint(_NO_PERSON)):
            yield entry


def _read_entries(source: FileSource, encoding: str) -> Iterator[Entry]:
    entry: Entry = {}
    is_open = False
    for line in _unfold_ldif(source, encoding):
        if not line.strip():
            if is_open:
                yield entry
            entry, is_open = {}, False
        elif found := _ATTRIBUTE.fullmatch(line):
            name = found["name"].casefold()
            is_open = is_open or name == "dn"
            if name not in _UNUSED and name != "version":
                value = _decode(found["value"]) if found["is_encoded"] else found["value"].strip()
                entry.setdefault(name, []).append(value)
    if is_open:
        yield entry


def _unfold_ldif(source: FileSource, encoding: str) -> Iterator[str]:
    """Yield whole lines: one that begins with a space continues the line above. Comments are left out."""
    held = ""
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        for raw in stream:
            line = raw.rstrip("\r\n").removeprefix("\ufeff")
            if line[:1] == " " and len(held) < _MAX_LINE:
                held += line[1:]
                continue
            if not held.startswith("#"):
                yield held
            held = line
    if not held.startswith("#"):
        yield held


def _decode(value: str) -> str:
    try:
        return base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace").strip()
    except (binascii.Error, ValueError):
        return ""


def is_sympa_dump(source: FileSource, encoding: str) -> bool:
    """Return whether the first paragraph of a file is a member of a list."""
    start = source.read_start(_START).decode(encoding, errors="ignore").lstrip("\ufeff\r\n ")
    lines = re.split(r"\r?\n[ \t]*\r?\n", start, maxsplit=1)[0].splitlines()
    found = [_SYMPA_LINE.fullmatch(line) for line in lines if line.strip()]
    return all(found) and {line["key"] for line in found if line} >= _SYMPA_NEEDED


def read_sympa_dump(source: FileSource, *, encoding: str) -> Iterator[SheetRow]:
    """Yield a header, then one row for each member, numbered in order."""
    yield SheetRow(1, tuple(_SYMPA_TITLES.values()))
    for number, member in enumerate(_read_members(source, encoding), start=2):
        yield SheetRow(number, tuple(member.get(key, "") for key in _SYMPA_TITLES))


def _read_members(source: FileSource, encoding: str) -> Iterator[dict[str, str]]:
    member: dict[str, str] = {}
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        for line in stream:
            if not line.strip():
                if member:
                    yield member
                member = {}
            elif (found := _SYMPA_LINE.fullmatch(line.strip("\r\n\ufeff"))) and found["key"] in _SYMPA_TITLES:
                member[found["key"]] = (found["value"] or "").strip()
    if member:
        yield member


def has_address_lines(source: FileSource, encoding: str) -> bool:
    """Return whether every line at the beginning of a file is one mailbox, and one of them has a quoted name.

    Without quoted names such a file is read as a table of one column.
    """
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        sample = stream.read(_SAMPLE_LENGTH)
    lines = sample.splitlines()
    # The last may be cut off.
    whole = lines[:-1] if len(sample) == _SAMPLE_LENGTH else lines
    filled = [line for line in map(_clean_mailbox, whole) if line]
    return any(line.startswith('"') for line in filled) and all(map(_MAILBOX.fullmatch, filled))


def read_address_lines(source: FileSource, *, encoding: str) -> Iterator[SheetRow]:
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        for number, line in enumerate(stream, start=1):
            yield SheetRow(number, (_clean_mailbox(line),))


def _clean_mailbox(line: str) -> str:
    return line.strip().strip("\ufeff,;").strip()
