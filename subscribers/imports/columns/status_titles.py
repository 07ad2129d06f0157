"""Which titles say that a column may tell who left, and how its cells are to be read."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

from subscribers.imports.columns.status_words import (
    StatusMeaning,
    find_left_stem,
    fold,
    fold_words,
    has_stem,
    may_be_joined,
)

_TITLES_FILE = Path(__file__).with_name("status_titles.toml")
_ASIDE = re.compile(r"\s*\([^()]*\)\s*(?=\S)")


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
    """Whoever is in a file with this column left."""


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
    """Whether a title is about text messages, telephones or post, and not about mail."""
    qualifiers = _titles()["qualifiers"]
    folded, tokens = fold(title), fold_words(title)
    if not _has_any(qualifiers["channels"], folded, tokens):
        return False
    # "SMS Marketing Consent" is about text messages, "Email and SMS consent" about mail too.
    return not any(has_stem(word, folded, tokens) for word in qualifiers["mail"] if word != "marketing")


def may_be_status(title: str) -> bool:
    """Whether a title is about a status or about something else, such as a federal state."""
    return fold(title) in _titles()["lists"]["status_or_place"]


def tells_how_often(title: str) -> bool:
    """Whether a title is about how often somebody wants mail."""
    return fold(title) in _titles()["lists"]["consent.how_often"]


def is_remark(title: str) -> bool:
    """Whether people write there what they like."""
    return not _titles()["lists"]["remarks"].isdisjoint(fold_words(title))


def mentions_mail(title: str) -> bool:
    """Whether a title is about getting mail, and not about a detail or a number of mails."""
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
    """Whether one of the words is in a title: as a word, or anywhere where words are not set apart."""
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
