"""The canonical form of nodes, and blocks proved to read as it when they are read again."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from editions.rich_text.block_reader import read_blocks
from editions.rich_text.block_writer import Style, detect_style, list_styles, write_block
from editions.rich_text.nodes import (
    BREAK,
    EMPHASIS,
    LIST_KINDS,
    TEXT_KINDS,
    Block,
    BlockKind,
    MarkKind,
    Text,
    UnwritableError,
    merge_texts,
    normalise_href,
)
from locales.phrase import gettext_noop

# A paragraph that the other can follow without a blank line, and which is therefore in a tight list.
_AFTER_PARAGRAPH = frozenset(
    {BlockKind.bullet_list, BlockKind.heading, BlockKind.blockquote, BlockKind.horizontal_rule}
)
_ONE_LINE = frozenset({BlockKind.heading, BlockKind.horizontal_rule})
# Longer blocks are written anew: to compare them takes too long.
_MAX_LENGTH = 20_000
_WORD = re.compile(r"[^\W_]+|[^\s]")
MAX_DEPTH = 16
"""How deep lists and quotations may be in each other, a list counting twice. The parser's own limit is a
little further."""


def trim_emphasis(texts: Sequence[Text], is_edge: Callable[[str], bool]) -> list[Text]:
    """Return ``texts`` with no emphasis on characters at its ends for which ``is_edge`` holds."""
    trimmed = [*texts]
    for kind in EMPHASIS:
        if any(text.has(kind) for text in trimmed):
            trimmed = _trim_kind(trimmed, kind, is_edge)
    return trimmed


def draw_in_emphasis(block: Block) -> Block:
    """Return ``block`` with emphasis that neither begins nor ends with punctuation, which Markdown cannot
    write everywhere: ``**“so”**called`` would show its asterisks."""
    if block.kind in TEXT_KINDS:
        return block._replace(texts=tuple(trim_emphasis(block.texts, _is_punctuation_or_space)))
    return block._replace(blocks=tuple(map(draw_in_emphasis, block.blocks)))


def _is_punctuation_or_space(character: str) -> bool:
    return character.isspace() or unicodedata.category(character)[0] in "PS"


def _trim_kind(texts: Sequence[Text], kind: MarkKind, is_edge: Callable[[str], bool]) -> list[Text]:
    done: list[Text] = []
    run: list[Text] = []
    for text in texts:
        # A line break has no marks of its own, and emphasis may go over it.
        if text.has(kind) or (text is BREAK and run):
            run.append(text)
        else:
            done += _trim_run(run, kind, is_edge)
            done.append(text)
            run = []
    return merge_texts([*done, *_trim_run(run, kind, is_edge)])


def _trim_run(run: Sequence[Text], kind: MarkKind, is_edge: Callable[[str], bool]) -> list[Text]:
    before, rest = _split_edge(run, kind, is_edge)
    after, middle = _split_edge([_reverse(text) for text in reversed(rest)], kind, is_edge)
    return [*before, *(_reverse(text) for text in reversed([*after, *middle]))]


def _split_edge(
    run: Sequence[Text], kind: MarkKind, is_edge: Callable[[str], bool]
) -> tuple[list[Text], list[Text]]:
    """Return the beginning of ``run`` without the mark, and the rest of it."""
    edge: list[Text] = []
    for place, text in enumerate(run):
        if text is BREAK:
            edge.append(text)
            continue
        length = 0 if text.is_code else len([*takewhile(is_edge, text.text)])
        plain = tuple(mark for mark in text.marks if mark.kind is not kind)
        if length:
            edge.append(Text(text.text[:length], plain))
        if length < len(text.text):
            return edge, [Text(text.text[length:], text.marks), *run[place + 1 :]]
    return edge, []


def _reverse(text: Text) -> Text:
    return text if text is BREAK else Text(text.text[::-1], text.marks)


def canonical_blocks(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return blocks in canonical form: empty paragraphs and empty raw blocks are left out."""
    return tuple(
        canonical
        for canonical in map(canonical_block, blocks)
        if canonical.kind not in {BlockKind.paragraph, BlockKind.raw} or canonical.texts or canonical.source
    )


def canonical_block(block: Block) -> Block:
    """Return the canonical form of a block. Spaces at the ends of lines are not there, nor is emphasis on
    spaces at its ends. Links are as the parser reads them. Lists are tight only if Markdown has such a tight
    list."""
    kind = block.kind
    if kind is BlockKind.raw:
        return Block(kind, source=_strip_blank_lines(block.source))
    if kind in TEXT_KINDS:
        return Block(kind, _canonical_texts(_as_one_line(block).texts), level=block.level)
    if kind is BlockKind.horizontal_rule:
        return Block(kind)
    if kind not in LIST_KINDS:
        return Block(kind, blocks=canonical_blocks(block.blocks))
    items = tuple(canonical_block(item) for item in block.blocks)
    return Block(kind, blocks=items, tight=_is_tight(block.tight, items), order=block.order)


