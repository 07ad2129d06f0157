"""Read the members of a list as ``sympa dump`` writes them: a paragraph for each, with a key and its value in
each line.

Each member is a row, and each key a column of its own; the keys tell who left (``reception nomail``).
"""

import io
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from subscribers.csv_format import SheetRow
from subscribers.imports.files.file_source import FileSource

_START = 1 << 12
_LINE = re.compile(r"(?P<key>[a-z_]{1,40})(?: (?P<value>.*))?", re.DOTALL)
_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "email": "email",
        "gecos": "name",
        "reception": "reception",
        "suspend": "suspended",
        "bounce": "bounce details",
    }
)
_NEEDED = frozenset({"email", "reception"})


def is_sympa_dump(source: FileSource, encoding: str) -> bool:
    """Whether the first paragraph of a file is a member of a list."""
    start = source.read_start(_START).decode(encoding, errors="ignore").lstrip("\ufeff\r\n ")
    lines = re.split(r"\r?\n[ \t]*\r?\n", start, maxsplit=1)[0].splitlines()
    found = [_LINE.fullmatch(line) for line in lines if line.strip()]
    return all(found) and {line["key"] for line in found if line} >= _NEEDED


def read_sympa_dump(source: FileSource, *, encoding: str) -> Iterator[SheetRow]:
    """Yield a header, then one row for each member, numbered in order."""
    yield SheetRow(1, tuple(_TITLES.values()))
    for number, member in enumerate(_read_members(source, encoding), start=2):
        yield SheetRow(number, tuple(member.get(key, "") for key in _TITLES))


def _read_members(source: FileSource, encoding: str) -> Iterator[dict[str, str]]:
    member: dict[str, str] = {}
    with io.TextIOWrapper(source.open(), encoding=encoding) as stream:
        for line in stream:
            if not line.strip():
                if member:
                    yield member
                member = {}
            elif (found := _LINE.fullmatch(line.strip("\r\n\ufeff"))) and found["key"] in _TITLES:
                member[found["key"]] = (found["value"] or "").strip()
    if member:
        yield member
