"""Where the stories of a document begin.

Documents differ. A newsletter made with styles has a heading above each story; many others have a masthead
in Heading 1 and the stories below it in Heading 2, use the style Title for every story, or set titles as
short lines in bold or larger type. So each way of marking titles gives ranked *heads*, and the first way that
gives at least two stories is taken.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate, zip_longest

from lxml import etree

from editions.imports.html.inline_spans import has_visible_text, one_line_text
from editions.imports.html.tree import HEADINGS, has_picture, text_content
from editions.imports.source_document import BOLD_ATTRIBUTE, SIZE_ATTRIBUTE
from locales.languages import display_width
from locales.phrase import Phrase, gettext_noop

_LARGE = 115
"""From this size on, in percent of the body text, type is larger and not only another font."""
_MAX_TITLE_WIDTH = 120
_SHORT_TEXT = 80
"""Fewer characters than this are a date, a motto or an address, and not a story."""
_FEW_LINES = 3
"""A heading with fewer bold lines below it than this is a story with subheadings."""
_ENDS_A_SENTENCE = re.compile(r"[.,;:。，；：、]$")


class StartRule(StrEnum):
    """By what the beginning of a story is known."""

    heading = "heading"
    title_style = "title-style"
    title_line = "title-line"
    """A short line in bold or larger type above ordinary text."""

    entry = "entry"
    document = "document"
    """Nothing: the document is one story."""


@dataclass(frozen=True, kw_only=True)
class StoryStarts:
    """Where stories begin; ``level`` is that of the heading, or 0. The others are indices of blocks.
    ``titles`` begin a story; ``masthead`` is the document's title; ``sections`` are headings above several
    stories, with no text of their own; ``kickers`` are lines that look like titles and stand above one."""

    rule: StartRule
    level: int = 0
    titles: frozenset[int] = frozenset()
    sections: frozenset[int] = frozenset()
    kickers: frozenset[int] = frozenset()
    masthead: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.rule is StartRule.heading:
            return Phrase("Stories begin at Heading %(level)s", level=self.level)
        if self.rule is StartRule.title_style:
            return gettext_noop("Stories begin at the style Title")
        if self.rule is StartRule.title_line:
            return gettext_noop("Stories begin at short lines in bold or larger type")
        if self.rule is StartRule.entry:
            return gettext_noop("Every entry of the feed is a story")
        return gettext_noop(
            "The whole document is one story, because nothing in it looks like the title of another"
        )


@dataclass(frozen=True, kw_only=True)
class _Head:
    """A block that may begin a story. The smaller its ``rank``, the higher it stands. ``own`` is whether text
    or a picture follows before the next head; ``any`` whether it does before the next of its rank."""

    index: int
    rank: int
    own: bool
    any: bool


def used_levels(blocks: Sequence[etree._Element]) -> Mapping[int, int]:
    return Counter(int(str(block.tag)[1]) for block in blocks if _is_heading(block))


def choose_starts(blocks: Sequence[etree._Element], *, level: int = 0) -> StoryStarts:
    """Return where stories begin in ``blocks``; at headings of ``level``, unless it is 0."""
    name = _find_title_paragraphs(blocks)
    headings = _rank_heads(blocks, {i: int(str(b.tag)[1]) for i, b in enumerate(blocks) if _is_heading(b)})
    if level:
        return _at_rank(StoryStarts(rule=StartRule.heading, level=level), headings, level, name)
    if rank := _choose_rank(headings, has_name=bool(name), blocks=blocks):
        return _at_rank(StoryStarts(rule=StartRule.heading, level=rank), headings, rank, name)
    for scheme in (_choose_title_style, _choose_title_lines):
        if choice := scheme(blocks, headings, name):
            return choice
    if single := next((head for head in headings if head.any), None):
        starts = StoryStarts(rule=StartRule.heading, level=single.rank)
        return _at_rank(starts, headings, single.rank, name)
    lines = _find_title_lines(blocks)
    first = next((index for index, block in enumerate(blocks) if _has_text(block)), -1)
    masthead = name or ((first,) if first in lines and len(lines) == 1 else ())
    return StoryStarts(rule=StartRule.document, masthead=masthead)


def _rank_heads(blocks: Sequence[etree._Element], ranks: Mapping[int, int]) -> list[_Head]:
    # How much there is before each block, so that a document of many heads takes one walk.
    full = [_has_text(block) or has_picture(block) for block in blocks]
    contents = [0, *accumulate(i not in ranks and is_full for i, is_full in enumerate(full))]
    heads: list[_Head] = []
    # The heads below the current one, of ever higher rank: the next one of its rank is there.
    later: list[int] = []
    next_head = len(blocks)
    for index in sorted(ranks, reverse=True):
        while later and ranks[later[-1]] > ranks[index]:
            later.pop()
        next_peer = later[-1] if later else len(blocks)
        shows = has_picture(blocks[index])
        heads.append(
            _Head(
                index=index,
                rank=ranks[index],
                own=shows or contents[next_head] > contents[index + 1],
                any=shows or contents[next_peer] > contents[index + 1],
            )
        )
        later.append(index)
        next_head = index
    return heads[::-1]


def _choose_rank(heads: Sequence[_Head], *, has_name: bool, blocks: Sequence[etree._Element]) -> int:
    """Return the highest rank that gives at least two stories; 0 when none does. Heads that all stand
    directly above other heads, and above many of them, are those of sections. A single head above several is
    the newsletter's name, unless the document has another name and few heads below it: then it is one story
    with subheadings."""
    ranks = sorted({head.rank for head in heads if head.any})
    for rank, deeper in zip_longest(ranks, ranks[1:], fillvalue=0):
        peers = [head for head in heads if head.rank == rank and head.any]
        below = [head for head in heads if head.rank == deeper and head.any]
        if len(peers) == 1:
            is_story = has_name and peers[0].own and len(below) < _FEW_LINES
            if is_story and _own_length(blocks, heads, peers[0]) >= _SHORT_TEXT:
                return rank
        elif any(head.own for head in peers) or len(below) * 2 < len(peers) * 3:
            return rank
    return 0


def _own_length(blocks: Sequence[etree._Element], heads: Sequence[_Head], head: _Head) -> int:
    """Return how many characters stand between ``head`` and the next one."""
    end = next((other.index for other in heads if other.index > head.index), len(blocks))
    return sum(len(text_content(block).strip()) for block in blocks[head.index + 1 : end])


def _at_rank(starts: StoryStarts, heads: Sequence[_Head], rank: int, name: tuple[int, ...]) -> StoryStarts:
    """Return the choice of all heads of ``rank``, and of higher ones with text of their own. A single one
    above the first of them is the document's name, if it has no other."""
    taken = [head for head in heads if head.rank <= rank]
    first = next((head.index for head in taken if head.rank == rank), 0)
    top = taken[0] if taken else None
    if not name and top and top.index < first and sum(head.rank == top.rank for head in taken) == 1:
        name = (top.index,)
        taken.remove(top)
    sections = frozenset(head.index for head in taken if head.rank < rank and head.any and not head.own)
    return replace(
        starts,
        titles=frozenset(head.index for head in taken) - sections,
        sections=sections,
        masthead=name,
    )