def _strip_blank_lines(source: str) -> str:
    lines = source.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return "\n".join(lines)


def _is_tight(wanted: bool, items: Sequence[Block]) -> bool:
    if not any(inner.kind is BlockKind.paragraph for item in items for inner in item.blocks):
        return True
    if not wanted:
        return len(items) < 2 and not any(len(item.blocks) > 1 for item in items)
    return all(
        _follows_closely(before, after)
        for item in items
        for before, after in zip(item.blocks, item.blocks[1:], strict=False)
    )


def _follows_closely(before: Block, after: Block) -> bool:
    """Return whether Markdown needs no blank line between two blocks of an item."""
    if before.kind in _ONE_LINE:
        return True
    if before.kind is not BlockKind.paragraph:
        return False
    if after.kind in LIST_KINDS and not (after.blocks and after.blocks[0].blocks):
        return False
    return after.kind in _AFTER_PARAGRAPH or (after.kind is BlockKind.ordered_list and after.order == 1)


def has_broken_heading(block: Block) -> bool:
    """Return whether there is a line break in a heading, which Markdown does not have."""
    if block.kind is BlockKind.heading:
        return BREAK in block.texts
    return any(map(has_broken_heading, block.blocks))


def _as_one_line(block: Block) -> Block:
    if block.kind is not BlockKind.heading:
        return block
    return block._replace(texts=tuple(Text(" ") if text is BREAK else text for text in block.texts))


def _canonical_texts(texts: Iterable[Text]) -> tuple[Text, ...]:
    linked = [_normalise_links(text) for text in texts]
    kept = trim_emphasis(merge_texts(_strip_lines(linked)), str.isspace)
    while kept and kept[-1] is BREAK:
        kept.pop()
    return tuple(kept)


def _normalise_links(text: Text) -> Text:
    if not text.marks or text.marks[0].kind is not MarkKind.link:
        return text
    link = text.marks[0]
    return text._replace(marks=(link._replace(href=normalise_href(link.href)), *text.marks[1:]))


def _strip_lines(texts: Sequence[Text]) -> Iterator[Text]:
    """Yield ``texts`` without spaces at the beginning and the end of each line."""
    lines: list[list[Text]] = [[]]
    for text in texts:
        if text is BREAK:
            lines.append([])
        elif text.text:
            lines[-1].append(text)
    for number, line in enumerate(lines):
        if number:
            yield BREAK
        yield from _strip_line(line)


def _strip_line(line: list[Text]) -> list[Text]:
    while line and not line[0].is_code:
        rest = line[0].text.lstrip(" ")
        line[0] = line[0]._replace(text=rest)
        if rest:
            break
        del line[0]
    while line and not line[-1].is_code:
        rest = line[-1].text.rstrip(" ")
        line[-1] = line[-1]._replace(text=rest)
        if rest:
            break
        del line[-1]
    return line


def patch_source(source: str, *, before: str, after: str) -> str | None:
    """Return ``source``, which says ``before`` with other signs, changed to ``after``; None if not found."""
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


@dataclass(frozen=True, kw_only=True)
class WrittenBlock:
    """A block in its canonical form, and how it is written. ``origin`` is the place of the block that it was
    in the original; ``kept`` is whether it has that one's bytes. ``adjusted`` says that it has the words that
    were asked for, with emphasis drawn in past punctuation."""

    block: Block
    source: str
    origin: int | None = None
    kept: bool = False
    adjusted: bool = False


def write_proved(
    block: Block,
    former: WrittenBlock | None = None,
    *,
    base: Style | None = None,
    references: dict[str, Any] | None = None,
) -> WrittenBlock:
    """Write a block in its canonical form, so that it reads back as it is. Of ``former``, all is kept that
    has not changed: its signs and where its lines end. ``base`` has the signs for lists and the least number
    of backslashes, if they are to be others than before. ``references`` are the definitions of links around
    it. Raise UnwritableError if Markdown cannot write it."""
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


def _patch(block: Block, former: WrittenBlock, references: dict[str, Any] | None) -> str | None:
    if former.block.kind is block.kind:
        for style in list_styles(detect_style(former.source)):
            patched = patch_source(
                former.source, before=write_block(former.block, style), after=write_block(block, style)
            )
            if patched is not None and reads_as(patched, block, references):
                return patched
    return None


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
