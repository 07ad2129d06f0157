"""Merging two texts that come from one: what only one of them changed is taken, what both did is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from editions.text_diff.comparison import AlignedBlock, TextBlock, TextBlockKind, align_blocks, split_blocks


class MergeKind(StrEnum):
    """Who changed a part."""

    same = "same"
    mine = "mine"
    theirs = "theirs"
    both = "both"
    conflict = "conflict"


class MergeChoice(StrEnum):
    """What is taken of a conflict."""

    mine = "mine"
    theirs = "theirs"
    both = "both"
    """Both, one's own first."""


@dataclass(frozen=True, kw_only=True)
class MergePart:
    """A part in the three texts: no blocks where it is not in one. All ``mine``, joined, are that text, and
    so are all ``theirs``."""

    kind: MergeKind
    base: tuple[TextBlock, ...] = ()
    mine: tuple[TextBlock, ...] = ()
    theirs: tuple[TextBlock, ...] = ()

    @property
    def key(self) -> str:
        return next((block.key for block in (*self.mine, *self.theirs, *self.base) if block.key), "")

    @property
    def base_text(self) -> str:
        return _join_text(self.base)

    @property
    def my_text(self) -> str:
        return _join_text(self.mine)

    @property
    def their_text(self) -> str:
        return _join_text(self.theirs)


_Piece: TypeAlias = tuple[tuple[TextBlock, ...], MergeChoice | None]
"""Blocks, and the text they stand in; None for both."""


class UnsettledError(ValueError):
    """A conflict has no choice yet."""


def merge_texts(base: str | None, mine: str, theirs: str) -> tuple[MergePart, ...]:
    """Merge two texts with ``\\n`` line ends, made from ``base``; if that is None, every difference is a
    conflict."""
    if base is None:
        aligned = align_blocks(split_blocks(theirs), split_blocks(mine))
        return _join_conflicts([_compare_two(pair) for pair in aligned])
    bases = split_blocks(base)
    my_blocks, my_insertions = _lay_out(bases, mine)
    their_blocks, their_insertions = _lay_out(bases, theirs)
    parts: list[MergePart] = []
    for number in range(len(bases) + 1):
        parts.append(_make_part((), my_insertions[number], their_insertions[number]))
        if number < len(bases):
            parts.append(_make_part((bases[number],), my_blocks[number], their_blocks[number]))
    return _join_conflicts([part for part in parts if part.base or part.mine or part.theirs])


def list_conflicts(parts: Sequence[MergePart]) -> list[int]:
    return [number for number, part in enumerate(parts) if part.kind is MergeKind.conflict]


def settle_merge(parts: Sequence[MergePart], choices: Mapping[int, MergeChoice]) -> str:
    """Return the merged text, with the choice for the place of each conflict. Raise UnsettledError if a
    conflict has no choice."""
    text = ""
    before: _Piece = ((), None)
    for number, part in enumerate(parts):
        for piece in _choose(part, choices.get(number)):
            if piece[0]:
                text = _append(text, before, piece)
                before = piece
    return text


def _lay_out(
    bases: Sequence[TextBlock], text: str
) -> tuple[list[tuple[TextBlock, ...]], list[tuple[TextBlock, ...]]]:
    """Return what became of each block of the base, and what was inserted before each and at the end."""
    kept: list[tuple[TextBlock, ...]] = []
    inserted: list[list[TextBlock]] = [[] for _ in range(len(bases) + 1)]
    for old, new in align_blocks(bases, split_blocks(text)):
        if old is not None:
            kept.append(() if new is None else (new,))
        elif new is not None:
            inserted[len(kept)].append(new)
    return kept, [tuple(blocks) for blocks in inserted]


def _make_part(
    base: tuple[TextBlock, ...], mine: tuple[TextBlock, ...], theirs: tuple[TextBlock, ...]
) -> MergePart:
    contents = [[block.content for block in blocks] for blocks in (base, mine, theirs)]
    before, my_content, their_content = contents
    if my_content == their_content:
        kind = MergeKind.same if my_content == before else MergeKind.both
    elif their_content == before:
        kind = MergeKind.mine
    elif my_content == before:
        kind = MergeKind.theirs
    else:
        kind = MergeKind.conflict
    return MergePart(kind=kind, base=base, mine=mine, theirs=theirs)


def _compare_two(pair: AlignedBlock) -> MergePart:
    old, new = pair
    theirs: tuple[TextBlock, ...] = () if old is None else (old,)
    mine: tuple[TextBlock, ...] = () if new is None else (new,)
    same = old is not None and new is not None and old.content == new.content
    return MergePart(
        kind=MergeKind.same if same else MergeKind.conflict,
        base=theirs if same else (),
        mine=mine,
        theirs=theirs,
    )


def _join_conflicts(parts: list[MergePart]) -> tuple[MergePart, ...]:
    """Join conflicts that follow each other, except in the front matter, whose keys have one each."""
    joined: list[MergePart] = []
    for part in parts:
        last = joined[-1] if joined else None
        is_one = last is not None and last.kind is part.kind is MergeKind.conflict
        if last is not None and is_one and not _is_header(last) and not _is_header(part):
            joined[-1] = MergePart(
                kind=MergeKind.conflict,
                base=last.base + part.base,
                mine=last.mine + part.mine,
                theirs=last.theirs + part.theirs,
            )
        else:
            joined.append(part)
    return tuple(joined)


def _is_header(part: MergePart) -> bool:
    return any(block.kind is TextBlockKind.header for block in (*part.base, *part.mine, *part.theirs))


def _choose(part: MergePart, choice: MergeChoice | None) -> list[_Piece]:
    mine: _Piece = (part.mine, MergeChoice.mine)
    theirs: _Piece = (part.theirs, MergeChoice.theirs)
    if part.kind is MergeKind.conflict:
        if choice is None:
            raise UnsettledError
        return {MergeChoice.mine: [mine], MergeChoice.theirs: [theirs], MergeChoice.both: [mine, theirs]}[
            choice
        ]
    if part.mine == part.theirs:
        return [(part.mine, None)]
    # Of two that differ in the space around them, the one that was changed.
    takes_theirs = part.kind is MergeKind.theirs or (
        part.kind is not MergeKind.mine and part.mine == part.base
    )
    return [theirs] if takes_theirs else [mine]


def _append(text: str, before: _Piece, piece: _Piece) -> str:
    """Add a piece, and an empty line where it does not follow the one before in either text."""
    if text and not text.endswith("\n"):
        text += "\n"
    (last, last_side), (first, first_side) = before, piece
    if last and last_side is not None and first_side is not None and last_side is not first_side:
        kinds = {last[-1].kind, first[0].kind}
        if (
            TextBlockKind.header not in kinds
            and kinds != {TextBlockKind.list_item}
            and not text.endswith("\n\n")
        ):
            text += "\n"
    return text + _join_text(first)


def _join_text(blocks: tuple[TextBlock, ...]) -> str:
    return "".join(block.text for block in blocks)