# --- the style Title ----------------------------------------------------------------------------------------


def _find_title_paragraphs(blocks: Sequence[etree._Element]) -> tuple[int, ...]:
    """Return the paragraphs with the style Title that stand together before any other of that style."""
    found: list[int] = []
    for index, block in enumerate(blocks):
        if block.get("class") == "title" and _has_text(block):
            found.append(index)
        elif found and _has_text(block):
            break
    return tuple(found)


def _choose_title_style(
    blocks: Sequence[etree._Element], headings: Sequence[_Head], name: tuple[int, ...]
) -> StoryStarts | None:
    """Stories at the style Title, if it is used for more than the newsletter's name."""
    ranks = {i: 1 for i, block in enumerate(blocks) if block.get("class") == "title" and _has_text(block)}
    heads = _rank_heads(blocks, ranks)
    masthead = name if name and _is_masthead(blocks, heads, name[-1]) else ()
    titles = frozenset(head.index for head in heads if head.own and head.index not in masthead)
    if len(titles) < 2:
        return None
    if not masthead and headings and headings[0].index < min(titles):
        masthead = (headings[0].index,)
    return StoryStarts(rule=StartRule.title_style, titles=titles, masthead=masthead)


def _is_masthead(blocks: Sequence[etree._Element], heads: Sequence[_Head], index: int) -> bool:
    """Return whether the first Title is the newsletter's name: larger than others, or above a line or two."""
    first = next(head for head in heads if head.index == index)
    others = [_size(blocks[head.index]) for head in heads if head.index > index]
    return (
        _own_length(blocks, heads, first) < _SHORT_TEXT
        or _size(blocks[index]) > max(others, default=0)
        or blocks[index + 1].get("class") == "subtitle"
    )


