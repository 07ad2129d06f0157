"""Which of our columns a title stands for, in the languages of our partners."""

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from subscribers.imports.columns.status_titles import classify_title
from subscribers.imports.columns.status_words import fold, fold_words, may_be_joined, split_words

_TITLES_FILE = Path(__file__).with_name("column_titles.toml")
FIELDS = (
    *("email", "email_other", "given", "middle", "family", "name"),
    *("organisation", "country", "sectors", "language", "tags"),
)
"""What a column can hold: our columns, the parts of a name, and further addresses."""


@lru_cache(4096)
def find_field(title: str) -> str | None:
    """Return which of :data:`FIELDS` a title stands for, None if we do not know it."""
    fields = _fields()
    if found := fields.get(fold(title)):
        return found
    words = _lists()
    kept = [word for word in map(fold, split_words(title)) if word not in words["noise"]]
    return fields.get("".join(kept)) if kept else None


@lru_cache(4096)
def is_email_question(title: str) -> bool:
    """Whether a title of several words asks for an address: "Where can we write to you (email)?"."""
    words = _lists()
    folded, tokens = fold(title), fold_words(title)
    return (
        any(stem in folded for stem in words["email_stems"])
        and tokens.isdisjoint(words["others"])
        and classify_title(title) is None
    )


def find_mentioned_field(title: str) -> str | None:
    """Return which of our columns a longer title mentions, such as a question in a form; None if it does not.

    Nothing but the cells can confirm it.
    """
    folded, tokens = fold(title), fold_words(title)
    details = _mentions()["details"]
    if not details.isdisjoint(tokens) or any(may_be_joined(word) and word in folded for word in details):
        return None
    for field, words in _mentions().items():
        if any(word in tokens or (may_be_joined(word) and word in folded) for word in words):
            return field
    return None


def is_about_others(title: str) -> bool:
    """Whether a title is about somebody or something else than the person in the row."""
    folded = fold(title)
    others = _lists()["others"]
    return not others.isdisjoint(fold_words(title)) or any(
        may_be_joined(word) and word in folded for word in others
    )


@cache
def _fields() -> Mapping[str, str]:
    data = _data()
    return {fold(title): field for field in reversed(FIELDS) for title in data[field]}


@cache
def _lists() -> Mapping[str, frozenset[str]]:
    data = _data()
    return {name: frozenset(map(fold, data[name])) for name in ("noise", "others", "email_stems")}


@cache
def _mentions() -> Mapping[str, frozenset[str]]:
    return {field: frozenset(map(fold, words)) for field, words in _data()["mentions"].items()}


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(_TITLES_FILE.read_text(encoding="utf-8"))
