"""Blocks written so that reading them again is proved to give the same nodes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from editions.rich_text.block_reader import read_blocks
from editions.rich_text.block_writer import Style, detect_style, list_styles, write_block
from editions.rich_text.canonical_form import canonical_block, draw_in_emphasis
from editions.rich_text.nodes import Block, BlockKind, UnwritableError
from locales.phrase import gettext_noop

# Longer blocks are written anew: to compare them takes too long.
_MAX_LENGTH = 20_000
_WORD = re.compile(r"[^\W_]+|[^\s]")


def patch_source(source: str, *, before: str, after: str) -> str | None:
    """Return ``source`` with the change from ``before`` to ``after``; None where it is not found.

    ``before`` says the same as ``source`` with other signs and line ends.
    """
    start = _count_same(before, after)
    rest = min(len(before), len(after)) - start
    end = _count_same(before[len(before) - rest :][::-1], after[len(after) - rest :][::-1])
    inserted = after[start : len(after) - end]
    if before == source:
        return source[:start] + inserted + source[len(source) - end :]
    if max(len(before), len(source)) > _MAX_LENGTH:
        return None
    places = _find_places(before, source)
    first = places.get(start)
    last = first if start == len(before) - end else places.get(len(before) - end)
    if first is None or last is None or last < first:
        return None
    return source[:first] + inserted + source[last:]


def _count_same(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _find_places(before: str, source: str) -> dict[int, int]:
    """Return where the characters of ``before`` are in ``source``: those of words that both have."""
    words, found = list(_WORD.finditer(before)), list(_WORD.finditer(source))
    matcher = SequenceMatcher(None, [word[0] for word in words], [word[0] for word in found], autojunk=False)
    places: dict[int, int] = {}
    for match in matcher.get_matching_blocks():
        for number in range(match.size):
            word, place = words[match.a + number], found[match.b + number].start()
            for offset in range(len(word[0]) + 1):
                places.setdefault(word.start() + offset, place + offset)
    return places


MAX_DEPTH = 16
"""How deep lists and quotations may be in each other, a list counting twice. The parser's own limit is a
little further."""


@dataclass(frozen=True, kw_only=True)
class WrittenBlock:
    """A block as Markdown. ``block`` is what it says: the one that was asked for, or with ``adjusted``, the
    same words with emphasis drawn in past punctuation."""

    source: str
    block: Block
    adjusted: bool = False


@dataclass(frozen=True, kw_only=True)
class FormerBlock:
    """What a changed block was, in its canonical form, and how that was written."""

    block: Block
    source: str


def write_proved(
    block: Block,
    former: FormerBlock | None = None,
    *,
    base: Style | None = None,
    references: dict[str, Any] | None = None,
) -> WrittenBlock:
    """Write a block in its canonical form, so that it reads back as it is.

    Of ``former``, all is kept that has not changed: its signs and where its lines end. ``base`` has the signs
    for lists and the least number of backslashes, if they are to be others than before. ``references`` are
    the definitions of links around it.

    Raises:
        UnwritableError: Markdown cannot write it.
    """
    if block.kind is BlockKind.raw:
        return WrittenBlock(source=block.source, block=block)
    if measure_depth(block) > MAX_DEPTH:
        raise UnwritableError(
            gettext_noop(
                "Lists and quotations are nested too deeply here, and the mail would lose what is in them. "
                "Use one or two levels."
            )
        )
    if former is not None and (patched := _patch(block, former, references)) is not None:
        return WrittenBlock(source=patched, block=block)
    base = base or (detect_style(former.source) if former is not None else Style())
    if (source := _find_source(block, base, references)) is not None:
        return WrittenBlock(source=source, block=block)
    drawn_in = canonical_block(draw_in_emphasis(block))
    if drawn_in != block and (source := _find_source(drawn_in, base, references)) is not None:
        return WrittenBlock(source=source, block=drawn_in, adjusted=True)
    raise UnwritableError(
        gettext_noop(
            "Markdown cannot write this the way it looks here. Take bold, italics or links off the part "
            "beside punctuation, or divide the paragraph."
        )
    )


def measure_depth(block: Block) -> int:
    """Return how deep quotations, lists and items are in each other: 1 for a quotation, 2 for a list."""
    return max((measure_depth(inner) + 1 for inner in block.blocks), default=0)


def _patch(block: Block, former: FormerBlock, references: dict[str, Any] | None) -> str | None:
    for source in _list_patches(block, former):
        if reads_as(source, block, references):
            return source
    return None


def _list_patches(block: Block, former: FormerBlock) -> Iterator[str]:
    if former.block.kind is block.kind:
        for style in list_styles(detect_style(former.source)):
            patched = patch_source(
                former.source, before=write_block(former.block, style), after=write_block(block, style)
            )
            if patched is not None:
                yield patched


def _find_source(block: Block, base: Style, references: dict[str, Any] | None) -> str | None:
    for style in list_styles(base):
        source = write_block(block, style)
        if reads_as(source, block, references):
            return source
    return None


def reads_as(source: str, block: Block, references: dict[str, Any] | None = None) -> bool:
    """Return whether ``source``, alone, is ``block`` and nothing else."""
    found = read_blocks(source, references).blocks
    return len(found) == 1 and canonical_block(found[0].block) == block
