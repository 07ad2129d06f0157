"""Makes a change in a block's own source, so that what the writer left alone stays as it is written."""

import re
from difflib import SequenceMatcher
from itertools import takewhile

# Longer blocks are written anew: to compare them takes too long.
_MAX_LENGTH = 20_000
_WORD = re.compile(r"[^\W_]+|[^\s]")


def patch_source(source: str, *, before: str, after: str) -> str | None:
    """``source`` with the change from ``before`` to ``after``; None where it is not found.

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
    """Where the characters of ``before`` are in ``source``: those of words that both have."""
    words, found = list(_WORD.finditer(before)), list(_WORD.finditer(source))
    matcher = SequenceMatcher(None, [word[0] for word in words], [word[0] for word in found], autojunk=False)
    places: dict[int, int] = {}
    for match in matcher.get_matching_blocks():
        for number in range(match.size):
            word, place = words[match.a + number], found[match.b + number].start()
            for offset in range(len(word[0]) + 1):
                places.setdefault(word.start() + offset, place + offset)
    return places
