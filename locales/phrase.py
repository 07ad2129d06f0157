"""Sentences with parameters, which are English until they are shown with a translation."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import reduce
from typing import Any, Self


def gettext_noop(message: str) -> str:
    """Return ``message`` unchanged; marks it for extraction. It is translated when it is shown."""
    return message


class WordedEnum(StrEnum):
    """An enumeration whose members are written as a value and words for people, states also with the tone of
    their mark on a page: ``done = ("done", gettext_noop("Done"), "right")``."""

    words: str
    tone: str

    def __new__(cls, value: str, words: str = "", tone: str = "quiet") -> Self:
        member = str.__new__(cls, value)
        member._value_, member.words, member.tone = value, words, tone
        return member


class ChoiceEnum(WordedEnum):
    """An enumeration that people choose from, whose members are written with a hint about their use, too."""

    hint: str

    def __new__(cls, value: str, words: str = "", hint: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_, member.words, member.tone, member.hint = value, words, "quiet", hint
        return member


class Phrase(str):
    """A phrase in English that keeps the ``message`` and the ``parameters`` which it was made of.

    It is a string, so that logs, files and the command line need not know of it. A parameter may be a phrase
    itself. A ``message`` that is written elsewhere has to be marked by :func:`gettext_noop` there.
    """

    message: str
    parameters: Mapping[str, object]

    def __new__(cls, message: str, /, **parameters: object) -> Self:
        phrase = super().__new__(cls, message % parameters if parameters else message)
        phrase.message, phrase.parameters = message, parameters
        return phrase

    def dump(self) -> list[Any]:
        """Return the phrase for JSON, from which :func:`load_phrase` makes it again."""
        return [self.message, {name: _dump_value(value) for name, value in self.parameters.items()}]

    def render(self, gettext: Callable[[str], str], say: Callable[[str], str] = str) -> str:
        """Return the phrase in the language of ``gettext``, which knows messages. ``say`` is asked for
        each value that is text and no phrase."""

        def render(value: object) -> object:
            if isinstance(value, Phrase):
                return value.render(gettext, say)
            return say(value) if isinstance(value, str) else value

        said = gettext(self.message) if self.message else ""
        values = {name: render(value) for name, value in self.parameters.items()}
        return said % values if values else said


def fill_in(message: str, values: Mapping[str, object]) -> str:
    """Return a message with its ``values`` as a phrase; one without values stays text."""
    return Phrase(message, **values) if values else message


def _dump_value(value: object) -> object:
    if isinstance(value, Phrase):
        return value.dump()
    return value if isinstance(value, (str, int, float)) else str(value)


def read_error(error: Exception) -> str:
    """Return the words of ``error``: the phrase that it was made with, or else its text."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, Phrase) else str(error)


def load_phrase(written: Sequence[Any]) -> Phrase:
    """Read what :meth:`Phrase.dump` wrote."""
    message, values = written
    return Phrase(message, **{name: load_words(value) for name, value in values.items()})


def dump_words(words: str) -> str | list[Any]:
    """Return words for JSON, from which :func:`load_words` makes them again: a phrase, or else text."""
    return words.dump() if isinstance(words, Phrase) else words


def load_words(written: Any) -> Any:
    """Return a phrase where :meth:`Phrase.dump` wrote one, and anything else as it is."""
    return load_phrase(written) if isinstance(written, list) else written


OR = gettext_noop("%(first)s or %(last)s")
AND = gettext_noop("%(first)s and %(last)s")
SENTENCES = gettext_noop("%(first)s %(next)s")
"""Two sentences, one after the other."""
AFTER_PLACE = gettext_noop("%(place)s: %(words)s")
"""A file or a host, and what is said of it."""
FURTHER = gettext_noop("%(first)s, %(next)s")
"""Two of several things."""
FULL_STOP = gettext_noop("%(words)s.")
"""A short statement as a sentence."""
CLAUSES = gettext_noop("%(first)s; %(next)s")
"""Two of several short statements."""


def join_sentences(phrases: Iterable[str], joiner: str = SENTENCES) -> str:
    """Put phrases one after the other, those that are not empty; ``joiner`` is the message for two."""
    kept = [phrase for phrase in phrases if phrase]
    return reduce(lambda first, following: Phrase(joiner, first=first, next=following), kept) if kept else ""


def join_phrases(phrases: Sequence[str], joiner: str = OR) -> str:
    """Join phrases: ``A``, ``A or B``, ``A, B or C``; ``joiner`` is the message for the last two."""
    if not phrases:
        return ""
    *others, last = phrases
    if not others:
        return last
    first = reduce(lambda first, following: Phrase(FURTHER, first=first, next=following), others)
    return Phrase(joiner, first=first, last=last)
