"""What titles and labels say about whether people get mail, by a grammar of negation, leaving and consent.

A negation is found before anything else: "Does not want the newsletter" is about leaving, and what denies
leaving, such as "Not unsubscribed", is asked about.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

from subscribers.imports.columns.status_words import (
    STRICTNESS,
    StatusMeaning,
    find_left_stem,
    fold,
    fold_words,
    has_stem,
    left_stems,
    may_be_joined,
    read_boolean,
    split_words,
    strong_words,
)

_TITLES_FILE = Path(__file__).with_name("status_titles.toml")
_ASIDE = re.compile(r"\s*\([^()]*\)\s*(?=\S)")
_CLAUSES = re.compile(r"[()\[\]（）【】:：;|/]+")
# What is non-profit denies nothing about mail.
_COMPOUND = re.compile(
    r"\b(?:non|not?)[- ](?:for[- ])?(?:profit|lucratif|eu|member)\w*|\bnon-(?!subscri)\w+", re.IGNORECASE
)
# "No" denies what follows it, but "Contact No." is a number. French has "n'accepte pas".
_NO = re.compile(r"\bno\b(?!\s*[.#:]|\s+of\b|\W*$)|\bn['’](?=\w)", re.IGNORECASE)
_LAST = frozenset({"le", "via"})
"""These words count only at the end of a title."""
_LABEL = re.compile(r"[\w\s.,:&'’()\[\]/|+-]+")
_MOST_WORDS = 8
"""A label of more words is a sentence, which may be about anything."""


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

    number = "number"
    """A number above 0 means that the person left."""

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


_UNCLEAR = StatusTitle(kind=StatusKind.status)
"""Yes and no are no words for a status, so what they mean is asked."""


@lru_cache(4096)
def classify_title(title: str) -> StatusTitle | None:
    """Return how to read a column with this title, None if it does not tell who left."""
    if is_other_channel(title):
        return None
    # Dynamics 365 writes "(Do Not Modify) Contact" above the keys of its rows.
    bare = _ASIDE.sub("", title)
    folded, tokens = fold(title), fold_words(title)
    # "Inscrit le" and "Consent via" are about when and how, "Accepte le bulletin" is not.
    told = tokens - (_LAST - set(map(fold, split_words(title)[-1:])))
    qualifiers = {name: _has_any(words, folded, told) for name, words in _titles()["qualifiers"].items()}
    if any(map(_denies_leaving, _CLAUSES.split(title))):
        return _UNCLEAR
    if meaning := _find_left(title):
        return _classify_left(meaning, qualifiers)
    if is_negated(bare) and _speaks_of_getting(fold(bare), fold_words(bare)):
        return _classify_negated(folded, tokens, qualifiers)
    return _classify_status(folded, tokens, qualifiers)


@lru_cache(4096)
def is_negated(text: str) -> bool:
    """Return whether ``text`` denies something, in any of the languages we know."""
    qualifiers = _titles()["qualifiers"]
    bare = _COMPOUND.sub("", text.replace("_", " "))
    folded, tokens = fold(bare), fold_words(bare)
    return (
        not qualifiers["negations"].isdisjoint(tokens)
        or any(word in folded for word in _joined_negations())
        or _NO.search(bare) is not None
        or names_refusal(text)
        # Mongolian and Czech write it as a part of the word.
        or any(token.endswith(tuple(qualifiers["negating_ends"])) for token in tokens)
        or any(token.startswith(tuple(qualifiers["negating_starts"])) for token in tokens)
    )


@cache
def _joined_negations() -> frozenset[str]:
    """Return the negations of scripts that have no spaces between words."""
    return frozenset(word for word in _titles()["qualifiers"]["negations"] if word >= "\u2e80")


def names_refusal(title: str) -> bool:
    """Return whether a title is a question and the answer no: "Newsletter: No, thank you"."""
    return ": " in title and read_boolean(title.rpartition(": ")[2]) is False


@lru_cache(4096)
def declines(text: str) -> bool:
    """Return whether ``text`` says that somebody does not want or get mail."""
    return is_negated(text) and _speaks_of_getting(fold(text), fold_words(text))


@lru_cache(4096)
def classify_label(label: str) -> StatusTitle | None:
    """Return what a name says of everybody it stands for: that of a file, of a sheet or of a group. None if
    nothing; it is not certain if it may mean something else, such as those who are left.
    """
    tokens = fold_words(label)
    meaning = find_left_stem(label) or _find_stem(label, _titles()["labels"])
    is_certain = meaning is not None
    if meaning is None:
        meaning = StatusMeaning.unsubscribed if declines(label) else _find_stem(label, _titles()["left"])
    if meaning is None:
        return None
    keeps = _titles()["lists"]["keeps"]
    return StatusTitle(
        kind=StatusKind.everybody,
        meaning=meaning,
        is_certain=is_certain
        and len(split_words(label)) <= _MOST_WORDS
        and keeps.isdisjoint(tokens)
        and not _denies_leaving(label),
    )


@lru_cache(4096)
def suggests_leaving(tag: str) -> bool:
    """Return whether a tag may say that people left: "unsubscribed", or "hard-bounces-2026". One with other
    signs, such as a piece of a template, is no label."""
    return _LABEL.fullmatch(tag) is not None and _names_leaving(tag)


def _names_leaving(tag: str) -> bool:
    return tag.strip().casefold() in strong_words() or find_left_stem(tag) is not None


def classify_labels(labels: Sequence[str]) -> StatusTitle | None:
    """Return what several names of one list say together: the strictest, if none of them is unclear."""
    found = [said for label in labels if (said := classify_label(label))]
    return min(found, key=lambda said: (said.is_certain, STRICTNESS[said.meaning]), default=None)


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
    if qualifiers["details_of_mail"]:
        return None
    if qualifiers["counts"]:
        # A mailbox that was full three times is not dead.
        if qualifiers["passing"]:
            return None
        is_final = qualifiers["final"] or meaning is not StatusMeaning.bounced
        return StatusTitle(kind=StatusKind.number, meaning=meaning, is_certain=is_final)
    kind = StatusKind.reason if qualifiers["reasons"] and not qualifiers["dates"] else StatusKind.left
    return StatusTitle(kind=kind, meaning=meaning)


def _classify_negated(
    folded: str, tokens: frozenset[str], qualifiers: Mapping[str, bool]
) -> StatusTitle | None:
    is_other = any(has_stem(word, folded, tokens) for word in _titles()["qualifiers"]["others"])
    if not (is_other or qualifiers["details"] or qualifiers["counts"]):
        return StatusTitle(kind=StatusKind.left)
    mentions = any(has_stem(word, folded, tokens) for word in _titles()["qualifiers"]["mail"])
    return _UNCLEAR if mentions else None


def _denies_leaving(clause: str) -> bool:
    """Return whether a clause denies that somebody left: "Not unsubscribed", but not "Do not email"."""
    return is_negated(clause) and any(
        _is_about_leaving(stem) for stem in _list_stems(fold(clause), fold_words(clause))
    )


@cache
def _is_about_leaving(stem: str) -> bool:
    """Return whether a stem needs no negation to speak of leaving."""
    qualifiers = _titles()["qualifiers"]
    return stem not in qualifiers["negated"] and not any(word in stem for word in _joined_negations())


def _list_stems(folded: str, tokens: frozenset[str]) -> list[str]:
    stems = (*left_stems(), *(stem for several in _titles()["left"].values() for stem in several))
    return [stem for stem in stems if has_stem(stem, folded, tokens)]


def _speaks_of_getting(folded: str, tokens: frozenset[str]) -> bool:
    """Return whether a title is about mail, or about wanting or getting something."""
    data = _titles()
    return any(
        has_stem(stem, folded, tokens)
        for stems in (
            data["qualifiers"]["sendings"],
            data["qualifiers"]["wants"],
            data["lists"]["consent.stems"],
        )
        for stem in stems
    )


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
    about_consent = about_consent or (
        any(has_stem(stem, folded, tokens) for stem in data["qualifiers"]["wants"])
        and any(has_stem(stem, folded, tokens) for stem in data["qualifiers"]["sendings"])
    )
    if about_consent and not is_other and not any(map(qualifiers.get, ("details", "dates", "counts"))):
        return StatusTitle(kind=StatusKind.consent, is_certain=False)
    return None


def _find_left(title: str) -> StatusMeaning | None:
    return find_left_stem(title) or _find_stem(title, _titles()["left"])


def _find_stem(text: str, table: Mapping[str, frozenset[str]]) -> StatusMeaning | None:
    folded, tokens = fold(text), fold_words(text)
    for meaning, stems in table.items():
        if any(has_stem(stem, folded, tokens) for stem in stems):
            return StatusMeaning(meaning)
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
            "keeps": folded(data["keeps"]),
        },
        "left": {meaning: folded(stems) for meaning, stems in data["left"].items()},
        "labels": {meaning: folded(stems) for meaning, stems in data["labels"].items()},
        "qualifiers": {name: folded(words) for name, words in data["qualifiers"].items()},
    }
