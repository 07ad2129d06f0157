"""A document between Markdown and the editor: blocks that nobody changed keep their source."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from editions.markdown.dialect import MAX_CHARACTERS
from editions.rich_text.block_proof import (
    WrittenBlock,
    canonical_block,
    canonical_blocks,
    has_broken_heading,
    write_proved,
)
from editions.rich_text.block_reader import MarkdownSource, find_line_end, normalise_line_ends, read_blocks
from editions.rich_text.block_writer import Escapes, Style, detect_style, other_style
from editions.rich_text.node_json import decode_document, encode_document
from editions.rich_text.nodes import LIST_KINDS, Block, BlockKind, UnwritableError
from locales.phrase import Phrase, gettext_noop


class Assembly:
    """The parts of a body between the gaps of the original, as far as they still fit."""

    def __init__(self, original: str, source: MarkdownSource, parts: Sequence[WrittenBlock]) -> None:
        self._source = source
        self._line_end = find_line_end(original)
        self._parts = [*parts]
        self._blank = original if not source.blocks else ""
        self._close = True

    def join(self) -> str:
        """Return the body. Raise UnwritableError if it is too long, or blocks cannot be beside each other as
        the document has them."""
        self._tell_lists_apart()
        for mend in (self._rewrite_wrong, self._move_apart, self._rewrite_wrong):
            markdown = self._write()
            wrong = self._find_wrong(markdown)
            if not wrong:
                return markdown
            mend(wrong)
        markdown = self._write()
        if wrong := self._find_wrong(markdown):
            raise UnwritableError(
                gettext_noop(
                    "Markdown cannot keep this block apart from the one before it. Put a paragraph between "
                    "them."
                ),
                block=wrong[0],
            )
        return markdown

    def _tell_lists_apart(self) -> None:
        """Neighbouring lists with the same sign would be one list."""
        for place in range(1, len(self._parts)):
            before, part = self._parts[place - 1], self._parts[place]
            if part.block.kind is not before.block.kind or part.block.kind not in LIST_KINDS:
                continue
            style = detect_style(before.source)
            if _sign(part, detect_style(part.source)) == _sign(part, style):
                self._parts[place] = self._rewrite(part, other_style(style))

    def _rewrite_wrong(self, wrong: Sequence[int]) -> None:
        """Write anew what depends on a definition that is gone, or has the sign of a footnote."""
        for place in wrong:
            part = self._parts[place]
            style = detect_style(part.source)
            self._parts[place] = self._rewrite(
                part, style if part.kept else replace(style, escapes=Escapes.light)
            )

    def _move_apart(self, _: Sequence[int]) -> None:
        self._close = False

    def _rewrite(self, part: WrittenBlock, style: Style) -> WrittenBlock:
        if part.block.kind is BlockKind.raw:
            return part
        written = write_proved(part.block, base=style)
        return replace(written, origin=part.origin, adjusted=part.adjusted or written.adjusted)

    def _write(self) -> str:
        markdown = self._join_pieces()
        if len(markdown) > MAX_CHARACTERS:
            raise UnwritableError(
                Phrase(
                    "The text has more than %(most)s characters, and an email must stay below 100 kB. "
                    "Shorten it.",
                    most=f"{MAX_CHARACTERS:,}",
                )
            )
        return markdown

    def _join_pieces(self) -> str:
        pieces: list[str] = []
        for place, part in enumerate(self._parts):
            pieces += [self._find_gap(place), part.source if part.kept else self._end_lines(part.source)]
        tail = self._source.tail if self._source.blocks else self._line_end
        return "".join([*pieces, tail]) if pieces else self._find_lead()

    def _find_lead(self) -> str:
        if self._source.blocks:
            return self._source.blocks[0].gap
        return self._blank[: max(self._blank.rfind("\n"), self._blank.rfind("\r")) + 1]

    def _find_gap(self, place: int) -> str:
        if not place:
            return self._find_lead()
        before, part = self._parts[place - 1], self._parts[place]
        if part.origin is not None and before.origin == part.origin - 1:
            gap = self._source.blocks[part.origin].gap
            if (part.kept and before.kept) or self._close or normalise_line_ends(gap).count("\n") > 1:
                return gap
        return self._line_end * 2

    def _end_lines(self, source: str) -> str:
        return source if self._line_end == "\n" else source.replace("\n", self._line_end)

    def _find_wrong(self, markdown: str) -> list[int]:
        """Return the places of the parts that ``markdown`` does not say."""
        found = read_blocks(markdown).blocks
        wrong: list[int] = []
        line = reached = 0
        for place, part in enumerate(self._parts):
            line += normalise_line_ends(self._find_gap(place)).count("\n")
            first, last = line, line + normalise_line_ends(part.source).count("\n") + 1
            line = last - 1
            inside = []
            while reached < len(found) and found[reached].lines[0] < last:
                inside.append(found[reached])
                reached += 1
            fits = all(first <= block.lines[0] and block.lines[1] <= last for block in inside)
            if part.block.kind is BlockKind.raw:
                fits = fits and bool(inside)
            else:
                fits = fits and [canonical_block(block.block) for block in inside] == [part.block]
            if not fits:
                wrong.append(place)
        return wrong


def _sign(part: WrittenBlock, style: Style) -> str:
    return style.bullet if part.block.kind is BlockKind.bullet_list else style.delimiter


def find_origins(wanted: Sequence[Block], former: Sequence[Block]) -> list[int | None]:
    """Return for each block that is wanted, the place of the block that it was; None for a new one. Blocks
    that are the same come first, in order and then wherever they were moved to. What is left in the same
    place of both is the same block with another text."""
    origins: list[int | None] = [None] * len(wanted)
    left: list[tuple[range, range]] = []
    for kind, old, old_end, new, new_end in SequenceMatcher(
        None, former, wanted, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            origins[new:new_end] = range(old, old_end)
        else:
            left.append((range(old, old_end), range(new, new_end)))
    free = _find_moved(wanted, former, origins, left)
    for old_places, new_places in left:
        changed = [place for place in new_places if origins[place] is None]
        for place, origin in _pair(changed, [old for old in old_places if old in free], wanted, former):
            origins[place] = origin
    return origins


def _find_moved(
    wanted: Sequence[Block],
    former: Sequence[Block],
    origins: list[int | None],
    left: Sequence[tuple[range, range]],
) -> set[int]:
    """Give moved blocks their origins, in place; return the former blocks that nothing has come from."""
    by_block: dict[Block, list[int]] = defaultdict(list)
    for old_places, _ in left:
        for old in old_places:
            by_block[former[old]].append(old)
    for _, new_places in left:
        for place in new_places:
            if same := by_block.get(wanted[place]):
                origins[place] = same.pop(0)
    return {old for places in by_block.values() for old in places}


def _pair(
    changed: Sequence[int], old: Sequence[int], wanted: Sequence[Block], former: Sequence[Block]
) -> list[tuple[int, int]]:
    """Changed blocks with what they were: blocks of the same kind, in order."""
    pairs = []
    rest = [*old]
    for place in changed:
        match = next((one for one in rest if former[one].kind is wanted[place].kind), None)
        if match is not None:
            pairs.append((place, match))
            rest = [one for one in rest if one > match]
    return pairs


class ComposedText(NamedTuple):
    """A text as Markdown. ``adjusted`` is whether it shows something else than the editor did: emphasis that
    does not reach as far over punctuation, or a heading on one line."""

    text: str
    adjusted: bool = False


def write_document(original: str, document: Mapping[str, Any]) -> ComposedText:
    """Write a document as Markdown. ``original`` is the body that it was read from: of it, every block that
    has not changed keeps its bytes, and so does what is between them. Raise UnwritableError if Markdown
    cannot say what the document shows, and DocumentSchemaError if the editor makes no such document."""
    decoded = decode_document(document)
    wanted = canonical_blocks(decoded)
    source = read_blocks(original)
    former = tuple(canonical_block(found.block) for found in source.blocks)
    if wanted == former:
        return ComposedText(original)
    parts = _write_parts(wanted, former, source)
    adjusted = any(part.adjusted for part in parts) or any(map(has_broken_heading, decoded))
    return ComposedText(Assembly(original, source, parts).join(), adjusted)


def _write_parts(
    wanted: tuple[Block, ...], former: tuple[Block, ...], source: MarkdownSource
) -> list[WrittenBlock]:
    parts: list[WrittenBlock] = []
    for place, (block, origin) in enumerate(zip(wanted, find_origins(wanted, former), strict=True)):
        if origin is not None and former[origin] == block:
            parts.append(
                WrittenBlock(block=block, source=source.blocks[origin].source, origin=origin, kept=True)
            )
            continue
        before = (
            None
            if origin is None
            else WrittenBlock(block=former[origin], source=normalise_line_ends(source.blocks[origin].source))
        )
        try:
            written = write_proved(block, before, references=source.references)
        except UnwritableError as error:
            raise UnwritableError(str(error), block=place) from error
        parts.append(replace(written, origin=origin))
    return parts


def read_document(markdown: str) -> dict[str, Any]:
    """Read a body as a document of ProseMirror, ready for JSON. Its nodes are ``paragraph``, ``heading``
    (level 2 or 3), ``blockquote``, ``horizontal_rule``, ``bullet_list`` and ``ordered_list`` with ``tight``
    (and ``order``), ``list_item``, ``text`` and ``hard_break``; its marks ``link`` (href, title), ``em``,
    ``strong``, ``strike`` and ``code``. A block that the editor has nothing for, such as a table, is ``raw``:
    its text is the Markdown as it is written, and ``why`` a :class:`~editions.rich_text.nodes.RawReason`.
    Never raises: every text is Markdown."""
    return encode_document([found.block for found in read_blocks(markdown).blocks])
