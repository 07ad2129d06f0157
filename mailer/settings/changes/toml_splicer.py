"""A text of TOML with other values for some keys: every other byte stays as it was written."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from locales.phrase import Phrase, gettext_noop
from mailer.errors import ConfigurationError
from mailer.settings.changes.toml_nodes import (
    TomlDocument,
    TomlEntry,
    TomlPath,
    TomlTable,
    TomlValue,
    find_line_end,
    list_items,
    write_key,
    write_keys,
    write_value,
)

TomlChanges: TypeAlias = Mapping[TomlPath, TomlValue | None]
"""A new value for each key; None takes it out. A path that ends in the number of items of an array of tables
adds one."""


class TomlChangeError(ConfigurationError):
    """The text is written in a way in which the keys cannot be changed alone."""


def change_toml(
    text: str, changes: TomlChanges, *, orders: Mapping[TomlPath, Sequence[str]] | None = None
) -> str:
    """Return ``text``, which is valid TOML, with ``changes``. ``orders`` are the keys of tables in a new
    order; keys that it leaves out come last.

    A comment beside a value stays beside it. A new key goes below the comment that shows it, such as
    ``# rate = 14``, or else below the last of its table; a new table goes to its like, or to the end. Raise
    TomlChangeError if the keys cannot be changed alone.
    """
    before: dict[str, Any] = tomllib.loads(text)
    after = _apply(before, changes)
    written = text
    for path, value in changes.items():
        written = _change(written, path, value)
    for path, keys in (orders or {}).items():
        written = _reorder(written, path, keys)
        table = find_value(after, path)
        if isinstance(table, dict):
            ordered = {key: table[key] for key in (*keys, *table) if key in table}
            table.clear()
            table.update(ordered)
    found = _try_parse(written)
    if _prune(found) != _prune(after) or any(
        _list_keys(found, path) != _list_keys(after, path) for path in orders or {}
    ):
        names = ", ".join(sorted({write_keys(path) for path in (*changes, *(orders or {}))}))
        raise TomlChangeError(
            Phrase(
                "the file is written in a way in which %(names)s cannot be changed alone. Change the file "
                "itself.",
                names=names,
            )
        )
    return written


def find_value(values: object, path: TomlPath) -> Any:
    """Return the value at ``path`` in parsed TOML; None if it is not there."""
    for key in path:
        match values:
            case dict() if key in values:
                values = values[key]
            case list() if isinstance(key, int) and key < len(values):
                values = values[key]
            case _:
                return None
    return values


def _prune(values: object) -> object:
    """``values`` without tables that have no keys: a header alone says nothing."""
    match values:
        case dict():
            kept = {key: _prune(item) for key, item in values.items()}
            return {key: item for key, item in kept.items() if item != {}}
        case list():
            return [_prune(item) for item in values]
        case _:
            return values


def _list_keys(values: object, path: TomlPath) -> list[str]:
    found = find_value(values, path)
    return list(found) if isinstance(found, dict) else []


def _try_parse(text: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _apply(values: Any, changes: TomlChanges) -> Any:
    """A copy of ``values`` with ``changes``; a table that is left without keys goes with them."""
    after = _copy(values)
    for path, value in changes.items():
        _set_value(after, path, value)
    return after


def _copy(value: Any) -> Any:
    match value:
        case dict():
            return {key: _copy(item) for key, item in value.items()}
        case list() | tuple():
            return [_copy(item) for item in value]
        case _:
            return value


def _set_value(holder: Any, path: TomlPath, value: TomlValue | None) -> None:
    key, *rest = path
    if rest:
        inner = find_value(holder, (key,))
        if inner is None:
            if value is None:
                return
            inner = [] if isinstance(rest[0], int) else {}
            holder[key] = inner
        _set_value(inner, tuple(rest), value)
        if inner == [] and value is None:
            del holder[key]
    elif isinstance(holder, list):
        assert isinstance(key, int)  # noqa: S101 - a path has a number for an item
        holder[key : key + 1] = [] if value is None else [_copy(value)]
    elif not isinstance(holder, dict):
        no_table = gettext_noop("%(key)s cannot be written into what is not a table. Change the file itself.")
        raise TomlChangeError(Phrase(no_table, key=key))
    elif value is None:
        holder.pop(key, None)
    else:
        holder[key] = _copy(value)


def _change(text: str, path: TomlPath, value: TomlValue | None) -> str:
    document = TomlDocument(text)
    entry, holder = document.find_entry(path), document.find_holder(path)
    if entry is not None:
        if value is None:
            return text[: entry.start] + text[entry.end :]
        return _replace_value(document, entry, value)
    if holder is not None:
        whole: Any = _copy(find_value(tomllib.loads(text), holder.path))
        _set_value(whole, path[len(holder.path) :], value)
        if whole == []:
            return text[: holder.start] + text[holder.end :]
        return _replace_value(document, holder, whole)
    if value is None:
        return _remove_tables(document, path)
    if isinstance(value, Mapping):
        return _change_table(document, path, value)
    return _insert(document, path, value)


def _replace_value(document: TomlDocument, entry: TomlEntry, value: TomlValue) -> str:
    text, span = document.text, (entry.value_start, entry.value_end)
    old = find_value(tomllib.loads(text), entry.path)
    if old == value and type(old) is type(value):
        return text
    if isinstance(old, list) and isinstance(value, Sequence) and not isinstance(value, str):
        written = _change_array(text, span, old, value, document.line_end)
    else:
        written = write_value(value, like=text[entry.value_start])
    return text[: span[0]] + written + text[span[1] :]


def _remove_tables(document: TomlDocument, path: TomlPath) -> str:
    """Take out every header and key at ``path`` and inside it."""
    text = document.text
    spans = [
        (entry.start, entry.end)
        for table in document.tables
        for entry in table.entries
        if entry.path[: len(path)] == path and table.path[: len(path)] != path
    ]
    spans += [(table.start, table.last_end) for table in document.list_below(path)]
    for start, end in sorted(spans, reverse=True):
        text = _cut(text, start, end, document.line_end)
    return text


def _cut(text: str, start: int, end: int, line_end: str) -> str:
    """Take out some lines; a table takes one of the blank lines around it with it."""
    if text[start:end].lstrip(" \t").startswith("["):
        if text.startswith(line_end, end):
            end += len(line_end)
        elif end == len(text) and text[:start].endswith(line_end * 2):
            start -= len(line_end)
    return text[:start] + text[end:]


def _change_table(document: TomlDocument, path: TomlPath, value: Mapping[str, TomlValue]) -> str:
    text = document.text
    there = find_value(tomllib.loads(text), path)
    if there is None and isinstance(path[-1], int):
        text = _add_table(document, path, f"[[{write_keys(path)}]]", "")
    for key in there if isinstance(there, dict) else ():
        if key not in value:
            text = _change(text, (*path, key), None)
    for key, item in value.items():
        text = _change(text, (*path, key), item)
    return text


def _insert(document: TomlDocument, path: TomlPath, value: TomlValue) -> str:
    *outer, key = path
    assert isinstance(key, str)  # noqa: S101 - items of arrays are changed with their array
    parent, written = tuple(outer), f"{write_key(key)} = {write_value(value)}"
    table = document.find_table(parent)
    if table is not None:
        place = _find_place(document, table, key)
        return _insert_line(document, place, written)
    sibling = _find_dotted(document, parent)
    if sibling is not None:
        home, entry = sibling
        name = write_keys(path[len(home.path) :])
        return _insert_line(document, entry.end, f"{name} = {write_value(value)}")
    return _add_table(document, parent, f"[{write_keys(parent)}]", written)


def _find_place(document: TomlDocument, table: TomlTable, key: str) -> int:
    text = document.text
    following = [other.start for other in document.tables if other.start >= table.end and other is not table]
    region = text[table.end : min(following, default=len(text))]
    # The rest of a value on several lines may look like such a comment.
    shown = re.compile(rf"^[ \t]*#[ \t]*{re.escape(write_key(key))}[ \t]*=", re.MULTILINE)
    for found in shown.finditer(region):
        place = table.end + found.start()
        if not any(entry.value_start <= place < entry.value_end for entry in table.entries):
            return find_line_end(text, place)
    if table.entries or table.path:
        return table.last_end
    return _find_block_start(text, document.tables[1].start) if len(document.tables) > 1 else len(text)


def _find_dotted(document: TomlDocument, parent: TomlPath) -> tuple[TomlTable, TomlEntry] | None:
    """The last key written ``parent.other``, and the table it stands in."""
    found = None
    for table in document.tables:
        for entry in table.entries:
            if entry.path[: len(parent)] == parent and len(table.path) < len(parent):
                found = table, entry
    return found


def _insert_line(document: TomlDocument, place: int, line: str) -> str:
    text, end = document.text, document.line_end
    before = "" if place == 0 or text[place - 1] == "\n" else end
    return f"{text[:place]}{before}{line}{end}{text[place:]}"


def _add_table(document: TomlDocument, path: TomlPath, header: str, line: str) -> str:
    """Write a header that was not there, behind the table that it has most in common with."""
    text, end = document.text, document.line_end
    block = f"{header}{end}{f'{line}{end}' if line else ''}"
    shared = [_count_shared(table.path, path) for table in document.tables[1:]]
    most = max(shared, default=0)
    number = shared.index(most) + 1 if most else 0
    while number < len(shared) and shared[number] == most:
        number += 1
    if most and number + 1 < len(document.tables):
        place = _find_block_start(text, document.tables[number + 1].start)
        return f"{text[:place]}{block}{end}{text[place:]}"
    joint = "" if not text else end if text.endswith("\n") else end * 2
    return f"{text}{joint}{block}"


def _count_shared(one: TomlPath, other: TomlPath) -> int:
    """How near two tables are: other items of the same array are less near than what is in the same item."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            return count + (isinstance(left, int) and isinstance(right, int))
        count += 2
    return count


