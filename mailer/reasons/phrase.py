"""A phrase of a rule: words, ``(a|b)`` for either, ``(a |b )*`` for any number of them, ``*`` for a gap."""

import re
from collections.abc import Mapping
from functools import cached_property

# A few words, not over the end of a sentence, and not so far that two remarks become one.
_GAP = r" (?:(?:(?![.!?;] ).){0,60}?[^a-z0-9])?"
# Chinese and Japanese have no spaces between words.
_GAP_WITHOUT_SPACES = r"(?:(?![.!?;] |。).){0,60}?"
_PARTS = re.compile(r"\(([^()]*)\)(\*?)|( \* )|((?:(?! \* )[^()])+)")
_WORD = re.compile("[a-z0-9]+")


def list_words(text: str) -> list[str]:
    """Return the words of tidied text by which phrases are found: runs of ASCII letters and digits."""
    return _WORD.findall(text)


class Phrase:
    """One phrase, compiled when it is first needed. ``text`` is in small letters, as rules write it.

    Alternatives are whole words: "(mail |)box" is a phrase, "mail(box|er)" is not.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._pattern_parts: list[str] = []
        self._options: list[list[str]] = []
        self._required: list[list[str]] = []
        for alternatives, repeated, gap, plain in _PARTS.findall(text):
            if gap:
                self._pattern_parts.append(_GAP if text.isascii() else _GAP_WITHOUT_SPACES)
                self._options.append([gap])
                continue
            options = [plain] if plain else alternatives.split("|")
            self._options += [["", *options]] * 2 if repeated else [options]
            group = "|".join(re.escape(one) for one in options)
            self._pattern_parts.append(f"(?:{group})" + ("{0,6}" if repeated else ""))
            if not repeated and all(_WORD.search(one) for one in options):
                self._required.append(options)
        alone = (options[0] for options in self._required if len(options) == 1)
        # Tidied words that contain the phrase have all of these; most that share one word with it do not.
        self.words = frozenset(word for option in alone for word in _WORD.findall(option))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Chinese and Japanese have no spaces at which a word could begin. In ASCII, the character before it
        # is matched, not looked back at, because Python then skips to such characters.
        pattern = "".join(self._pattern_parts)
        return re.compile(rf"[^a-z0-9]{pattern}(?![a-z0-9])" if self.text.isascii() else pattern)

    def choose_key_words(self, frequency: Mapping[str, int]) -> set[str]:
        """Return words of which tidied words must have one, if they contain the phrase: the rarest such set.

        Empty for a phrase that is not written in ASCII, which has to be looked for in every such text.
        """
        if not self.text.isascii():
            return set()
        sets = [
            {min(_WORD.findall(option), key=lambda word: (frequency[word], word)) for option in options}
            for options in self._required
        ]
        return min(sets, key=lambda words: sum(frequency[word] for word in words))

    def list_required_words(self) -> set[str]:
        """Return every word that could be a key word."""
        return {word for options in self._required for option in options for word in _WORD.findall(option)}

    def has_whole_words(self) -> bool:
        """Return whether no word is put together of two parts, as it could not be found then."""
        open_ends: set[bool] = set()
        for options in self._options:
            if True in open_ends and any(one[:1].isalnum() for one in options):
                return False
            ends = {one[-1:].isalnum() for one in options if one}
            open_ends = ends | open_ends if "" in options else ends
        return True

    def is_in(self, words: str) -> bool:
        """Return whether tidied ``words``, with a space before them, contain the phrase."""
        return self._pattern.search(words) is not None
