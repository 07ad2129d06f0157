"""How names of countries are compared: by keys without case, accents and order, and by slips in typing.

A key is made of letters and digits only. The exact key keeps every word; the loose key leaves out words such
as "of" and "les" and writes abbreviations out, so "Congo, Dem. Rep." is "Democratic Republic of the Congo".
Names that say what kind of state a country is ("Republik Österreich", "ガーナ共和国") count if the country is
of that kind. Of misspelt names, only one whose whole name is a slip or two away is suggested: never another
country with a word in common.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from unicodedata import normalize

_WORD = re.compile(r"[^\W_]+")
_INVERTED = re.compile(r"\s*([^,،(]+?)\s*(?:[,،]\s*([^,،()]+?)|\(\s*([^()]+?)\s*\))\s*")
_PARTS = re.compile(r"\s*[/()]\s*")
# Letters that people write in several ways, among them what a Persian keyboard has for two Arabic ones.
_LETTERS = str.maketrans(
    {
        "ё": "е",
        "ى": "ي",
        "ی": "ي",
        "ک": "ك",
        "ة": "ه",
        "ـ": None,
        "ı": "i",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "œ": "oe",
        "臺": "台",
        "ʼ": "'",
        "ʻ": "'",
    }
)
_ACCENTS = re.compile(
    "([A-Za-z\u00c0-\u02af\u0370-\u03ff\u05d0-\u06ff])[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]+"
)
_RUSSIAN_ISLANDS = re.compile(r"\bо-в(а?)\b")
_LEFT_OUT = frozenset(
    "the of and l le la les d de du des et el los las del y der die das und и".split()  # noqa: SIM905
)
_WRITTEN_OUT = {
    "st": "saint",
    "rep": "republic",
    "republique": "republic",
    "republica": "republic",
    "dem": "democratic",
    "democratique": "democratic",
    "democratica": "democratic",
    "fed": "federated",
    "is": "islands",
    "isl": "islands",
    "sts": "states",
}
_REPUBLIC = "Republic of "
_KINGDOM = "Kingdom of "
_WORDS: Mapping[str, str] = {
    "republic": _REPUBLIC,
    "republik": _REPUBLIC,
    "республика": _REPUBLIC,
    "جمهوريه": _REPUBLIC,
    "kingdom": _KINGDOM,
    "royaume": _KINGDOM,
    "reino": _KINGDOM,
    "konigreich": _KINGDOM,
    "королевство": _KINGDOM,
    "مملكه": _KINGDOM,
}
_ENDINGS: Mapping[str, str] = {
    "共和国": _REPUBLIC,
    "共和國": _REPUBLIC,
    "공화국": _REPUBLIC,
    "王国": _KINGDOM,
    "王國": _KINGDOM,
    "왕국": _KINGDOM,
}
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


def exact_key(name: str) -> str:
    """Return the letters and digits of ``name`` without case, accents, "the"; "&" is "and", "St" "saint"."""
    return exact_and_loose_key(name)[0]


def loose_key(name: str) -> str:
    """Return the key of ``name`` without articles and prepositions, with abbreviated words written out."""
    return exact_and_loose_key(name)[1]


def exact_and_loose_key(name: str) -> tuple[str, str]:
    words = name_words(name)
    exact = "".join(["saint" if word == "st" else word for word in words if word != "the"])
    return exact, "".join(distinctive_words(words))


def name_words(name: str) -> list[str]:
    """Return the words of ``name`` in order, without case and accents."""
    folded = normalize("NFKC", name).casefold().translate(_LETTERS)
    if folded.isascii():
        return _WORD.findall(folded.replace("&", " and "))
    folded = _RUSSIAN_ISLANDS.sub(r"остров\1", _without_accents(folded.replace("&", " and ")))
    return _WORD.findall(folded)


def distinctive_words(words: list[str]) -> list[str]:
    """Return ``words`` without articles and prepositions, and with abbreviated words written out."""
    kept = [_WRITTEN_OUT.get(word, word).removeprefix("ال") for word in words if word not in _LEFT_OUT]
    return [word for word in kept if word]


def reorder_name(name: str) -> str | None:
    """Return "Republic of Korea" for "Korea, Republic of" and "Korea (Republic of)"; None for other forms."""
    match = _INVERTED.fullmatch(normalize("NFKC", name))
    return f"{match[2] or match[3]} {match[1]}" if match else None


def split_names(name: str) -> list[str]:
    """Return the names in "Myanmar (Burma)" and "Suomi / Finland"; none when there is only one."""
    parts = [part for part in _PARTS.split(normalize("NFKC", name)) if part]
    return parts if len(parts) > 1 else []


def _without_accents(text: str) -> str:
    """Drop marks on Latin, Greek, Hebrew and Arabic letters; elsewhere they make another letter."""
    return normalize("NFC", _ACCENTS.sub(r"\1", normalize("NFD", text))).translate(_LETTERS)


def split_state_form(name: str) -> tuple[str, str] | None:
    """Return how the formal English name of such a state begins, and the loose key of the rest of
    ``name``; None when ``name`` is not of that form."""
    words = distinctive_words(name_words(name))
    if len(words) > 1 and (form := _WORDS.get(words[0])):
        return form, "".join(words[1:])
    key = "".join(words)
    for ending, form in _ENDINGS.items():
        if (rest := key.removesuffix(ending)) and rest != key:
            return form, rest
    return None


def edit_distance(written: str, meant: str, limit: int) -> int | None:
    """Count the letters added, left out, replaced or swapped with their neighbour; None above ``limit``.

    The optimal string alignment distance, on what is left of both without their common beginning and end.
    """
    if abs(len(written) - len(meant)) > limit:
        return None
    start, end = 0, min(len(written), len(meant))
    while start < end and written[start] == meant[start]:
        start += 1
    tail = 0
    while tail < end - start and written[-1 - tail] == meant[-1 - tail]:
        tail += 1
    written, meant = written[start : len(written) - tail], meant[start : len(meant) - tail]
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(written, 1):
        two_before, before, row = before, row, [i]
        for j, other in enumerate(meant, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and written[i - 2] == other:
                cost = min(cost, two_before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return None
    return row[-1] if row[-1] <= limit else None


class _Name:
    """A name of a country, how many ``slips`` are allowed in it, and how many ``slips_at_initial``, where the
    text has no word with its ``initial``. ``part`` is what no other countries have in their names."""

    __slots__ = ("code", "initial", "key", "letters", "slips", "slips_at_initial")

    def __init__(self, key: str, part: str, code: str) -> None:
        self.key, self.code, self.initial = key, code, _initial(part or key)
        # "United Kingdom" has nothing but shared words, so it is the whole that distinguishes it.
        self.slips = _allowed_slips(part) if part else min(1, _allowed_slips(key))
        # In a short name, a different first letter is more often a different place: Yalta is not Malta.
        self.slips_at_initial = 0 if len(part or key) < 7 else min(1, self.slips)
        # A bit for each letter. A slip adds one at most, so most names need no look at their order.
        self.letters = _letter_bits(key)


class SimilarNames:
    """Finds what a misspelling may mean among ``names``, pairs of a name and its country."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        split = {(tuple(distinctive_words(name_words(name))), code) for name, code in names}
        countries: defaultdict[str, set[str]] = defaultdict(set)
        for words, code in split:
            for word in words:
                countries[word].add(code)
        self._shared_words = {word for word, codes in countries.items() if len(codes) >= _SHARED_BY}
        self._by_length: defaultdict[int, list[_Name]] = defaultdict(list)
        for words, code in sorted(split):
            key = "".join(words)
            part = "".join(word for word in words if word not in self._shared_words)
            self._by_length[len(key)].append(_Name(key, _SHARED_CHARACTERS.sub("", part), code))

    def find(self, text: str) -> tuple[str, ...]:
        """Return the countries with the name nearest to ``text``, all if several are as near; often none."""
        words = distinctive_words(name_words(text))
        if self._shared_words.issuperset(words):
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
            for name in self._by_length.get(length, ())
            if (letters & ~name.letters).bit_count() <= slips
            and (name.letters & ~letters).bit_count() <= slips
        ]


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
