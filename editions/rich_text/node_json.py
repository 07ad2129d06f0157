"""Documents as the JSON of the editor (ProseMirror), written for it and read from it with suspicion."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from editions.rich_text.block_reader import sort_marks
from editions.rich_text.nodes import (
    BREAK,
    MAX_HREF_LENGTH,
    TEXT_KINDS,
    Block,
    BlockKind,
    DocumentSchemaError,
    Mark,
    MarkKind,
    RawReason,
    Text,
    is_editable_link,
)
from editions.unsafe_characters import find_unsafe_character

MAX_CHARACTERS = 1_000_000
"""The most characters that a document may have. What is longer than a body may be is refused in kinder
words."""

_MAX_DEPTH = 60
_MAX_NODES = 100_000
_MAX_NUMBER = 999_999_999
_LEVELS = (2, 3)
# What programs put into pasted text for a line's end, and marks of direction, which nobody sees.
_SPACES = re.compile("[\t\n\x0b\x0c\r\u2028\u2029]")
_LINE_ENDS = re.compile("\r\n|[\x0b\x0c\r\u2028\u2029]")
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    BlockKind.heading: frozenset({"level"}),
    BlockKind.bullet_list: frozenset({"tight"}),
    BlockKind.ordered_list: frozenset({"tight", "order"}),
    BlockKind.raw: frozenset({"why"}),
    MarkKind.link: frozenset({"href", "title"}),
}
_INNER = {
    BlockKind.bullet_list: frozenset({BlockKind.list_item}),
    BlockKind.ordered_list: frozenset({BlockKind.list_item}),
}
_ANYWHERE = frozenset(BlockKind) - {BlockKind.list_item}


def encode_document(blocks: Sequence[Block]) -> dict[str, Any]:
    """Return the document of ``blocks``; an empty one has an empty paragraph, to write in."""
    content = [_encode_block(block) for block in blocks]
    return {"type": "doc", "content": content or [{"type": BlockKind.paragraph.value}]}


def _encode_block(block: Block) -> dict[str, Any]:
    node: dict[str, Any] = {"type": block.kind.value}
    match block.kind:
        case BlockKind.heading:
            node["attrs"] = {"level": block.level}
        case BlockKind.bullet_list:
            node["attrs"] = {"tight": block.tight}
        case BlockKind.ordered_list:
            node["attrs"] = {"tight": block.tight, "order": block.order}
        case BlockKind.raw:
            node["attrs"] = {"why": block.why.value if block.why else ""}
    if block.kind is BlockKind.raw:
        content = [{"type": "text", "text": block.source}] if block.source else []
    elif block.kind in TEXT_KINDS:
        content = [_encode_text(text) for text in block.texts]
    else:
        content = [_encode_block(inner) for inner in block.blocks]
    if content:
        node["content"] = content
    return node


def _encode_text(text: Text) -> dict[str, Any]:
    if text is BREAK:
        return {"type": "hard_break"}
    node: dict[str, Any] = {"type": "text", "text": text.text}
    if text.marks:
        node["marks"] = [_encode_mark(mark) for mark in text.marks]
    return node


def _encode_mark(mark: Mark) -> dict[str, Any]:
    if mark.kind is not MarkKind.link:
        return {"type": mark.kind.value}
    return {"type": "link", "attrs": {"href": mark.href, "title": mark.title or None}}


def decode_document(document: Mapping[str, Any]) -> tuple[Block, ...]:
    """Return the blocks of a document, of which nothing is believed. Raise DocumentSchemaError if it has
    something that the editor does not make."""
    return _Decoder().decode(document)


class _Decoder:
    """Counts what it has read, so that a huge document ends soon."""

    def __init__(self) -> None:
        self._nodes = self._characters = 0

    def decode(self, document: object) -> tuple[Block, ...]:
        node = self._open(document, frozenset())
        if node.get("type") != "doc":
            raise DocumentSchemaError("this is no document")
        return tuple(self._decode_block(inner, _ANYWHERE, 1) for inner in self._content(node))

    def _open(self, node: object, attributes: frozenset[str], *others: str) -> dict[str, Any]:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise DocumentSchemaError("it has too many parts")
        if not isinstance(node, dict):
            raise DocumentSchemaError("a part is no object")
        if set(node) - {"type", "attrs", "content", "marks", *others}:
            raise DocumentSchemaError("a part has unknown keys")
        attrs = {} if node.get("attrs") is None else node["attrs"]
        if not isinstance(attrs, dict) or set(attrs) - attributes:
            raise DocumentSchemaError("a part has unknown attributes")
        return node

    def _content(self, node: dict[str, Any]) -> list[Any]:
        content = [] if node.get("content") is None else node["content"]
        if not isinstance(content, list):
            raise DocumentSchemaError("content is no list")
        return content

    def _decode_block(self, value: object, allowed: frozenset[BlockKind], depth: int) -> Block:
        kind = _find_kind(value, allowed)
        node = self._open(value, _ATTRIBUTES.get(kind, frozenset()))
        if depth > _MAX_DEPTH:
            raise DocumentSchemaError("it is nested too deeply")
        if node.get("marks"):
            raise DocumentSchemaError("a block has marks")
        attrs, content = node.get("attrs") or {}, self._content(node)
        if kind is BlockKind.raw:
            return Block(kind, source="".join(map(self._decode_source, content)), why=_read_reason(attrs))
        if kind in TEXT_KINDS:
            texts = tuple(text for inner in content for text in self._decode_text(inner))
            return Block(
                kind,
                texts,
                level=_read_number(attrs, "level", _LEVELS, 2) if kind is BlockKind.heading else 0,
            )
        if kind is BlockKind.horizontal_rule and content:
            raise DocumentSchemaError("a line across has content")
        inner_kinds = _INNER.get(kind, _ANYWHERE)
        blocks = tuple(self._decode_block(inner, inner_kinds, depth + 1) for inner in content)
        if kind in _INNER and not blocks:
            raise DocumentSchemaError("a list has no items")
        tight = attrs.get("tight", True)
        if not isinstance(tight, bool):
            raise DocumentSchemaError("tight is neither true nor false")
        order = _read_number(attrs, "order", range(_MAX_NUMBER + 1), 1)
        return Block(kind, blocks=blocks, tight=tight, order=order)

    def _decode_source(self, value: object) -> str:
        node = self._open(value, frozenset(), "text")
        if node.get("type") != "text" or node.get("marks"):
            raise DocumentSchemaError("raw Markdown has other parts than text")
        return self._read_text(node, keep_lines=True)

    def _decode_text(self, value: object) -> list[Text]:
        node = self._open(value, frozenset(), "text")
        marks = self._decode_marks(node)
        if node.get("type") == "hard_break" and not node.get("content"):
            return [BREAK]
        if node.get("type") != "text" or node.get("content"):
            raise DocumentSchemaError("a paragraph has other parts than text")
        return [Text(self._read_text(node), marks)]

    def _read_text(self, node: dict[str, Any], *, keep_lines: bool = False) -> str:
        text = node.get("text")
        if not isinstance(text, str):
            raise DocumentSchemaError("a text is none")
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            raise DocumentSchemaError("it is too long")
        return _clean(text, keep_lines=keep_lines)

    def _decode_marks(self, node: dict[str, Any]) -> tuple[Mark, ...]:
        marks = node.get("marks") or []
        if not isinstance(marks, list) or len(marks) > 2 * len(MarkKind):
            raise DocumentSchemaError("marks are no list")
        return sort_marks([self._decode_mark(mark) for mark in marks])

    def _decode_mark(self, value: object) -> Mark:
        name = value.get("type") if isinstance(value, dict) else None
        kinds = [kind for kind in MarkKind if kind.value == name]
        if not kinds:
            raise DocumentSchemaError("there is an unknown mark")
        node = self._open(value, _ATTRIBUTES.get(kinds[0], frozenset()))
        if node.get("content") or node.get("marks"):
            raise DocumentSchemaError("a mark has content")
        if kinds[0] is not MarkKind.link:
            return Mark(kinds[0])
        attrs = node.get("attrs") or {}
        href, title = attrs.get("href"), attrs.get("title") or ""
        if not isinstance(href, str) or not isinstance(title, str):
            raise DocumentSchemaError("a link has no address")
        if max(len(href), len(title)) > MAX_HREF_LENGTH or not is_editable_link(href):
            raise DocumentSchemaError("a link has an address that must not be opened")
        return Mark(MarkKind.link, _clean(href), _clean(title))


def _clean(text: str, *, keep_lines: bool = False) -> str:
    text = _LINE_ENDS.sub("\n", text) if keep_lines else _SPACES.sub(" ", text)
    text = _DIRECTIONS.sub("", text)
    if find_unsafe_character(text):
        raise DocumentSchemaError("there is a control character")
    return text


def _find_kind(value: object, allowed: frozenset[BlockKind]) -> BlockKind:
    name = value.get("type") if isinstance(value, dict) else None
    for kind in allowed:
        if kind.value == name:
            return kind
    raise DocumentSchemaError("there is an unknown block, or one in the wrong place")


def _read_number(attrs: Mapping[str, Any], name: str, allowed: Sequence[int], default: int) -> int:
    number = attrs.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int) or number not in allowed:
        raise DocumentSchemaError(f"{name} is no number that it may be")
    return number


def _read_reason(attrs: Mapping[str, Any]) -> RawReason | None:
    why = attrs.get("why")
    if why is not None and not isinstance(why, str):
        raise DocumentSchemaError("why is no text")
    return RawReason(why) if why in list(RawReason) else None
