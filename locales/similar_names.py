"""Which country a misspelt name probably is of: only one whose whole name is a slip or two away.

Most of a formal name is words that many countries share ("Democratic Republic of ..."), so how many slips
are allowed depends on the rest of it. A suggestion must never be another country with a word in common.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from locales.edit_distance import edit_distance
from locales.name_keys import distinctive_words, name_words

# A word in the names of this many countries says little about which of them is meant.
_SHARED_BY = 3
_MOST_SLIPS = 2
# "Republic", "people", "islands" and their like, in scripts that put no space between words.
_SHARED_CHARACTERS = re.compile(
    "共和[国國]|合[众眾衆][国國]|[联聯連]邦|[联聯連]合|[王公][国國]|人民|民主|主[义義]|社[会會]|伊斯[兰蘭]|阿拉伯"
    "|[群诸諸][岛島]|特[别別]行政[区區]|共和|[岛島国國]|イスラム|공화국|왕국|제도|민주|인민|연방"
)
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SAME_INITIALS = str.maketrans("cq", "kk")


@dataclass(frozen=True, slots=True)
class _Name:
    key: str
    code: str
    initial: str
    """The first letter of what no other countries have in their names."""
    slips: int
    """How many slips are allowed in it."""
    slips_at_initial: int
    """How many are if the text has no word with that initial."""
    letters: int
    """Its letters, a bit each. A slip adds one at most, so most names need no look at their order."""


@dataclass(frozen=True, slots=True)
class SimilarNames:
    """Names of countries by the length of their keys, and the words that many countries share."""

    names: Mapping[int, tuple[_Name, ...]]
    shared_words: frozenset[str]

    def find(self, text: str) -> tuple[str, ...]:
        """The countries with the name nearest to ``text``, all of them if several are as near; often none."""
        words = distinctive_words(name_words(text))
        if self.shared_words.issuperset(words):
            return ()
        key, initials = "".join(words), {_initial(word) for word in words}
        # Two characters are a whole word in Chinese.
        nearest = 1 if _CJK.search(key) else _MOST_SLIPS
        is_found = False
        near = self._of_like_letters(key, nearest)
        for name in near:
            allowed = min(nearest, name.slips if name.initial in initials else name.slips_at_initial)
            if allowed and (distance := edit_distance(key, name.key, allowed)) is not None:
                nearest, is_found = distance, True
        if not is_found:
            return ()
        # A name too short to be suggested by itself may be the one that is meant.
        return tuple({name.code: None for name in near if edit_distance(key, name.key, nearest) is not None})

    def _of_like_letters(self, key: str, slips: int) -> list[_Name]:
        letters = _letter_bits(key)
        return [
            name
            for length in range(len(key) - slips, len(key) + slips + 1)
            for name in self.names.get(length, ())
            if (letters & ~name.letters).bit_count() <= slips
            and (name.letters & ~letters).bit_count() <= slips
        ]


def index_similar_names(names: Iterable[tuple[str, str]]) -> SimilarNames:
    """Prepares ``names``, pairs of a name and its country, to be searched for what a misspelling means."""
    split = {(tuple(distinctive_words(name_words(name))), code) for name, code in names}
    countries: defaultdict[str, set[str]] = defaultdict(set)
    for words, code in split:
        for word in words:
            countries[word].add(code)
    shared = frozenset(word for word, codes in countries.items() if len(codes) >= _SHARED_BY)
    by_length: defaultdict[int, list[_Name]] = defaultdict(list)
    for words, code in sorted(split):
        key = "".join(words)
        by_length[len(key)].append(_index_name(key, _distinctive_part(words, shared), code))
    return SimilarNames({length: tuple(found) for length, found in by_length.items()}, shared)


def _index_name(key: str, part: str, code: str) -> _Name:
    # "United Kingdom" has nothing but shared words, so it is the whole that distinguishes it.
    slips = _allowed_slips(part) if part else min(1, _allowed_slips(key))
    # In a short name, a different first letter is more often a different place: Yalta is not Malta.
    at_initial = 0 if len(part or key) < 7 else min(1, slips)
    return _Name(key, code, _initial(part or key), slips, at_initial, _letter_bits(key))


def _distinctive_part(words: Iterable[str], shared: frozenset[str]) -> str:
    return _SHARED_CHARACTERS.sub("", "".join(word for word in words if word not in shared))


def _allowed_slips(part: str) -> int:
    if len(part) < 5:
        return 0
    return 1 if len(part) < 10 else _MOST_SLIPS


def _initial(part: str) -> str:
    return part[:1].translate(_SAME_INITIALS)


def _letter_bits(key: str) -> int:
    bits = 0
    for letter in key:
        bits |= 1 << (ord(letter) & 63)
    return bits