def _find_block_start(text: str, header: int) -> int:
    """Where the comments directly above a header begin."""
    place = header
    while place > 0:
        above = text.rfind("\n", 0, place - 1) + 1
        if not text[above:place].lstrip(" \t").startswith("#"):
            break
        place = above
    return place


def _reorder(text: str, path: TomlPath, keys: Sequence[str]) -> str:
    """Write the keys of a table in another order; comments above a key, and beside it, go with it."""
    document = TomlDocument(text)
    table = document.find_table(path)
    if table is None:
        holder = document.find_entry(path)
        if holder is None:
            return text
        old = find_value(tomllib.loads(text), path)
        ordered = {key: old[key] for key in (*keys, *old) if key in old}
        return text[: holder.value_start] + write_value(ordered) + text[holder.value_end :]
    starts = [table.entries[0].start, *(entry.end for entry in table.entries[:-1])] if table.entries else []
    blocks = {
        entry.path[-1]: text[start : entry.end] for start, entry in zip(starts, table.entries, strict=True)
    }
    ordered_keys = [key for key in (*dict.fromkeys(keys), *blocks) if key in blocks]
    lines = [blocks[key] for key in dict.fromkeys(ordered_keys)]
    joined = "".join(one if one.endswith("\n") else f"{one}{document.line_end}" for one in lines)
    return text[: table.entries[0].start] + joined + text[table.last_end :] if lines else text


