"""Which words changed from one text to the next."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

_MAX_DEPTH = 20
_MAX_CELLS = 40_000
_MAX_ALL_CELLS = 1_000_000


class Match(NamedTuple):
    """``size`` items from ``old`` on are the same as those from ``new`` on."""

    old: int
    new: int
    size: int


class _Span(NamedTuple):
    old: int
    old_end: int
    new: int
    new_end: int
    depth: int


def match_sequences(old: Sequence[Hashable], new: Sequence[Hashable]) -> list[Match]:
    """Return the runs of items that are the same in both, in order, without overlap."""
    found: list[Match] = []
    waiting = [_Span(0, len(old), 0, len(new), 0)]
    cells = _MAX_ALL_CELLS
    while waiting:
        span = _trim(old, new, waiting.pop(), found)
        if span.old == span.old_end or span.new == span.new_end:
            continue
        anchors = _find_anchors(old, new, span) if span.depth < _MAX_DEPTH else []
        if anchors:
            waiting += _split(span, anchors)
            continue
        size = (span.old_end - span.old) * (span.new_end - span.new)
        if size <= min(_MAX_CELLS, cells):
            cells -= size
            found += _compare(old, new, span)
    return _join_runs(sorted(found))


def _trim(old: Sequence[Hashable], new: Sequence[Hashable], span: _Span, found: list[Match]) -> _Span:
    """Take what is the same at both ends."""
    start, old_end, new_start, new_end, depth = span
    first, first_new = start, new_start
    while start < old_end and new_start < new_end and old[start] == new[new_start]:
        start, new_start = start + 1, new_start + 1
    last = old_end
    while start < old_end and new_start < new_end and old[old_end - 1] == new[new_end - 1]:
        old_end, new_end = old_end - 1, new_end - 1
    if start > first:
        found.append(Match(first, first_new, start - first))
    if last > old_end:
        found.append(Match(old_end, new_end, last - old_end))
    return _Span(start, old_end, new_start, new_end, depth)


def _find_anchors(old: Sequence[Hashable], new: Sequence[Hashable], span: _Span) -> list[tuple[int, int]]:
    """Return the longest series of items that occur once in each, and in the same order."""
    olds, news = old[span.old : span.old_end], new[span.new : span.new_end]
    times, times_new = Counter(olds), Counter(news)
    places = {item: place for place, item in enumerate(news, start=span.new)}
    pairs = [
        (place, places[item])
        for place, item in enumerate(olds, start=span.old)
        if times[item] == 1 and times_new[item] == 1
    ]
    return _find_longest_rise(pairs)


def _find_longest_rise(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest series of pairs whose second numbers rise (by patience sorting)."""
    tops: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        before.append(ends[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(place)
            ends.append(number)
        else:
            tops[pile], ends[pile] = place, number
    rise: list[tuple[int, int]] = []
    number = ends[-1] if ends else -1
    while number >= 0:
        rise.append(pairs[number])
        number = before[number]
    return rise[::-1]


def _split(span: _Span, anchors: list[tuple[int, int]]) -> list[_Span]:
    """Return the parts from each anchor to the next; trimming finds the anchor that begins each."""
    starts = [(span.old, span.new), *anchors]
    ends = [*anchors, (span.old_end, span.new_end)]
    return [
        _Span(old, old_end, new, new_end, span.depth + 1)
        for (old, new), (old_end, new_end) in zip(starts, ends, strict=True)
    ]


def _compare(old: Sequence[Hashable], new: Sequence[Hashable], span: _Span) -> list[Match]:
    matcher = SequenceMatcher(
        None, old[span.old : span.old_end], new[span.new : span.new_end], autojunk=False
    )
    blocks = matcher.get_matching_blocks()
    return [Match(span.old + block.a, span.new + block.b, block.size) for block in blocks if block.size]


def _join_runs(matches: list[Match]) -> list[Match]:
    joined: list[Match] = []
    for match in matches:
        last = joined[-1] if joined else None
        if last and (last.old + last.size, last.new + last.size) == match[:2]:
            joined[-1] = Match(last.old, last.new, last.size + match.size)
        else:
            joined.append(match)
    return joined


# Han, Hiragana, Katakana and Yi have no spaces between words; Hangul has.
_BY_CHARACTER = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua000-\ua4cf\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[{_BY_CHARACTER}]|(?:(?![{_BY_CHARACTER}])[\w’'])+|\s+|.", re.DOTALL)


class WordChangeKind(StrEnum):
    same = "same"
    added = "added"
    deleted = "deleted"


@dataclass(frozen=True, kw_only=True)
class WordChange:
    """A run of words, with the spaces and marks between them."""

    kind: WordChangeKind
    text: str


def split_words(text: str) -> list[str]:
    """Split a text into words, Chinese or Japanese characters, marks and runs of space: all of it."""
    return _TOKEN.findall(text)


def compare_words(old: str, new: str) -> tuple[WordChange, ...]:
    """Compare two versions of a block. What is not added makes the old one, what is not deleted the new."""
    olds, news = split_words(old), split_words(new)
    changes: list[WordChange] = []
    at, at_new = 0, 0
    ends = [*match_sequences(olds, news), (len(olds), len(news), 0)]
    for start, start_new, size in ends:
        _add(changes, WordChangeKind.deleted, olds[at:start])
        _add(changes, WordChangeKind.added, news[at_new:start_new])
        _add(changes, WordChangeKind.same, olds[start : start + size])
        at, at_new = start + size, start_new + size
    return _join_changes(changes)


def _add(changes: list[WordChange], kind: WordChangeKind, tokens: list[str]) -> None:
    if tokens:
        changes.append(WordChange(kind=kind, text="".join(tokens)))


def _join_changes(changes: list[WordChange]) -> tuple[WordChange, ...]:
    """Join changes with nothing but a space between them: whole phrases are read more easily."""
    joined: list[WordChange] = []
    for change in changes:
        bridges = (
            change.kind is not WordChangeKind.same
            and len(joined) > 1
            and joined[-1].kind is WordChangeKind.same
            and joined[-1].text.isspace()
            and "\n" not in joined[-1].text
        )
        if bridges:
            space = joined.pop().text
            _extend(joined, WordChangeKind.deleted, space)
            _extend(joined, WordChangeKind.added, space)
        _extend(joined, change.kind, change.text)
    return tuple(joined)


def _extend(changes: list[WordChange], kind: WordChangeKind, text: str) -> None:
    """Add a change to the run before, in which the deleted words come first."""
    if changes and changes[-1].kind is kind:
        changes[-1] = WordChange(kind=kind, text=changes[-1].text + text)
    elif kind is WordChangeKind.deleted and changes and changes[-1].kind is WordChangeKind.added:
        added = changes.pop()
        _extend(changes, kind, text)
        changes.append(added)
    else:
        changes.append(WordChange(kind=kind, text=text))
