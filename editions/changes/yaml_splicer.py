"""Changing values of a YAML text where they stand, so that everything else stays as it was written."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from editions.changes.yaml_writer import indent_lines, write_inline, write_items, write_scalar, write_value
from editions.source.yaml_parser import YamlValue

_LINE_END = re.compile(r"\r\n|\r|\n|\Z")


@dataclass(frozen=True, kw_only=True)
class ScalarNode:
    """A text. It stands at ``text[start:end]``, without a comment or blank lines after it. ``style`` is its
    quotation mark, ``|`` or ``>`` for a block of lines, or empty."""

    value: str
    start: int
    end: int
    style: str = ""

    @property
    def is_block(self) -> bool:
        """Whether it is on lines of its own, below a ``|`` or ``>``."""
        return self.style in {"|", ">"}


@dataclass(frozen=True, kw_only=True)
class SequenceNode:
    """A list; ``is_block`` has each item on a line of its own, after a hyphen at ``start``."""

    items: "Sequence[YamlNode]"
    start: int
    end: int
    is_block: bool


@dataclass(frozen=True, kw_only=True)
class MappingEntry:
    """A key and its value. ``colon`` is the place after the colon between them."""

    key: str
    start: int
    colon: int
    node: "YamlNode"

    @property
    def end(self) -> int:
        """Where it ends, without a comment after it."""
        return max(self.colon, self.node.end)


@dataclass(frozen=True, kw_only=True)
class MappingNode:
    """Keys with their values; ``is_block`` has each on a line of its own."""

    entries: Sequence[MappingEntry]
    start: int
    end: int
    is_block: bool

    def find(self, key: str) -> MappingEntry | None:
        return next((entry for entry in self.entries if entry.key == key), None)


YamlNode: TypeAlias = "ScalarNode | SequenceNode | MappingNode"


def find_line_start(text: str, place: int) -> int:
    return max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1


def find_line_end(text: str, place: int) -> int:
    """Return where the line with ``place`` ends, before its line end."""
    found = _LINE_END.search(text, place)
    return found.start() if found else len(text)


def find_next_line(text: str, place: int) -> int:
    found = _LINE_END.search(text, place)
    return found.end() if found else len(text)


def read_nodes(text: str) -> MappingNode | None:
    """Return the nodes of ``text``, which :func:`~editions.source.yaml_parser.parse_yaml` has accepted; None
    where it has no keys at all."""
    events = iter(YAML(typ="base", pure=True).parse(text))
    for event in events:
        if isinstance(event, MappingStartEvent):
            return _NodeReader(text, events).read_mapping(event)
    return None


class _NodeReader:
    def __init__(self, text: str, events: Iterator[Event]) -> None:
        self._text = text
        self._events = events

    def read_mapping(self, start: Event) -> MappingNode:
        entries: list[MappingEntry] = []
        while not isinstance(event := next(self._events), MappingEndEvent):
            begins, key_end = _span(event)
            colon = self._text.index(":", key_end) + 1
            node = self._read_value(next(self._events), colon, self._column(begins))
            entries.append(
                MappingEntry(key=str(getattr(event, "value", "")), start=begins, colon=colon, node=node)
            )
        is_block = not getattr(start, "flow_style", False)
        end = max((entry.end for entry in entries), default=_span(start)[1])
        return MappingNode(
            entries=tuple(entries),
            start=_span(start)[0],
            end=end if is_block else _span(event)[1],
            is_block=is_block,
        )

    def _read_sequence(self, start: Event) -> SequenceNode:
        items: list[YamlNode] = []
        begins = _span(start)[0]
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._read_value(event, begins, self._column(begins)))
        is_block = not getattr(start, "flow_style", False)
        end = max((item.end for item in items), default=_span(start)[1])
        return SequenceNode(
            items=tuple(items), start=begins, end=end if is_block else _span(event)[1], is_block=is_block
        )

    def _read_value(self, event: Event, before: int, column: int) -> YamlNode:
        """Return the node of ``event``; an empty value stands at ``before``, its key or hyphen in
        ``column``."""
        if isinstance(event, MappingStartEvent):
            return self.read_mapping(event)
        if isinstance(event, SequenceStartEvent):
            return self._read_sequence(event)
        start, end = _span(event)
        style = getattr(event, "style", None) or ""
        if isinstance(event, ScalarEvent) and start == end:
            start = end = before
        elif style in {"|", ">"}:
            end = self._find_block_end(start, column)
        return ScalarNode(value=str(getattr(event, "value", "")), start=start, end=end, style=style)

    def _find_block_end(self, start: int, column: int) -> int:
        """Return the end of the lines below a ``|`` or ``>`` at ``start`` that are beyond ``column``."""
        header_end = find_line_end(self._text, start)
        keeps_blank_lines = "+" in self._text[start : start + 3]
        indent, end = 0, header_end
        place = find_next_line(self._text, start)
        while place < len(self._text):
            line_end = find_line_end(self._text, place)
            line = self._text[place:line_end]
            depth = len(line) - len(line.lstrip(" "))
            if line.strip(" "):
                indent = indent or max(depth, column + 1)
                if depth < indent:
                    break
                end = line_end
            elif keeps_blank_lines:
                end = line_end
            place = find_next_line(self._text, place)
        return end

    def _column(self, place: int) -> int:
        return place - find_line_start(self._text, place)


def _span(event: Event) -> tuple[int, int]:
    return int(event.start_mark.index), int(event.end_mark.index)


class Edit(NamedTuple):
    """``text[start:end]`` becomes ``new``."""

    start: int
    end: int
    new: str


class _RewriteError(Exception):
    """A change inside a list for which the whole list has to be written anew."""


def splice_mapping(
    text: str,
    node: MappingNode,
    old: Mapping[str, YamlValue],
    new: Mapping[str, YamlValue],
    *,
    order: Sequence[str] = (),
    line_end: str = "\n",
) -> list[Edit]:
    """Return the edits that give the keys of ``node``, each on a line of its own, the values ``new`` for
    ``old``. New keys go where ``order`` has them, and those that it does not have to the end."""
    return _Splicer(text, line_end).change_mapping(node, old, new, order)


class _Splicer:
    def __init__(self, text: str, line_end: str) -> None:
        self._text = text
        self._line_end = line_end

    def change_mapping(
        self,
        node: MappingNode,
        old: Mapping[str, YamlValue],
        new: Mapping[str, YamlValue],
        order: Sequence[str] = (),
    ) -> list[Edit]:
        edits: list[Edit] = []
        # Of a key that is given twice, the first counts.
        for entry in {entry.key: entry for entry in reversed(node.entries)}.values():
            value = new.get(entry.key, "")
            if value == old.get(entry.key, ""):
                continue
            edits += (
                self._remove(entry)
                if value == ""
                else self._change_entry(entry, old.get(entry.key, ""), value)
            )
        written = {entry.key for entry in node.entries}
        added = [key for key in new if key not in written]
        # A key that the order has not is put to the end, where `rank` has it.
        rank = {key: place for place, key in enumerate(order)}
        for key in sorted(added, key=lambda key: rank.get(key, len(rank))):
            edits.append(self._insert(node, key, new[key], order))
        return edits

    def _change_entry(self, entry: MappingEntry, old: YamlValue, new: YamlValue) -> list[Edit]:
        node = entry.node
        inside = self._change_inside(node, old, new)
        if inside is not None:
            return inside
        text, column = self._text, self._column(entry.start)
        end = find_line_end(text, entry.end)
        style = node.style if isinstance(node, ScalarNode) else ""
        is_flow = None if isinstance(node, ScalarNode) else not node.is_block
        after, below = write_value(new, style=style, is_flow=is_flow)
        comment = self._find_comment(entry)
        if isinstance(node, SequenceNode) and node.is_block and isinstance(new, list):
            column, below = self._column(node.start), write_items(new)
        elif isinstance(new, str):
            column += self._find_further_indent(entry, end)
        lines = [f"{after}{comment}", *indent_lines(below, " " * column)]
        return [Edit(entry.colon, end, self._line_end.join(lines))]

    def _change_inside(self, node: YamlNode, old: YamlValue, new: YamlValue) -> list[Edit] | None:
        """Return the edits within ``node``; None if it has to be written anew as a whole."""
        if isinstance(node, ScalarNode):
            if node.is_block or not isinstance(new, str) or "\n" in new or node.start == node.end:
                return None
            return [Edit(node.start, node.end, write_scalar(new, style=node.style))]
        if not node.is_block:
            if isinstance(new, str):
                return None
            return [Edit(node.start, node.end, write_inline(new))]
        if isinstance(node, MappingNode) and isinstance(old, dict) and isinstance(new, dict):
            return self.change_mapping(node, old, new)
        if isinstance(node, SequenceNode) and isinstance(old, list) and isinstance(new, list):
            try:
                return self._change_items(node, old, new)
            except _RewriteError:
                return None
        return None

    def _change_items(
        self, node: SequenceNode, old: Sequence[YamlValue], new: Sequence[YamlValue]
    ) -> list[Edit]:
        if len(old) != len(new) or len(old) != len(node.items):
            raise _RewriteError
        edits: list[Edit] = []
        for item, before, after in zip(node.items, old, new, strict=True):
            if before == after:
                continue
            inside = self._change_inside(item, before, after)
            if inside is None:
                raise _RewriteError
            edits += inside
        return edits

    def _remove(self, entry: MappingEntry) -> list[Edit]:
        """Take a key out with its line, unless there is a comment beside it: that stays with an open key."""
        start, end = find_line_start(self._text, entry.start), find_next_line(self._text, entry.end)
        if self._text[start : entry.start].strip(" "):
            raise _RewriteError
        comment = self._find_comment(entry)
        if comment and isinstance(entry.node, ScalarNode):
            return [Edit(entry.colon, find_line_end(self._text, entry.end), comment)]
        return [Edit(start, end, "")]

    def _insert(self, node: MappingNode, key: str, value: YamlValue, order: Sequence[str]) -> Edit:
        column = self._column(node.entries[0].start)
        after, below = write_value(value)
        lines = indent_lines([f"{write_scalar(key)}:{after}", *below], " " * column)
        place = self._find_place(node, key, order)
        return Edit(place, place, "".join(f"{line}{self._line_end}" for line in lines))

    def _find_place(self, node: MappingNode, key: str, order: Sequence[str]) -> int:
        """Return where the line of a new ``key`` goes: to its example after a ``#``, or after the last before
        it."""
        if (example := self._find_example(node, key)) is not None:
            return example
        rank = {name: number for number, name in enumerate(order)}
        if key not in rank:
            return find_next_line(self._text, node.end)
        before = [entry for entry in node.entries if rank.get(entry.key, len(rank)) < rank[key]]
        if before:
            nearest = max(before, key=lambda entry: rank[entry.key])
            return find_next_line(self._text, nearest.end)
        return self._find_start(node)

    def _find_start(self, node: MappingNode) -> int:
        """Return where a key before all others goes: above the comment that belongs to the first."""
        place = find_line_start(self._text, node.entries[0].start)
        if self._text[place : node.entries[0].start].strip(" "):
            raise _RewriteError
        above = place
        while above and self._text[find_line_start(self._text, above - 1) :].lstrip(" ").startswith("#"):
            above = find_line_start(self._text, above - 1)
        # A comment at the very top is about the file.
        return above or place

    def _find_example(self, node: MappingNode, key: str) -> int | None:
        """Return the line of ``key`` after a ``#``, as the example edition and imported ones have it."""
        column = self._column(node.entries[0].start)
        for found in re.finditer(rf"^ {{{column}}}#[ ]?{re.escape(key)}:", self._text, re.MULTILINE):
            if not any(entry.start < found.start() < entry.end for entry in node.entries):
                return found.start()
        return None

    def _find_comment(self, entry: MappingEntry) -> str:
        """Return the comment beside a key, with the spaces before it; empty if there is none."""
        node, start = entry.node, entry.colon
        if isinstance(node, ScalarNode) and node.is_block:
            start = node.start
        elif isinstance(node, ScalarNode) or not node.is_block:
            start = entry.end
        found = re.search(r"(?:^|(?<=\s))#.*", self._text[start : find_line_end(self._text, start)])
        return f"  {found.group()}" if found else ""

    def _find_further_indent(self, entry: MappingEntry, end: int) -> int:
        """Return how many spaces more the lines of a text need: as many as they had, and more than a comment
        below, which would be read as one of them."""
        column, node = self._column(entry.start), entry.node
        needed = 0
        if isinstance(node, ScalarNode) and node.is_block:
            first = self._text[find_next_line(self._text, node.start) :].lstrip("\r\n")
            needed = len(first) - len(first.lstrip(" ")) - column - 2
        rest = self._text[find_next_line(self._text, end) :]
        below = re.match(r"(?:[ ]*[\r\n]+)*(?P<indent>[ ]*)#", rest)
        return max(needed, len(below["indent"]) - column - 1 if below else 0, 0)

    def _column(self, place: int) -> int:
        return place - find_line_start(self._text, place)