def _change_array(
    text: str, span: tuple[int, int], old: Sequence[TomlValue], new: Sequence[TomlValue], line_end: str
) -> str:
    """Return the text of the array at ``span``, with the items ``new`` in place of ``old``."""
    start, end = span
    items = list_items(text, start)
    like = text[items[0][0]] if items else ""
    kept = _match_items(old, new)
    if _has_line_each(text, items, end):
        return _write_lines(text, span, items, new, kept, like, line_end)
    parts = [
        write_value(value, like=like) if number is None else text[slice(*items[number])]
        for value, number in zip(new, kept, strict=True)
    ]
    return f"[{', '.join(parts)}]"


def _match_items(old: Sequence[TomlValue], new: Sequence[TomlValue]) -> list[int | None]:
    """For each new item, the number of the old one that it is; None if it was not there."""
    free = list(range(len(old)))
    kept: list[int | None] = []
    for value in new:
        number = next((one for one in free if old[one] == value and type(old[one]) is type(value)), None)
        if number is not None:
            free.remove(number)
        kept.append(number)
    return kept


def _has_line_each(text: str, items: Sequence[tuple[int, int]], end: int) -> bool:
    """Whether each item begins a line, and the closing bracket stands on one of its own."""
    starts = [start for start, _ in items]
    return bool(items) and all(_begins_line(text, place) for place in (*starts, end - 1))


def _begins_line(text: str, place: int) -> bool:
    return not text[text.rfind("\n", 0, place) + 1 : place].strip(" \t")


def _write_lines(
    text: str,
    span: tuple[int, int],
    items: Sequence[tuple[int, int]],
    new: Sequence[TomlValue],
    kept: Sequence[int | None],
    like: str,
    line_end: str,
) -> str:
    start, end = span
    first = text.rfind("\n", 0, items[0][0]) + 1
    indent = text[first : items[0][0]]
    last_line = text.rfind("\n", 0, end - 1) + 1
    above = _list_above(text, items, last_line)
    lines = []
    for value, number in zip(new, kept, strict=True):
        if number is None:
            lines.append(f"{indent}{write_value(value, like=like)},{line_end}")
            continue
        item_start, item_end = items[number]
        begin = text.rfind("\n", 0, item_start) + 1
        rest = text[item_end : find_line_end(text, item_end)]
        comma = "" if rest.lstrip(" \t").startswith(",") else ","
        # Comments above an item that is gone stay where they were.
        lines += above[: number + 1]
        above[: number + 1] = [""] * (number + 1)
        lines.append(f"{text[begin:item_end]}{comma}{rest}")
    return text[start:first] + "".join((*lines, *above)) + text[last_line:end]


def _list_above(text: str, items: Sequence[tuple[int, int]], last_line: int) -> list[str]:
    """The lines above each item but the first, and those behind the last."""
    found = [""]
    starts = [text.rfind("\n", 0, start) + 1 for start, _ in items[1:]]
    for (_, item_end), following in zip(items, [*starts, last_line], strict=True):
        found.append(text[find_line_end(text, item_end) : following])
    return found
