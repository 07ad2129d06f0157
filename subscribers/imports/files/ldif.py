"""Read address books in LDIF (RFC 2849), as Thunderbird and directories of people write them.

Each entry is a row, and each attribute a column of its own, so that one that tells who left is not lost.
Those of LDAP have titles that people would give them; an attribute with several values is one cell.
"""

import base64
import binascii
import io
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from locales.phrase import gettext_noop
from subscribers.csv_format import SEPARATOR, SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.delimited_text import MAX_COLUMNS
from subscribers.imports.files.file_source import FileSource

_START = 1 << 12
_MAX_LINE = 1 << 20
_ATTRIBUTE = re.compile(
    r"(?P<name>[A-Za-z][\w.-]*)(?:;[\w-]+)*:(?P<is_encoded>:)?(?!<)[ ]*(?P<value>.*)", re.DOTALL
)
_FIRST_LINES = re.compile(r"(?:#[^\n]*\n|version: *\d+ *\n|[ \t]*\n)*+dn::? ?\S", re.IGNORECASE)
_TITLES: Mapping[str, str] = MappingProxyType(
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


def is_ldif(source: FileSource, encoding: str) -> bool:
    """Whether a file begins with the name of an entry (``dn: cn=Ann Li``)."""
    start = source.read_start(_START).decode(encoding, errors="ignore").lstrip("\ufeff")
    return _FIRST_LINES.match(start.replace("\r\n", "\n").replace("\r", "\n")) is not None


def read_ldif(source: FileSource, *, encoding: str) -> Iterator[SheetRow]:
    """Yield a header of all attributes in the file, then one row for each entry, numbered in order.

    Raises:
        ImportFileError: it has too many attributes.
    """
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
    ordered = [*(name for name in _TITLES if name in names), *(name for name in names if name not in _TITLES)]
    yield SheetRow(1, tuple(_TITLES.get(name, name) for name in ordered))
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
    for line in _unfold_lines(source, encoding):
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


def _unfold_lines(source: FileSource, encoding: str) -> Iterator[str]:
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
