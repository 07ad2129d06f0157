"""Comparing two texts block by block, and in each block word by word."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from editions.text_diff.words import WordChange, WordChangeKind, compare_words, match_sequences, split_words

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_KEY = re.compile(r"(?P<key>[^\s#:\-\[\]{}][^:]*?)\s*:(?:\s|$)")
_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])(?:\s|$)")
_FRONT_MATTER_FENCE = "---"


class TextBlockKind(StrEnum):
    header = "header"
    """A part of the front matter."""

    text = "text"
    list_item = "list-item"


@dataclass(frozen=True, kw_only=True)
class TextBlock:
    """A block with the blank lines after it. ``key`` is that of the front matter, "" for none."""

    text: str
    kind: TextBlockKind = TextBlockKind.text
    key: str = ""

    @property
    def content(self) -> str:
        """The block without the space around it, by which blocks are the same or not."""
        return self.text.strip()


def split_blocks(text: str) -> tuple[TextBlock, ...]:
    """Split a text with ``\\n`` line ends into its blocks."""
    lines = _LINE.findall(text)
    end = _find_end_of_front_matter(lines)
    return (*_split_front_matter(lines[:end]), *_split_body(lines[end:]))


def _find_end_of_front_matter(lines: list[str]) -> int:
    """Return how many lines belong to the front matter, with the blank ones after it; 0 if there is none."""
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


def _split_front_matter(lines: list[str]) -> list[TextBlock]:
    blocks: list[TextBlock] = []
    key = ""
    taken: list[str] = []
    for number, line in enumerate(lines):
        found = None if number == 0 else _KEY.match(line)
        # The closing line stands for itself, and so does the opening one.
        begins = found is not None or number == 1 or (number > 1 and _is_fence(line))
        if begins and taken:
            blocks.append(TextBlock(text="".join(taken), kind=TextBlockKind.header, key=key))
            key, taken = "", []
        if found is not None:
            key = found["key"].strip("\"'")
        taken.append(line)
    if taken:
        blocks.append(TextBlock(text="".join(taken), kind=TextBlockKind.header, key=key))
    return blocks


def _split_body(lines: list[str]) -> list[TextBlock]:
    blocks: list[TextBlock] = []
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
    if _HEADING.match(taken[-1]):
        return True
    opening = _FENCE.match(taken[0]) if len(taken) > 1 else None
    return opening is not None and _closes(opening["marks"], taken[-1])


def _follow_fence(fence: str, line: str) -> str:
    """Return the marks that have to close the fenced code in which the next line is; "" if it is in none."""
    found = _FENCE.match(line)
    if fence:
        return "" if _closes(fence, line) else fence
    return found["marks"] if found is not None else ""


def _closes(fence: str, line: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(fence) and not bare.strip(fence[0])


def _make_body_block(lines: list[str]) -> TextBlock:
    kind = TextBlockKind.list_item if _LIST_ITEM.match(lines[0]) else TextBlockKind.text
    return TextBlock(text="".join(lines), kind=kind)


_ALIKE = 0.35
"""From which share of common words on a block counts as changed; below, as another one."""

_MAX_PAIRS = 900


class BlockChangeKind(StrEnum):
    same = "same"
    changed = "changed"
    added = "added"
    removed = "removed"


@dataclass(frozen=True, kw_only=True)
class BlockChange:
    """A block in both versions: all ``old``, joined, are the old text, and all ``new`` the new one. ``key``
    is that of the front matter, "" for the body. ``words`` are those of a changed block."""

    kind: BlockChangeKind
    old: str = ""
    new: str = ""
    key: str = ""
    words: tuple[WordChange, ...] = field(default=())


AlignedBlock: TypeAlias = tuple[TextBlock | None, TextBlock | None]
"""A block of the old version beside the one of the new; None where either has none."""


def compare_texts(old: str, new: str) -> tuple[BlockChange, ...]:
    """Compare two versions of a text with ``\\n`` line ends."""
    return tuple(_describe(pair) for pair in align_blocks(split_blocks(old), split_blocks(new)))


def count_changed_words(old: str, new: str) -> tuple[int, int]:
    """Count the words that a change has added, and those that it has removed."""
    changes = [word for block in compare_texts(old, new) for word in list_words(block)]
    return _count(changes, WordChangeKind.added), _count(changes, WordChangeKind.deleted)


def list_words(change: BlockChange) -> tuple[WordChange, ...]:
    """The words of a block, whatever happened to it."""
    if change.kind is BlockChangeKind.changed:
        return change.words
    kind = {
        BlockChangeKind.same: WordChangeKind.same,
        BlockChangeKind.added: WordChangeKind.added,
        BlockChangeKind.removed: WordChangeKind.deleted,
    }[change.kind]
    return (WordChange(kind=kind, text=change.new or change.old),)


def align_blocks(old: Sequence[TextBlock], new: Sequence[TextBlock]) -> list[AlignedBlock]:
    """Lay two versions beside each other. Each block comes once, in the order of its version."""
    aligned: list[AlignedBlock] = []
    at, at_new = 0, 0
    matches = match_sequences([block.content for block in old], [block.content for block in new])
    for start, start_new, size in [*matches, (len(old), len(new), 0)]:
        aligned += _align_changed(old[at:start], new[at_new:start_new])
        aligned += [(old[start + number], new[start_new + number]) for number in range(size)]
        at, at_new = start + size, start_new + size
    return aligned


def _align_changed(old: Sequence[TextBlock], new: Sequence[TextBlock]) -> Iterator[AlignedBlock]:
    """Lay blocks beside each other of which none has stayed as it was."""
    at, at_new = 0, 0
    for number, number_new in [*_pair_alike(old, new), (len(old), len(new))]:
        yield from ((block, None) for block in old[at:number])
        yield from ((None, block) for block in new[at_new:number_new])
        if number < len(old):
            yield old[number], new[number_new]
        at, at_new = number + 1, number_new + 1


def _pair_alike(old: Sequence[TextBlock], new: Sequence[TextBlock]) -> list[tuple[int, int]]:
    """Return the blocks that are most alike, in order: the pairs with the largest sum of likeness."""
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


def _count_tokens(block: TextBlock) -> Counter[str]:
    return Counter(token for token in split_words(block.content) if not token.isspace())


def _measure(old: TextBlock, new: TextBlock, words: Counter[str], words_new: Counter[str]) -> float:
    if (old.kind is TextBlockKind.header) is not (new.kind is TextBlockKind.header):
        return 0.0
    if old.key or new.key:
        return float(old.key == new.key)
    total = words.total() + words_new.total()
    return 2 * (words & words_new).total() / total if total else 1.0


def _describe(pair: AlignedBlock) -> BlockChange:
    old, new = pair
    if old is None:
        assert new is not None  # noqa: S101 - a pair has one of them
        return BlockChange(kind=BlockChangeKind.added, new=new.text, key=new.key)
    if new is None:
        return BlockChange(kind=BlockChangeKind.removed, old=old.text, key=old.key)
    if old.content == new.content:
        return BlockChange(kind=BlockChangeKind.same, old=old.text, new=new.text, key=new.key)
    return BlockChange(
        kind=BlockChangeKind.changed,
        old=old.text,
        new=new.text,
        key=new.key,
        words=compare_words(old.text, new.text),
    )


def _count(changes: Sequence[WordChange], kind: WordChangeKind) -> int:
    tokens = (token for change in changes if change.kind is kind for token in split_words(change.text))
    return sum(token[0].isalnum() for token in tokens)
