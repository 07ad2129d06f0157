"""What counts in a country's name when it is compared: not its case, accents, punctuation, articles or order.

A key is made of letters and digits only. The exact key keeps every word; the loose key leaves out words such
as "of" and "les" and writes abbreviations out, so "Congo, Dem. Rep." is "Democratic Republic of the Congo".
"""

import re
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


def exact_key(name: str) -> str:
    """The letters and digits of ``name`` without case, accents and "the"; "&" is "and", "St" is "saint"."""
    return exact_and_loose_key(name)[0]


def loose_key(name: str) -> str:
    """The key of ``name`` without articles and prepositions, with abbreviated words written out."""
    return exact_and_loose_key(name)[1]


def exact_and_loose_key(name: str) -> tuple[str, str]:
    """The exact and the loose key of ``name``."""
    words = name_words(name)
    exact = "".join(["saint" if word == "st" else word for word in words if word != "the"])
    return exact, "".join(distinctive_words(words))


def name_words(name: str) -> list[str]:
    """The words of ``name`` in the order they are in, without case and accents."""
    folded = normalize("NFKC", name).casefold().translate(_LETTERS)
    if folded.isascii():
        return _WORD.findall(folded.replace("&", " and "))
    folded = _RUSSIAN_ISLANDS.sub(r"остров\1", _without_accents(folded.replace("&", " and ")))
    return _WORD.findall(folded)


def distinctive_words(words: list[str]) -> list[str]:
    """``words`` without articles and prepositions, and with abbreviated words written out."""
    kept = [_WRITTEN_OUT.get(word, word).removeprefix("ال") for word in words if word not in _LEFT_OUT]
    return [word for word in kept if word]


def reorder_name(name: str) -> str | None:
    """ "Republic of Korea" for "Korea, Republic of" and "Korea (Republic of)"; None for any other form."""
    match = _INVERTED.fullmatch(normalize("NFKC", name))
    return f"{match[2] or match[3]} {match[1]}" if match else None


def split_names(name: str) -> list[str]:
    """The names in "Myanmar (Burma)" and "Suomi / Finland"; none when there is only one."""
    parts = [part for part in _PARTS.split(normalize("NFKC", name)) if part]
    return parts if len(parts) > 1 else []


def _without_accents(text: str) -> str:
    """``text`` without marks on Latin, Greek, Hebrew and Arabic letters; elsewhere they make another one."""
    return normalize("NFC", _ACCENTS.sub(r"\1", normalize("NFD", text))).translate(_LETTERS)
