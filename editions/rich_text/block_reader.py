"""Reading Markdown into nodes, block by block."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from editions.markdown.dialect import MAX_CHARACTERS, MAX_NESTING, create_parser
from editions.markdown.writing_systems import join_soft_breaks
from editions.rich_text.nodes import (
    BREAK,
    MARK_ORDER,
    Block,
    BlockKind,
    Mark,
    MarkKind,
    RawReason,
    Text,
    append_text,
    is_editable_link,
)
from editions.unsafe_characters import remove_unsafe_characters

_EMPHASIS = {
    f"{name}_{end}": kind
    for name, kind in (("em", MarkKind.em), ("strong", MarkKind.strong), ("s", MarkKind.strike))
    for end in ("open", "close")
}
_CODE = Mark(MarkKind.code)
_UNMODELLED_INLINE = {
    "image": RawReason.picture,
    "html_inline": RawReason.html,
    "footnote_ref": RawReason.footnote,
}
_LINE_END = re.compile(r"\r\n|\r|\n")
# As the parser does, and as str.splitlines does not: it also divides at U+2028 and the like.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_LAST_LINE_END = re.compile(r"(?:\r\n|\r|\n)\Z")
# A definition of a link inside a quotation or an item, which the parser takes out.
_INNER_DEFINITION = re.compile(r"^(?:[>\s]|[-+*]\s|\d{1,9}[.)]\s)+\[[^\]\n]+\]:", re.MULTILINE)
_CONTAINERS = {
    "blockquote_open": BlockKind.blockquote,
    "bullet_list_open": BlockKind.bullet_list,
    "ordered_list_open": BlockKind.ordered_list,
    "list_item_open": BlockKind.list_item,
}
_UNMODELLED = {
    "table_open": RawReason.table,
    "fence": RawReason.code,
    "code_block": RawReason.code,
    "html_block": RawReason.html,
    "footnote_reference_open": RawReason.footnote,
}
_EMPTY_PARAGRAPH = Block(BlockKind.paragraph)
_Span = tuple[int, int, Block]


class UnmodelledError(Exception):
    """The editor has nothing like it."""

    def __init__(self, why: RawReason) -> None:
        super().__init__(why)
        self.why = why


def read_inline(children: Sequence[Token]) -> tuple[Text, ...]:
    """Read the tokens inside a block. A line end of the source becomes what it is in the mail: a space, or
    nothing between two Chinese or Japanese characters. Raise UnmodelledError if there is a picture, a
    footnote, HTML, or a link that must not be opened."""
    tokens = [*children]
    join_soft_breaks(tokens)
    texts: list[Text] = []
    opened: list[Mark] = []
    for token in tokens:
        kind = token.type
        if kind == "text":
            append_text(texts, Text(_show_tabs(token.content), sort_marks(opened)))
        elif kind == "code_inline":
            append_text(texts, Text(_show_tabs(token.content), sort_marks([*opened, _CODE])))
        elif kind == "hardbreak":
            texts.append(BREAK)
        elif kind == "link_open":
            opened.append(_read_link(token))
        elif kind == "link_close":
            _close(opened, MarkKind.link)
        elif kind not in _EMPHASIS:
            raise UnmodelledError(_UNMODELLED_INLINE[kind])
        elif token.nesting > 0:
            opened.append(Mark(_EMPHASIS[kind]))
        else:
            _close(opened, _EMPHASIS[kind])
    return tuple(texts)


def _show_tabs(text: str) -> str:
    """Return ``text`` as the mail shows it, in which a tab is a space."""
    return text.replace("\t", " ")


def sort_marks(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """Return the marks as a text has them: in order, one of each kind."""
    if len(marks) < 2:
        return tuple(marks)
    by_kind = {mark.kind: mark for mark in reversed(marks)}
    return tuple(sorted(by_kind.values(), key=lambda mark: MARK_ORDER[mark.kind]))


def _read_link(token: Token) -> Mark:
    href = str(token.attrs.get("href", ""))
    if not is_editable_link(href):
        raise UnmodelledError(RawReason.link)
    return Mark(MarkKind.link, href, str(token.attrs.get("title", "")))


def _close(opened: list[Mark], kind: MarkKind) -> None:
    place = max(place for place, mark in enumerate(opened) if mark.kind is kind)
    del opened[place]


def find_line_end(text: str) -> str:
    """Return the line end that ``text`` has first; ``\\n`` if it has none."""
    found = _LINE_END.search(text)
    return found[0] if found else "\n"


def normalise_line_ends(text: str) -> str:
    """Return ``text`` with ``\\n`` for every kind of line end."""
    return _LINE_END.sub("\n", text) if "\r" in text else text


@dataclass(frozen=True, kw_only=True)
class SourceBlock:
    """A block with its bytes: ``gap`` is what is before it since the block before, line ends and blank lines;
    ``source`` has no line end after its last line. ``lines`` are the first of its lines and the one after its
    last."""

    block: Block
    gap: str
    source: str
    lines: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class MarkdownSource:
    """Markdown as blocks. Joined, the gaps and sources and the ``tail`` are what was read. ``references`` are
    the definitions of links, by which a part of it can be read alone."""

    blocks: tuple[SourceBlock, ...]
    tail: str
    references: dict[str, Any] = field(default_factory=dict)


def read_blocks(markdown: str, references: dict[str, Any] | None = None) -> MarkdownSource:
    """Read Markdown as blocks. What the editor has no block for is a raw one, whole with all that is in it.
    ``references`` are definitions of links that are elsewhere."""
    lines = _LINE.findall(markdown)
    if len(markdown) > MAX_CHARACTERS:
        return _divide(lines, [(0, len(lines), _make_raw(RawReason.too_long))], {})
    # As text files are read: what is not allowed in an email is not there.
    text = remove_unsafe_characters(normalise_line_ends(markdown))
    env: dict[str, Any] = {"references": dict(references or {})}
    spans = _find_spans(_parser().parse(text, env), lines)
    return _divide(lines, spans, env["references"])


@cache
def _parser() -> MarkdownIt:
    # A footnote stays where it is written.
    return create_parser().disable("footnote_tail")


def _find_spans(tokens: Sequence[Token], lines: Sequence[str]) -> list[_Span]:
    """Return the blocks with their lines; those between them that are not blank are definitions."""
    spans: list[_Span] = []
    start = reached = 0
    while start < len(tokens):
        end = _find_end(tokens, start)
        first, last = tokens[start].map or [reached, reached]
        # What the parser counts as a list's may end with blank lines.
        while last > first and not lines[last - 1].strip():
            last -= 1
        if last > first:
            spans += _find_definitions(lines, reached, first)
            spans.append((first, last, _read_top_block(tokens[start:end], "".join(lines[first:last]))))
            reached = last
        start = end
    return [*spans, *_find_definitions(lines, reached, len(lines))]


def _find_end(tokens: Sequence[Token], start: int) -> int:
    depth = 0
    for place in range(start, len(tokens)):
        depth += tokens[place].nesting
        if not depth:
            return place + 1
    return len(tokens)


def _find_definitions(lines: Sequence[str], first: int, last: int) -> list[_Span]:
    while first < last and not lines[first].strip():
        first += 1
    while last > first and not lines[last - 1].strip():
        last -= 1
    return [(first, last, _make_raw(RawReason.definition))] if first < last else []


def _read_top_block(tokens: Sequence[Token], source: str) -> Block:
    try:
        if tokens[0].type in _CONTAINERS and _INNER_DEFINITION.search(source):
            raise UnmodelledError(RawReason.definition)
        return _read_siblings(tokens, 0, len(tokens))[0]
    except UnmodelledError as unmodelled:
        return _make_raw(unmodelled.why)


def _make_raw(why: RawReason) -> Block:
    return Block(BlockKind.raw, why=why)


def _read_siblings(tokens: Sequence[Token], start: int, stop: int) -> list[Block]:
    blocks: list[Block] = []
    while start < stop:
        token = tokens[start]
        if token.type == "paragraph_open":
            blocks.append(Block(BlockKind.paragraph, read_inline(tokens[start + 1].children or ())))
            start += 3
        elif token.type == "heading_open":
            if token.tag not in {"h2", "h3"}:
                raise UnmodelledError(RawReason.heading)
            texts = read_inline(tokens[start + 1].children or ())
            blocks.append(Block(BlockKind.heading, texts, level=int(token.tag[1])))
            start += 3
        elif token.type == "hr":
            blocks.append(Block(BlockKind.horizontal_rule))
            start += 1
        elif token.type in _CONTAINERS:
            end = _find_end(tokens, start)
            blocks.append(_read_container(tokens, start, end))
            start = end
        else:
            raise UnmodelledError(_UNMODELLED[token.type])
    return blocks


def _read_container(tokens: Sequence[Token], start: int, end: int) -> Block:
    token = tokens[start]
    kind = _CONTAINERS[token.type]
    if token.level >= MAX_NESTING - 1:
        raise UnmodelledError(RawReason.nested_too_deep)
    if "type" in token.attrs:
        raise UnmodelledError(RawReason.lettered_list)
    inner = tuple(_read_siblings(tokens, start + 1, end - 1))
    if kind is BlockKind.blockquote:
        return Block(kind, blocks=inner or (_EMPTY_PARAGRAPH,))
    if kind is BlockKind.list_item:
        begins = bool(inner) and inner[0].kind is BlockKind.paragraph
        return Block(kind, blocks=inner if begins else (_EMPTY_PARAGRAPH, *inner))
    own = token.level + 2
    loose = any(
        item.type == "paragraph_open" and item.level == own and not item.hidden for item in tokens[start:end]
    )
    order = int(token.attrs.get("start", 1)) if kind is BlockKind.ordered_list else 1
    return Block(kind, blocks=inner, tight=not loose, order=order)


def _divide(lines: Sequence[str], spans: Sequence[_Span], references: dict[str, Any]) -> MarkdownSource:
    blocks: list[SourceBlock] = []
    reached, carried = 0, ""
    for first, last, block in spans:
        written = "".join(lines[first:last])
        end = found[0] if (found := _LAST_LINE_END.search(written)) else ""
        source = written.removesuffix(end)
        if block.kind is BlockKind.raw:
            block = block._replace(source=remove_unsafe_characters(normalise_line_ends(source)))
        gap = carried + "".join(lines[reached:first])
        blocks.append(SourceBlock(block=block, gap=gap, source=source, lines=(first, last)))
        reached, carried = last, end
    return MarkdownSource(
        blocks=tuple(blocks), tail=carried + "".join(lines[reached:]), references=references
    )
