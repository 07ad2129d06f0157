"""Which words of a block were added and deleted. Chinese and Japanese are compared by characters."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from editions.text_diff.sequence_match import match_sequences

# Han, Hiragana, Katakana and Yi have no spaces between words; Hangul has.
_BY_CHARACTER = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua000-\ua4cf\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[{_BY_CHARACTER}]|(?:(?![{_BY_CHARACTER}])[\w’'])+|\s+|.", re.DOTALL)


class WordChangeKind(StrEnum):
    """What happened to a run of words."""

    same = "same"
    """They are in both texts."""

    added = "added"
    """They are only in the new text."""

    deleted = "deleted"
    """They were only in the old text."""


@dataclass(frozen=True, kw_only=True)
class WordChange:
    """A run of words, with the spaces and marks between them."""

    kind: WordChangeKind
    text: str


def split_words(text: str) -> list[str]:
    """Split a text into words, characters of Chinese and Japanese, marks and runs of space. Joined, they are
    the text."""
    return _TOKEN.findall(text)


def count_words(text: str) -> int:
    """How many words a text has; each character of Chinese and Japanese is one."""
    return sum(_is_word(token) for token in split_words(text))


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


def _is_word(token: str) -> bool:
    return unicodedata.category(token[0])[0] in "LN"


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
