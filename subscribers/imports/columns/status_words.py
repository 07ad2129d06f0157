"""What cells say about whether a person gets mail, by words in any of the languages we know.

A word that is not known has no meaning here, and nobody becomes active because of one.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unicodedata import combining, normalize

from locales.phrase import WordedEnum, gettext_noop
from subscribers.models import ConsentEvent

_WORDS_FILE = Path(__file__).with_name("status_words.toml")
_SHORT_STEM = 4
_PIECES = re.compile(r"[,;:/()\[\]|、，；：（）【】。.!！]+|\s+[-–—]\s+")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_DAY = re.compile(r"(?<!\d)\d{1,2}\s*[./-]\s*\d{1,2}\s*[./-]\s*\d{2,4}(?!\d)")
# The code by which a server says why it did not take a mail (RFC 3463): for good, or for now.
_FAILURE_CODE = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_ONLY_ZEROS = re.compile(r"0+(?:[-/.:\sTZ]+0+)+Z?")
# Excel's numbers of the days from 1954 to 2119, and seconds or milliseconds since 1970 from 2001 on.
_EXCEL_DAYS, _SECONDS = range(20_000, 80_000), range(10**9, 10**13 * 5)


class StatusMeaning(WordedEnum):
    """What a cell says about a person. Of several cells in a row, the one that comes first here counts."""

    complained = ("complained", gettext_noop("Reported mail as spam: gets no mail"))
    suppressed = ("suppressed", gettext_noop("Must not get mail"))
    bounced = ("bounced", gettext_noop("Address does not work: gets no mail"))
    unsubscribed = ("unsubscribed", gettext_noop("Unsubscribed: gets no mail"))
    unconfirmed = ("unconfirmed", gettext_noop("Never confirmed: is refused"))
    active = ("active", gettext_noop("Gets mail"))
    nothing = ("says nothing", gettext_noop("Says nothing about leaving"))
    """The cell is empty, or says only that a person did not leave."""


SUPPRESS_REASONS: Mapping[StatusMeaning, ConsentEvent] = MappingProxyType(
    {
        StatusMeaning.complained: ConsentEvent.complained,
        StatusMeaning.suppressed: ConsentEvent.suppressed,
        StatusMeaning.bounced: ConsentEvent.bounced,
        StatusMeaning.unsubscribed: ConsentEvent.unsubscribed,
    }
)
STRICTNESS: Mapping[StatusMeaning, int] = MappingProxyType(
    {meaning: rank for rank, meaning in enumerate(StatusMeaning)}
)
LEFT = frozenset(SUPPRESS_REASONS)
"""The meanings of those who must not get mail."""


@lru_cache(4096)
def fold(text: str) -> str:
    """Drop case, accents, spaces and punctuation; of a text of nothing else, only the spaces around it."""
    # Turkish writes its dotless i as I in capitals.
    folded = normalize("NFKC", text).casefold().replace("ı", "i")
    bare = "".join(char for char in normalize("NFD", folded) if char.isalnum() and not combining(char))
    return normalize("NFC", bare) or folded.strip()


def is_empty_value(cell: str) -> bool:
    """Return whether a cell has nothing in it, a word for nothing (``null``), or a date of zeros."""
    text = cell.strip()
    # \N is how databases write null; folded, it would be an n for no.
    if not text or text == "\\N":
        return True
    return fold(text) in _lists()["empty"] or _ONLY_ZEROS.fullmatch(text) is not None


def read_boolean(cell: str) -> bool | None:
    """Return whether a cell says yes or no, None if neither. ``Yes, please`` and ``No (since May)`` do."""
    lists = _lists()
    for text in (cell, _PIECES.split(cell.strip(), maxsplit=1)[0]):
        folded = fold(text)
        if folded in lists["yes"]:
            return True
        if folded in lists["no"]:
            return False
    return None


def is_refusal(cell: str) -> bool:
    """Return whether a cell that answers a question about consent says no in a phrase."""
    folded = fold(cell)
    return any(part in folded for part in _lists()["refusals"])


def is_date(cell: str) -> bool:
    """Return whether a cell has a date, however it is written, or a number that stands for one."""
    text = normalize("NFKC", cell).strip()
    if _NUMBER.fullmatch(text):
        whole = int(float(text))
        return whole in _EXCEL_DAYS or whole in _SECONDS
    return bool(_YEAR.search(text) or _DAY.search(text))


def is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(normalize("NFKC", cell).strip()) is not None


def is_above_zero(cell: str) -> bool:
    return float(normalize("NFKC", cell).strip()) > 0


def read_status_word(cell: str) -> StatusMeaning | None:
    """Return what the words of a cell say, None if they are not known."""
    known = _known_words()
    if meaning := known.get(fold(cell)):
        return meaning
    if _FAILURE_CODE.fullmatch(cell.strip()):
        return StatusMeaning.bounced
    if found := find_left_stem(cell):
        return found
    pieces = [piece for piece in _PIECES.split(cell) if piece.strip() and not is_date(piece)]
    if len(pieces) < 1 or pieces == [cell]:
        return None
    meanings = [known.get(fold(piece)) for piece in pieces]
    if None in meanings:
        return None
    return min((meaning for meaning in meanings if meaning), key=STRICTNESS.__getitem__)


@lru_cache(4096)
def find_left_stem(text: str) -> StatusMeaning | None:
    """Return which way of leaving ``text`` mentions, None if it mentions none."""
    folded = fold(text)
    tokens = fold_words(text)
    for stem, meaning in _stems():
        if has_stem(stem, folded, tokens):
            return meaning
    return None


def has_stem(stem: str, folded: str, tokens: frozenset[str]) -> bool:
    """Return whether a folded title or cell contains ``stem``; a short Latin one must be a whole word."""
    # "Rebajas" are sales, and nobody's leaving.
    if (len(stem) <= _SHORT_STEM and stem.isascii()) or stem == "bajas":
        return stem in tokens
    if stem.startswith("des"):
        # "Date des inscriptions" and "Estado de suscripción" are not about leaving.
        return any(stem in token for token in tokens)
    return stem in folded


def may_be_joined(word: str) -> bool:
    """Return whether a word can be part of a longer one: it is in a script without spaces, or in Arabic."""
    return word >= "\u0590"


def split_words(text: str) -> list[str]:
    """Return the words of a title, also of one such as HasOptedOutOfEmail or opted_out."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])(?<!Whats)", " ", normalize("NFKC", text))
    return re.findall(r"\w+", apart.replace("_", " "))


