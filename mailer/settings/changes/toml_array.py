"""An array with other items, in which the items that stay keep their lines and comments."""

from collections.abc import Sequence

from mailer.settings.changes.toml_nodes import find_line_end, list_items
from mailer.settings.changes.toml_writer import TomlValue, write_value


def change_array(
    text: str, span: tuple[int, int], old: Sequence[TomlValue], new: Sequence[TomlValue], line_end: str
) -> str:
    """The text of the array at ``span``, with the items ``new`` in place of ``old``."""
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
