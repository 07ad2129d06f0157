"""Comparing two versions of a text by blocks, and the words inside blocks that have changed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from editions.text_diff.blocks import Block, BlockKind, split_blocks
from editions.text_diff.sequence_match import match_sequences
from editions.text_diff.words import WordChange, WordChangeKind, compare_words, split_words

_ALIKE = 0.35
"""From which share of common words on a block counts as changed; below, as another one."""

_MAX_PAIRS = 900


class ChangeKind(StrEnum):
    """What happened to a block."""

    same = "same"
    """Nothing, but for space around it."""

    changed = "changed"
    """Some of its words have changed."""

    added = "added"
    """It is new."""

    removed = "removed"
    """It is gone."""


@dataclass(frozen=True, kw_only=True)
class BlockChange:
    """A block in both versions: all ``old``, joined, are the old text, and all ``new`` the new one. ``key``
    is that of the front matter, "" for the body. ``words`` are those of a changed block."""

    kind: ChangeKind
    old: str = ""
    new: str = ""
    key: str = ""
    words: tuple[WordChange, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class ChangeCount:
    """How many words a change has added and removed."""

    added: int
    removed: int


@dataclass(frozen=True, kw_only=True)
class AlignedBlock:
    """A block of either version beside the one of the other that it was, or None."""

    old: Block | None
    new: Block | None


def compare_texts(old: str, new: str) -> tuple[BlockChange, ...]:
    """Compare two versions of a text with ``\\n`` line ends."""
    return tuple(_describe(pair) for pair in align_blocks(split_blocks(old), split_blocks(new)))


def count_changed_words(old: str, new: str) -> ChangeCount:
    """Count the words that a change has added and removed."""
    changes = [word for block in compare_texts(old, new) for word in list_words(block)]
    return ChangeCount(
        added=_count(changes, WordChangeKind.added), removed=_count(changes, WordChangeKind.deleted)
    )


def list_words(change: BlockChange) -> tuple[WordChange, ...]:
    """The words of a block, whatever happened to it."""
    if change.kind is ChangeKind.changed:
        return change.words
    kind = {
        ChangeKind.same: WordChangeKind.same,
        ChangeKind.added: WordChangeKind.added,
        ChangeKind.removed: WordChangeKind.deleted,
    }[change.kind]
    return (WordChange(kind=kind, text=change.new or change.old),)


def align_blocks(old: Sequence[Block], new: Sequence[Block]) -> list[AlignedBlock]:
    """Lay two versions beside each other. Each block comes once, in the order of its version."""
    aligned: list[AlignedBlock] = []
    at, at_new = 0, 0
    matches = match_sequences([block.content for block in old], [block.content for block in new])
    for start, start_new, size in [*matches, (len(old), len(new), 0)]:
        aligned += _align_changed(old[at:start], new[at_new:start_new])
        aligned += [
            AlignedBlock(old=old[start + number], new=new[start_new + number]) for number in range(size)
        ]
        at, at_new = start + size, start_new + size
    return aligned


def _align_changed(old: Sequence[Block], new: Sequence[Block]) -> Iterator[AlignedBlock]:
    """Lay blocks beside each other of which none has stayed as it was."""
    at, at_new = 0, 0
    for number, number_new in [*_pair_alike(old, new), (len(old), len(new))]:
        yield from (AlignedBlock(old=block, new=None) for block in old[at:number])
        yield from (AlignedBlock(old=None, new=block) for block in new[at_new:number_new])
        if number < len(old):
            yield AlignedBlock(old=old[number], new=new[number_new])
        at, at_new = number + 1, number_new + 1


def _pair_alike(old: Sequence[Block], new: Sequence[Block]) -> list[tuple[int, int]]:
    """The blocks that are most alike, in order: the pairs with the largest sum of likeness."""
    if len(old) * len(new) > _MAX_PAIRS:
        # Of very many, only those with the same place are compared.
        beside = enumerate(zip(old, new, strict=False))
        measured = ((n, _measure(*pair, *map(_count_tokens, pair))) for n, pair in beside)
        return [(n, n) for n, likeness in measured if likeness >= _ALIKE and len(old) == len(new)]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    counts, counts_new = ([_count_tokens(block) for block in blocks] for blocks in (old, new))
    alike = [
        [_measure(one, other, words, others) for other, others in zip(new, counts_new, strict=True)]
        for one, words in zip(old, counts, strict=True)
    ]
    for n in reversed(range(len(old))):
        for m in reversed(range(len(new))):
            paired = alike[n][m] + best[n + 1][m + 1] if alike[n][m] >= _ALIKE else 0.0
            best[n][m] = max(paired, best[n + 1][m], best[n][m + 1])
    pairs: list[tuple[int, int]] = []
    n, m = 0, 0
    while n < len(old) and m < len(new):
        if best[n][m] == best[n + 1][m]:
            n += 1
        elif best[n][m] == best[n][m + 1]:
            m += 1
        else:
            pairs.append((n, m))
            n, m = n + 1, m + 1
    return pairs


def _count_tokens(block: Block) -> Counter[str]:
    return Counter(token for token in split_words(block.content) if not token.isspace())


def _measure(old: Block, new: Block, words: Counter[str], words_new: Counter[str]) -> float:
    """How alike two blocks are, from 0 to 1, by the words that both have."""
    if (old.kind is BlockKind.header) is not (new.kind is BlockKind.header):
        return 0.0
    if old.key or new.key:
        return float(old.key == new.key)
    total = words.total() + words_new.total()
    return 2 * (words & words_new).total() / total if total else 1.0


def _describe(pair: AlignedBlock) -> BlockChange:
    old, new = pair.old, pair.new
    if old is None:
        assert new is not None  # noqa: S101 - a pair has one of them
        return BlockChange(kind=ChangeKind.added, new=new.text, key=new.key)
    if new is None:
        return BlockChange(kind=ChangeKind.removed, old=old.text, key=old.key)
    if old.content == new.content:
        return BlockChange(kind=ChangeKind.same, old=old.text, new=new.text, key=new.key)
    return BlockChange(
        kind=ChangeKind.changed,
        old=old.text,
        new=new.text,
        key=new.key,
        words=compare_words(old.text, new.text),
    )


def _count(changes: Sequence[WordChange], kind: WordChangeKind) -> int:
    tokens = (token for change in changes if change.kind is kind for token in split_words(change.text))
    return sum(token[0].isalnum() for token in tokens)
