"""Segments: a small language for "who", and its translation into SQL.

``country:MN,CN sector:education -tag:press language:zh`` reads: in Mongolia or China, and following
education, and not tagged press, and reading Chinese. Terms are joined by "and", values by "or", a hyphen
turns a term around. No value ever becomes part of the SQL text: everything a person writes is a bound
parameter.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from sqlalchemy import ColumnElement, and_, or_, true
from sqlmodel import col

from subscribers.errors import SegmentError
from subscribers.models import Status, Subscriber
from subscribers.terms import EXAMPLES, Key, Term, guess, read_value

EVERYBODY = "all"
_LONGEST = 4000
_STRAY = re.compile(r"[^\s]+")
# Chinese and Japanese keyboards write these; they mean what their ASCII brothers mean.
_COLONS = ":："
_COMMAS = ",，"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A query that was understood. ``text`` is as written, ``all`` for everybody."""

    text: str
    terms: tuple[Term, ...]

    def where(self) -> ColumnElement[bool]:
        """The condition on :class:`subscribers.models.Subscriber`, with bound parameters only."""
        return and_(true(), *(term.where() for term in self.terms))

    def asks_about(self, key: Key) -> bool:
        """Whether any term is about ``key``."""
        return any(term.key is key for term in self.terms)


def parse_segment(text: str, *, sectors: Collection[str] | None = None) -> Segment:
    """Understand ``text``. Sectors are checked against ``sectors`` unless that is None.

    Raises:
        SegmentError: it cannot be understood; the error shows where and says what to try.
    """
    stripped = text.strip()
    if stripped.casefold() in {"", EVERYBODY}:
        return Segment(text=EVERYBODY, terms=())
    return Segment(text=stripped, terms=tuple(_Reader(stripped, sectors).terms()))


def eligible(today: date | ColumnElement[date]) -> ColumnElement[bool]:
    """Whether a subscriber gets mail on ``today``: active, or paused until a day that has come.

    Suppressed addresses are not asked for here, because suppressing one moves its subscriber out of both.
    """
    status, paused_until = col(Subscriber.status), col(Subscriber.paused_until)
    return or_(status == Status.active, and_(status == Status.paused, paused_until <= today))


class _Reader:
    """Reads one query from left to right; ``at`` is the place it has come to."""

    def __init__(self, text: str, sectors: Collection[str] | None) -> None:
        self.text = text
        self.sectors = sectors
        self.at = 0
        if len(text) > _LONGEST:
            raise SegmentError(text[:60], 60, f"A segment has room for {_LONGEST} characters.")
        for place, char in enumerate(text):
            if not (char.isprintable() or char.isspace()):
                self.fail(f"There is an invisible character here (U+{ord(char):04X}). Delete it.", place)

    def terms(self) -> Iterator[Term]:
        while self.at < len(self.text):
            if self.text[self.at].isspace():
                self.at += 1
            else:
                yield self.term()

    def term(self) -> Term:
        negated = self.text[self.at] == "-"
        self.at += negated
        key = self.key()
        values = [self.value(key)]
        while self.at < len(self.text) and self.text[self.at] in _COMMAS:
            self.at += 1
            values.append(self.value(key))
        if self.at < len(self.text) and not self.text[self.at].isspace():
            self.fail("A space is missing here: it separates one term from the next.")
        return Term(key=key, values=tuple(dict.fromkeys(values)), negated=negated)

    def key(self) -> Key:
        start = self.at
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] == "_"):
            self.at += 1
        word = self.text[start : self.at]
        if self.at == len(self.text) or self.text[self.at] not in _COLONS:
            self.fail(_not_a_term(_STRAY.match(self.text, start), word), start)
        if word.casefold() not in Key.__members__:
            self.fail(f'There is no key "{word}".{guess(word, Key)} {_KNOWN_KEYS}', start)
        self.at += 1
        return Key(word.casefold())

    def value(self, key: Key) -> str:
        start = self.at
        word = self.quoted() if self.text[start : start + 1] == '"' else self.bare()
        if not word.strip():
            self.fail(f"A value is missing here, as in {EXAMPLES[key]}; no spaces around : and ,.", start)
        try:
            return read_value(key, word, self.sectors)
        except ValueError as error:
            self.fail(str(error), start)

    def bare(self) -> str:
        start = self.at
        while (
            self.at < len(self.text)
            and not self.text[self.at].isspace()
            and self.text[self.at] not in _COMMAS
        ):
            if self.text[self.at] == '"':
                self.fail("A quotation mark can only stand around a whole value.")
            self.at += 1
        return self.text[start : self.at]

    def quoted(self) -> str:
        start = self.at
        end = self.text.find('"', start + 1)
        if end < 0:
            self.fail("This quotation mark is opened and never closed.", start)
        self.at = end + 1
        return self.text[start + 1 : end]

    def fail(self, reason: str, position: int | None = None) -> NoReturn:
        raise SegmentError(self.text, self.at if position is None else position, reason)


_KNOWN_KEYS = f"There are: {', '.join(Key)}."


def _not_a_term(stray: re.Match[str] | None, word: str) -> str:
    whole = stray.group() if stray else ""
    if word.casefold() in {"and", "or", "not"}:
        return (
            'Terms are joined by "and" without a word for it; write country:MN,CN for "or" '
            'and a hyphen, as in -tag:press, for "not".'
        )
    if word.casefold() == EVERYBODY:
        return f'"{word}" means everybody and stands alone.'
    if not word:
        return f'"{whole}" is no term. A term is a key, a colon and values, such as {EXAMPLES[Key.country]}.'
    return f'"{whole}" has no key and colon. Write it as in {EXAMPLES[Key.country]}. {_KNOWN_KEYS}'
