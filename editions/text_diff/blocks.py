"""Blocks of a Markdown file: keys of the front matter, headings, paragraphs, list items, fenced code.

The blocks of a text, joined, are the text: nothing is left out or added.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_KEY = re.compile(r"(?P<key>[^\s#:\-\[\]{}][^:]*?)\s*:(?:\s|$)")
_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])(?:\s|$)")
_FRONT_MATTER_FENCE = "---"


class BlockKind(StrEnum):
    """What a block is."""

    header = "header"
    """A part of the front matter."""

    text = "text"
    """A paragraph, heading, quotation, table or anything else of the body."""

    list_item = "list-item"
    """An item of a list."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block with the blank lines after it. ``key`` is that of the front matter, "" for none."""

    text: str
    kind: BlockKind = BlockKind.text
    key: str = ""

    @property
    def content(self) -> str:
        """The block without the space around it, by which blocks are the same or not."""
        return self.text.strip()


def split_blocks(text: str) -> tuple[Block, ...]:
    """Split a text with ``\\n`` line ends into its blocks."""
    lines = _LINE.findall(text)
    end = _find_end_of_front_matter(lines)
    return (*_split_front_matter(lines[:end]), *_split_body(lines[end:]))


def _find_end_of_front_matter(lines: list[str]) -> int:
    """How many lines belong to the front matter, with the blank ones after it; 0 if there is none."""
    if not lines or lines[0].rstrip() != _FRONT_MATTER_FENCE:
        return 0
    end = next((number for number, line in enumerate(lines) if number and _is_fence(line)), None)
    if end is None:
        return 0
    end += 1
    while end < len(lines) and not lines[end].strip():
        end += 1
    return end


def _is_fence(line: str) -> bool:
    return line.rstrip() == _FRONT_MATTER_FENCE


def _split_front_matter(lines: list[str]) -> list[Block]:
    blocks: list[Block] = []
    key = ""
    taken: list[str] = []
    for number, line in enumerate(lines):
        found = None if number == 0 else _KEY.match(line)
        # The closing line stands for itself, and so does the opening one.
        begins = found is not None or number == 1 or (number > 1 and _is_fence(line))
        if begins and taken:
            blocks.append(Block(text="".join(taken), kind=BlockKind.header, key=key))
            key, taken = "", []
        if found is not None:
            key = found["key"].strip("\"'")
        taken.append(line)
    if taken:
        blocks.append(Block(text="".join(taken), kind=BlockKind.header, key=key))
    return blocks


def _split_body(lines: list[str]) -> list[Block]:
    blocks: list[Block] = []
    taken: list[str] = []
    fence = ""
    after_blank = False
    for line in lines:
        if taken and not fence and _begins_block(line, taken, after_blank=after_blank):
            blocks.append(_make_body_block(taken))
            taken = []
        taken.append(line)
        fence = _follow_fence(fence, line)
        after_blank = not fence and not line.strip()
    if taken:
        blocks.append(_make_body_block(taken))
    return blocks


def _begins_block(line: str, taken: list[str], *, after_blank: bool) -> bool:
    if not line.strip():
        return False
    if after_blank or _HEADING.match(line) or _LIST_ITEM.match(line) or _FENCE.match(line):
        return True
    before = taken[-1]
    return bool(_HEADING.match(before)) or (len(taken) > 1 and _is_closing(taken, before))


def _is_closing(taken: list[str], line: str) -> bool:
    opening = _FENCE.match(taken[0])
    return opening is not None and _closes(opening["marks"], line)


def _follow_fence(fence: str, line: str) -> str:
    """The marks that have to close the fenced code in which the next line is; "" if it is in none."""
    found = _FENCE.match(line)
    if fence:
        return "" if _closes(fence, line) else fence
    return found["marks"] if found is not None else ""


def _closes(fence: str, line: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(fence) and not bare.strip(fence[0])


def _make_body_block(lines: list[str]) -> Block:
    kind = BlockKind.list_item if _LIST_ITEM.match(lines[0]) else BlockKind.text
    return Block(text="".join(lines), kind=kind)
