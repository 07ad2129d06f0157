"""Where each key and each value of YAML stands in its text.

Built from ruamel's parsing events, as :mod:`editions.source.yaml_parser` builds the values. Their marks do
not say where a block of text or an empty value ends, so that is worked out here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

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
        """The first entry of ``key``."""
        return next((entry for entry in self.entries if entry.key == key), None)


YamlNode: TypeAlias = "ScalarNode | SequenceNode | MappingNode"


def find_line_start(text: str, place: int) -> int:
    """Where the line with ``place`` begins."""
    return max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1


def find_line_end(text: str, place: int) -> int:
    """Where the line with ``place`` ends, before its line end."""
    found = _LINE_END.search(text, place)
    return found.start() if found else len(text)


def find_next_line(text: str, place: int) -> int:
    """Where the line after that with ``place`` begins."""
    found = _LINE_END.search(text, place)
    return found.end() if found else len(text)


def read_nodes(text: str) -> MappingNode | None:
    """The nodes of ``text``, which :func:`~editions.source.yaml_parser.parse_yaml` has accepted; None where
    it has no keys at all."""
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
            items=tuple(items),
            start=begins,
            end=end if is_block else _span(event)[1],
            is_block=is_block,
        )

    def _read_value(self, event: Event, before: int, column: int) -> YamlNode:
        """The node of ``event``. ``before`` is a place before it, where an empty value stands; ``column`` is
        that of its key or hyphen."""
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
        """Where the lines below a ``|`` or ``>`` at ``start`` end: those that are indented further than the
        key in ``column``, as far as the first of them."""
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