# --- short lines in bold or larger type ---------------------------------------------------------------------


def _choose_title_lines(
    blocks: Sequence[etree._Element], headings: Sequence[_Head], name: tuple[int, ...]
) -> StoryStarts | None:
    """Stories at short lines that look alike: the largest ones of which at least two have text below them."""
    lines = _find_title_lines(blocks)
    heads = _rank_heads(blocks, lines)
    rank = _choose_rank(heads, has_name=False, blocks=blocks)
    if not rank or sum(head.rank == rank and head.any for head in heads) < 2:
        # No two look alike: then what they have in common is that they stand out.
        heads, rank = _rank_heads(blocks, dict.fromkeys(lines, 1)), 1
    titles = [head for head in heads if head.rank == rank and head.any]
    single = next((head for head in headings if head.any), None)
    if len(titles) < (_FEW_LINES if single else 2):
        return None
    if single and not name and single.index < titles[0].index:
        name = (single.index,)
    choice = _at_rank(StoryStarts(rule=StartRule.title_line), heads, rank, name)
    empty = frozenset(head.index for head in heads if not head.any)
    also = frozenset({single.index} if single and single.index not in choice.masthead else ())
    return replace(
        choice, titles=choice.titles - empty | also, kickers=(empty & choice.titles) - set(choice.masthead)
    )


def _find_title_lines(blocks: Sequence[etree._Element]) -> dict[int, int]:
    """Return the lines that look like titles, with a rank for each look: larger type first, then bold."""
    texts = Counter(_key(block) for block in blocks)
    # What is there twice is a button such as “Read more”.
    lines = [i for i, block in enumerate(blocks) if is_title_line(block) and texts[_key(block)] == 1]
    looks = sorted({_look(blocks[i]) for i in lines}, reverse=True)
    return {index: looks.index(_look(blocks[index])) + 1 for index in lines}


def is_title_line(block: etree._Element) -> bool:
    """Return whether ``block`` is a short paragraph in bold or larger type that ends like no sentence."""
    if block.tag != "p" or block.get("class") or not any(_look(block)):
        return False
    text = one_line_text(block).strip()
    letters = sum(sign.isalpha() for sign in text)
    return letters > 1 and display_width(text) <= _MAX_TITLE_WIDTH and not _ENDS_A_SENTENCE.search(text)


def _look(block: etree._Element) -> tuple[int, bool]:
    """Return the size of ``block`` if it is large, else 0, and whether all of it is bold."""
    size = _size(block)
    return (size if size >= _LARGE else 0, block.get(BOLD_ATTRIBUTE) is not None or _is_all_bold(block))


def _is_all_bold(block: etree._Element) -> bool:
    visible = [bold for text, bold in _texts(block) if has_visible_text(text)]
    return bool(visible) and all(visible)


def _texts(element: etree._Element, *, bold: bool = False) -> Iterable[tuple[str, bool]]:
    """Yield each text, and whether it is bold."""
    bold = bold or element.tag in {"strong", "b"}
    yield element.text or "", bold
    for child in element:
        if child.tag != "sup":
            yield from _texts(child, bold=bold)
        yield child.tail or "", bold


def _size(block: etree._Element) -> int:
    written = block.get(SIZE_ATTRIBUTE) or ""
    return int(written) if written.isdecimal() else 100


def _key(block: etree._Element) -> str:
    return " ".join(text_content(block).casefold().split())


# --- blocks -------------------------------------------------------------------------------------------------


def _is_heading(block: etree._Element) -> bool:
    return block.tag in HEADINGS and has_visible_text(text_content(block))


def _has_text(block: etree._Element) -> bool:
    return has_visible_text(text_content(block))
