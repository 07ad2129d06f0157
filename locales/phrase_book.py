"""Finds which phrase a written sentence is, so that a text kept in English is read in any language.

Reasons kept in the database, and errors of which only the words are left, are English sentences. They
were made of messages that the catalogues have, and the parameters can be read from them.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from locales.phrase import AFTER_PLACE, FURTHER, SENTENCES, Phrase

_FIELD = re.compile(r"%\((\w+)\)s")
_NUMBER = re.compile(r"[\d.,:%+ -]+")
# With fewer letters of its own, a message could be taken for the beginning of a sentence of someone's own.
_ENOUGH_LETTERS = 10
_MOST_CHARACTERS = 4000
_MOST_SENTENCES = 12
_PLACE = re.compile(r"[^\s,]+(?: \([^\s,]+\))?(?:, [^\s,]+)*|row \d+")
_SENTENCE_END = re.compile(r"[.?!] (?=\S)")


class _Pattern:
    """A message with fields: what stands ``around`` them, one more than there are ``names``."""

    def __init__(self, message: str) -> None:
        parts = _FIELD.split(message)
        self.message, self.names = message, parts[1::2]
        self.around = [part.replace("%%", "%") for part in parts[::2]]
        self.letters = sum(letter.isalpha() for part in self.around for letter in part)
        self.longest = max(self.around, key=len)

    def read(self, text: str) -> dict[str, str] | None:
        """Return the values of the fields; None if the text is not of this message.

        Each value ends where what follows it first occurs, which takes one pass over the text.
        """
        first, *between, last = self.around
        end = len(text) - len(last)
        if not text.startswith(first) or not text.endswith(last) or end < len(first):
            return None
        values: dict[str, str] = {}
        start = len(first)
        for name, following in zip(self.names, [*between, last], strict=True):
            stop = end if following is last and name == self.names[-1] else text.find(following, start, end)
            if stop < start:
                return None
            value = text[start:stop]
            if values.setdefault(name, value) != value:
                return None
            start = stop + len(following)
        if self.letters < _ENOUGH_LETTERS and not all(map(_NUMBER.fullmatch, values.values())):
            return None
        return values


class PhraseBook:
    """The ``messages`` of a catalogue, to be found again in sentences that were made of them."""

    def __init__(self, messages: Iterable[str]) -> None:
        self._whole: set[str] = set()
        patterns = []
        for message in messages:
            if _FIELD.search(message):
                patterns.append(_Pattern(message))
            else:
                self._whole.add(message)
        self._patterns = sorted(patterns, key=lambda one: (-one.letters, one.message))

    def find(self, text: str) -> Phrase | None:
        """Return the phrase that ``text`` is; None if no message says it. Of several, the one with the
        most words of messages in it is taken; the values of its fields are looked for in the same way."""
        if not text or len(text) > _MOST_CHARACTERS:
            return None
        return _Reading(self._whole, self._patterns).find(text)


class _Reading:
    """One text that is read, and what has been found in it so far: each part of it is looked for once."""

    def __init__(self, whole: Collection[str], patterns: Sequence[_Pattern]) -> None:
        self._whole_messages, self._patterns = whole, patterns
        self._found: dict[str, Phrase | None] = {}
        self._found_whole: dict[str, Phrase | None] = {}

    def find(self, text: str) -> Phrase | None:
        if text not in self._found:
            readings = (self._find_whole(text), self._find_parts(text), self._find_list(text))
            self._found[text] = max(filter(None, readings), key=_count_letters, default=None)
        return self._found[text]

    def _find_whole(self, text: str) -> Phrase | None:
        if text not in self._found_whole:
            self._found_whole[text] = Phrase(text) if text in self._whole_messages else self._match(text)
        return self._found_whole[text]

    def _match(self, text: str) -> Phrase | None:
        for pattern in self._patterns:
            if pattern.longest in text and (values := pattern.read(text)) is not None:
                return Phrase(
                    pattern.message, **{name: self._read_value(value) for name, value in values.items()}
                )
        return None

    def _find_parts(self, text: str) -> Phrase | None:
        """Find several sentences one after the other, or places of one word each and what is said of them."""
        place, colon, rest = text.partition(": ")
        if colon and _PLACE.fullmatch(place) and (found := self.find(rest)):
            return Phrase(AFTER_PLACE, place=self._find_whole(place) or place, words=found)
        ends = list(islice(_SENTENCE_END.finditer(text), _MOST_SENTENCES + 1))
        if len(ends) > _MOST_SENTENCES:
            return None
        for end in ends:
            first = self._find_whole(text[: end.end() - 1])
            if first is not None and (found := self.find(text[end.end() :])):
                return Phrase(SENTENCES, first=first, next=found)
        return None

    def _find_list(self, text: str) -> Phrase | None:
        pieces = text.split(", ", _MOST_SENTENCES)
        known = [found for piece in pieces if (found := self._find_whole(piece)) is not None]
        if not 1 < len(known) == len(pieces):
            return None
        first, *others = known
        for other in others:
            first = Phrase(FURTHER, first=first, next=other)
        return first

    def _read_value(self, text: str) -> str:
        # One word may be a name that only looks like a message.
        if " " not in text:
            return text
        return self.find(text) or text


def _count_letters(phrase: Phrase) -> int:
    """Count the letters of a phrase, and of the phrases in it, that are from messages."""
    inside = (value for value in phrase.parameters.values() if isinstance(value, Phrase))
    return sum(map(str.isalpha, _FIELD.sub("", phrase.message))) + sum(map(_count_letters, inside))
