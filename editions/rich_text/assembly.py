"""Joins written blocks to a body, and reads it again: each must say in it what it says alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from editions.markdown.parser import MAX_CHARACTERS
from editions.rich_text.block_proof import write_proved
from editions.rich_text.block_reader import SourceDocument, read_blocks
from editions.rich_text.canonical_form import canonical_block
from editions.rich_text.errors import UnwritableError
from editions.rich_text.line_ends import find_line_end, normalise_line_ends
from editions.rich_text.nodes import LIST_KINDS, Block, BlockKind
from editions.rich_text.style import Escapes, Style, detect_style, other_style
from locales.phrase import Phrase, gettext_noop


@dataclass(frozen=True, kw_only=True)
class Part:
    """A block of a body, as it is written.

    ``origin`` is the place of the block that it was in the original; ``kept`` is whether it has that one's
    bytes, ``adjusted`` whether it says something else than it should.
    """

    block: Block
    source: str
    origin: int | None = None
    kept: bool = False
    adjusted: bool = False


class Assembly:
    """The parts of a body between the gaps of the original, as far as they still fit."""

    def __init__(self, original: str, source: SourceDocument, parts: Sequence[Part]) -> None:
        self._source = source
        self._line_end = find_line_end(original)
        self._parts = [*parts]
        self._blank = original if not source.blocks else ""
        self._close = True

    def join(self) -> str:
        """The body.

        Raises:
            UnwritableError: it is too long, or blocks cannot be beside each other as the document has them.
        """
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
        """Write anew what depends on the rest: on the definition of a link that is gone, or on a footnote
        that has the same sign as the text."""
        for place in wrong:
            part = self._parts[place]
            style = detect_style(part.source)
            self._parts[place] = self._rewrite(
                part, style if part.kept else replace(style, escapes=Escapes.light)
            )

    def _move_apart(self, _: Sequence[int]) -> None:
        self._close = False

    def _rewrite(self, part: Part, style: Style) -> Part:
        if part.block.kind is BlockKind.raw:
            return part
        written = write_proved(part.block, base=style)
        adjusted = part.adjusted or written.adjusted
        return replace(part, block=written.block, source=written.source, kept=False, adjusted=adjusted)

    def _write(self) -> str:
        markdown = self._join_pieces()
        if len(markdown) > MAX_CHARACTERS:
            raise UnwritableError(
                Phrase(
                    gettext_noop(
                        "The text has more than %(most)s characters, and an email must stay below 100 kB. "
                        "Shorten it."
                    ),
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
        """The places of the parts that ``markdown`` does not say."""
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


def _sign(part: Part, style: Style) -> str:
    return style.bullet if part.block.kind is BlockKind.bullet_list else style.delimiter