def fold_words(text: str) -> frozenset[str]:
    """Return the folded words of a title, those with a hyphen as one and as several."""
    return frozenset(map(fold, (*split_words(text), *text.split())))


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(_WORDS_FILE.read_text(encoding="utf-8"))


@cache
def _lists() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(map(fold, _data()[name])) for name in ("yes", "no", "refusals", "empty")}


@cache
def _known_words() -> Mapping[str, StatusMeaning]:
    # Words for leaving are entered last, so that one with two meanings is the stricter.
    return {
        fold(word): meaning
        for table in ("doubtful", "words")
        for meaning in reversed(StatusMeaning)
        for word in _data()[table].get(meaning.value, ())
    }


@cache
def strong_words() -> Mapping[str, StatusMeaning]:
    """Return words that say in any column that a person left, case-folded, with their ways of leaving; their
    spaces also as hyphens and underscores, or without."""
    return {
        word.casefold().replace(" ", between): meaning
        for meaning in reversed(StatusMeaning)
        if meaning in LEFT
        for word in _data()["words"].get(meaning.value, ())
        for between in (" ", "_", "-", "")
    }


@cache
def left_stems() -> frozenset[str]:
    """Return the folded stems of all words for leaving."""
    return frozenset(stem for stem, _ in _stems())


@cache
def _stems() -> tuple[tuple[str, StatusMeaning], ...]:
    # "On Hold Bounce" says why: what is only held or blocked comes last.
    order = sorted(StatusMeaning, key=lambda meaning: meaning is StatusMeaning.suppressed)
    return tuple(
        (fold(stem), meaning) for meaning in order for stem in _data()["stems"].get(meaning.value, ())
    )
