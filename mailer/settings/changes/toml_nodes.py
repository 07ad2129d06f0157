"""Where each table, key and value stands in a text of TOML (toml.io/en/v1.0.0), and how it is written.

The text has been parsed already, so what is valid is not asked here.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TypeAlias

TomlPath: TypeAlias = tuple[str | int, ...]
"""Keys from the outermost table to the value; a number is the place in an array of tables."""

_STRING = re.compile(
    r'"""(?:\\.|[^\\"]|"{1,2}(?!"))*"{3,5}|'
    r"'''(?:[^']|'{1,2}(?!'))*'{3,5}|"
    r'"(?:\\.|[^\\"])*"|'
    r"'[^']*'",
    re.DOTALL,
)
_SIMPLE = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,#\]}]+|[^\s,#\]}]+")
_SIMPLE_KEY = re.compile(r'"(?:\\.|[^\\"])*"|\'[^\']*\'|[A-Za-z0-9_-]+')
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BETWEEN = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# A literal string has no escapes: no quotation mark of its own, and no control characters but tabs.
_LITERAL = re.compile(r"[^'\x00-\x08\x0a-\x1f\x7f]*")


@dataclass(frozen=True, kw_only=True)
class TomlEntry:
    """A key with its value. ``start`` is the beginning of its line, and ``end`` that of the line after it."""

    path: TomlPath
    start: int
    value_start: int
    value_end: int
    end: int


@dataclass(frozen=True, kw_only=True)
class TomlTable:
    """A table with a header of its own, or the keys before the first header. ``end`` is where the line after
    the header begins."""

    path: TomlPath
    start: int
    end: int
    entries: list[TomlEntry] = field(default_factory=list)

    @property
    def last_end(self) -> int:
        """Where the line after its last key begins."""
        return self.entries[-1].end if self.entries else self.end


class TomlDocument:
    """All tables of a text, which is valid TOML, in order; the first has no header."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tables = [TomlTable(path=(), start=0, end=0)]
        counts: dict[TomlPath, int] = {}
        place = _skip(_SPACE, text, 0)
        while place < len(text):
            start = text.rfind("\n", 0, place) + 1
            if text[place] == "[":
                is_array = text.startswith("[[", place)
                keys, after = _read_keys(text, place + (2 if is_array else 1))
                end = find_line_end(text, after)
                path = _resolve(keys, counts, is_array=is_array)
                self.tables.append(TomlTable(path=path, start=start, end=end))
            else:
                keys, after = _read_keys(text, place)
                value_start = _skip(_BLANK, text, after + 1)
                value_end = skip_value(text, value_start)
                end = find_line_end(text, value_end)
                path = (*self.tables[-1].path, *keys)
                self.tables[-1].entries.append(
                    TomlEntry(path=path, start=start, value_start=value_start, value_end=value_end, end=end)
                )
            place = _skip(_SPACE, text, end)

    @property
    def line_end(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def list_entries(self) -> Iterator[TomlEntry]:
        for table in self.tables:
            yield from table.entries

    def find_entry(self, path: TomlPath) -> TomlEntry | None:
        return next((entry for entry in self.list_entries() if entry.path == path), None)

    def find_holder(self, path: TomlPath) -> TomlEntry | None:
        """Return the key whose value is an array or an inline table that has ``path`` in it."""
        return next(
            (
                entry
                for entry in self.list_entries()
                if len(entry.path) < len(path) and path[: len(entry.path)] == entry.path
            ),
            None,
        )

    def find_table(self, path: TomlPath) -> TomlTable | None:
        return next((table for table in self.tables if table.path == path), None)

    def list_below(self, path: TomlPath) -> list[TomlTable]:
        """Return the tables with a header at ``path`` or inside it."""
        return [table for table in self.tables[1:] if table.path[: len(path)] == path]


def list_items(text: str, start: int) -> list[tuple[int, int]]:
    items = []
    place = _skip(_BETWEEN, text, start + 1)
    while text[place] != "]":
        end = skip_value(text, place)
        items.append((place, end))
        place = _skip(_BETWEEN, text, end)
    return items


def skip_value(text: str, start: int) -> int:
    if found := _STRING.match(text, start):
        return found.end()
    match text[start]:
        case "[":
            items = list_items(text, start)
            return _skip(_BETWEEN, text, items[-1][1] if items else start + 1) + 1
        case "{":
            return _skip_inline_table(text, start)
        case _:
            return _skip(_SIMPLE, text, start)


def find_line_end(text: str, place: int) -> int:
    """Return where the line after the one of ``place`` begins."""
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _skip_inline_table(text: str, start: int) -> int:
    place = _skip(_BETWEEN, text, start + 1)
    while text[place] != "}":
        _, after = _read_keys(text, place)
        place = _skip(_BETWEEN, text, skip_value(text, _skip(_SPACE, text, after + 1)))
    return place + 1


def _read_keys(text: str, start: int) -> tuple[tuple[str, ...], int]:
    """The keys of a dotted key at ``start``, and where the sign after them is."""
    keys = []
    place = start
    while True:
        place = _skip(_BLANK, text, place)
        found = _SIMPLE_KEY.match(text, place)
        assert found is not None  # noqa: S101 - the text is valid
        keys.append(next(iter(tomllib.loads(f"{found[0]}=1"))))
        place = _skip(_BLANK, text, found.end())
        if text[place] != ".":
            return tuple(keys), place
        place += 1


def _resolve(keys: tuple[str, ...], counts: dict[TomlPath, int], *, is_array: bool) -> TomlPath:
    """The path that a header names, with the numbers of the array items it is in."""
    path: TomlPath = ()
    for number, key in enumerate(keys, start=1):
        path = (*path, key)
        if is_array and number == len(keys):
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _skip(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    assert found is not None  # noqa: S101 - the patterns match nothing, too, or the text is valid
    return found.end()


TomlValue: TypeAlias = (
    bool | int | float | str | date | time | Sequence["TomlValue"] | Mapping[str, "TomlValue"]
)
"""What a key may have: a value, an array or a table."""


def write_value(value: TomlValue, *, like: str = "") -> str:
    """Return ``value`` on one line, a text in the quotation marks that ``like`` has."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value}'" if like == "'" and _LITERAL.fullmatch(value) else _write_text(value)
        case int() | float():
            return repr(value)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            inner = ", ".join(f"{write_key(key)} = {write_value(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            return f"[{', '.join(write_value(item, like=like) for item in value)}]"


def write_key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _write_text(key)


def write_keys(path: TomlPath) -> str:
    """Return a dotted key; the numbers of array items are left out, as in a header."""
    return ".".join(write_key(key) for key in path if isinstance(key, str))


def _write_text(text: str) -> str:
    # JSON's escapes are TOML's. DEL is the one sign that JSON leaves as it is and TOML does not allow.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
