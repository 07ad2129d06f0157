"""What titles and cells say about whether a person gets mail, by words in any of the languages we know.

A word that is not known has no meaning here, and nobody becomes active because of one.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
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
_TITLES_FILE = Path(__file__).with_name("status_titles.toml")
_ASIDE = re.compile(r"\s*\([^()]*\)\s*(?=\S)")


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
    if len(stem) <= _SHORT_STEM and stem.isascii():
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
def _stems() -> tuple[tuple[str, StatusMeaning], ...]:
    # "On Hold Bounce" says why: what is only held or blocked comes last.
    order = sorted(StatusMeaning, key=lambda meaning: meaning is StatusMeaning.suppressed)
    return tuple(
        (fold(stem), meaning) for meaning in order for stem in _data()["stems"].get(meaning.value, ())
    )


class StatusKind(StrEnum):
    """How the cells of a column say who left."""

    status = "status"
    """A word for each person: active, unsubscribed, bounced."""

    left = "left"
    """Yes or a date means that the person left."""

    reason = "reason"
    """Any text means that the person left."""

    consent = "consent"
    """No means that the person does not get mail."""

    confirmation = "confirmation"
    """No means that the address was never confirmed."""

    confirmation_date = "confirmation date"
    """Without a date, the address was never confirmed."""

    everybody = "everybody"
    """All who are in a file with this column left."""


@dataclass(frozen=True, kw_only=True)
class StatusTitle:
    """What the title of a column says about status. ``meaning`` is the way of leaving the title names.
    ``is_certain`` is False if the cells must confirm that the column is about the subscription.
    """

    kind: StatusKind
    meaning: StatusMeaning = StatusMeaning.unsubscribed
    is_certain: bool = True


@lru_cache(4096)
def classify_title(title: str) -> StatusTitle | None:
    """Return how to read a column with this title, None if it does not tell who left."""
    data = _titles()
    folded, tokens = fold(title), fold_words(title)
    if is_other_channel(title):
        return None
    qualifiers = {name: _has_any(words, folded, tokens) for name, words in data["qualifiers"].items()}
    if meaning := _find_left(folded, tokens, title):
        return _classify_left(meaning, qualifiers)
    return _classify_status(folded, tokens, qualifiers)


@lru_cache(4096)
def is_other_channel(title: str) -> bool:
    """Return whether a title is about text messages, telephones or post, and not about mail."""
    qualifiers = _titles()["qualifiers"]
    folded, tokens = fold(title), fold_words(title)
    if not _has_any(qualifiers["channels"], folded, tokens):
        return False
    # "SMS Marketing Consent" is about text messages, "Email and SMS consent" about mail too.
    return not any(has_stem(word, folded, tokens) for word in qualifiers["mail"] if word != "marketing")


def may_be_status(title: str) -> bool:
    """Return whether a title is about a status or about something else, such as a federal state."""
    return fold(title) in _titles()["lists"]["status_or_place"]


def tells_how_often(title: str) -> bool:
    return fold(title) in _titles()["lists"]["consent.how_often"]


def is_remark(title: str) -> bool:
    """Return whether a column with this title has remarks, in which people write what they like."""
    return not _titles()["lists"]["remarks"].isdisjoint(fold_words(title))


def mentions_mail(title: str) -> bool:
    """Return whether a title is about getting mail, and not about a detail or a number of mails."""
    data = _titles()["qualifiers"]
    folded, tokens = fold(title), fold_words(title)
    neutral = ("details", "counts", "dates")
    return any(has_stem(word, folded, tokens) for word in data["mail"]) and not any(
        _has_any(data[name], folded, tokens) for name in neutral
    )


def _classify_left(meaning: StatusMeaning, qualifiers: Mapping[str, bool]) -> StatusTitle | None:
    if qualifiers["counts"]:
        return None
    kind = StatusKind.reason if qualifiers["reasons"] and not qualifiers["dates"] else StatusKind.left
    return StatusTitle(kind=kind, meaning=meaning)


def _classify_status(
    folded: str, tokens: frozenset[str], qualifiers: Mapping[str, bool]
) -> StatusTitle | None:
    data = _titles()
    lists = data["lists"]
    is_status = _has_status_word(lists["status"], folded, tokens)
    is_other = any(has_stem(word, folded, tokens) for word in data["qualifiers"]["others"])
    if folded in lists["consent.certain"]:
        return StatusTitle(kind=StatusKind.consent)
    if any(has_stem(stem, folded, tokens) for stem in lists["confirmation.stems"]):
        if qualifiers["dates"]:
            return StatusTitle(kind=StatusKind.confirmation_date, is_certain=False)
        if not qualifiers["details"] or is_status:
            return StatusTitle(kind=StatusKind.confirmation, is_certain=is_status)
        return None
    about_consent = any(has_stem(stem, folded, tokens) for stem in lists["consent.stems"])
    if is_status:
        if about_consent:
            return StatusTitle(kind=StatusKind.consent)
        return None if is_other else StatusTitle(kind=StatusKind.status)
    if about_consent and not is_other and not any(map(qualifiers.get, ("details", "dates", "counts"))):
        return StatusTitle(kind=StatusKind.consent, is_certain=False)
    return None


def _find_left(folded: str, tokens: frozenset[str], title: str) -> StatusMeaning | None:
    if found := find_left_stem(title):
        return found
    for meaning, stems in _titles()["left"].items():
        if any(has_stem(stem, folded, tokens) for stem in stems):
            return StatusMeaning(meaning)
    qualifiers = _titles()["qualifiers"]
    # Dynamics 365 writes "(Do Not Modify) Contact" above the keys of its rows.
    words = fold_words(_ASIDE.sub("", title))
    if not qualifiers["negations"].isdisjoint(words) and any(
        has_stem(stem, folded, tokens) for stem in qualifiers["sendings"]
    ):
        return StatusMeaning.unsubscribed
    return None


def _has_status_word(words: frozenset[str], folded: str, tokens: frozenset[str]) -> bool:
    # "state" and "estado" alone are a status only where the cells say so.
    return any(token.endswith(("status", "statut")) for token in tokens) or any(
        word == folded or (word in tokens and len(tokens) > 1) or (may_be_joined(word) and word in folded)
        for word in words
    )


def _has_any(words: frozenset[str], folded: str, tokens: frozenset[str]) -> bool:
    return not words.isdisjoint(tokens) or any(
        word in folded for word in words if may_be_joined(word) and (len(word) > 1 or folded.endswith(word))
    )


@cache
def _titles() -> Mapping[str, Mapping[str, frozenset[str]]]:
    data = tomllib.loads(_TITLES_FILE.read_text(encoding="utf-8"))

    def folded(words: list[str]) -> frozenset[str]:
        return frozenset(map(fold, words))

    return {
        "lists": {
            "status": folded(data["status"]) - folded(data["status_or_place"]),
            "status_or_place": folded(data["status_or_place"]),
            "remarks": folded(data["remarks"]),
            "consent.certain": folded(data["consent"]["certain"]),
            "consent.stems": folded(data["consent"]["stems"]),
            "consent.how_often": folded(data["consent"]["how_often"]),
            "confirmation.stems": folded(data["confirmation"]["stems"]),
        },
        "left": {meaning: folded(stems) for meaning, stems in data["left"].items()},
        "qualifiers": {name: folded(words) for name, words in data["qualifiers"].items()},
    }
