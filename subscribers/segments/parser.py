"""Reading a segment from left to right, with a caret under whatever cannot be understood.

The grammar, loosest first::

    either   = both { "or" both }
    both     = item { item }
    item     = [ "-" ] ( key ":" value { "," value } | "(" either ")" )

Chinese and Japanese keyboards write other signs for these; they mean what their ASCII brothers mean. Length,
depth and the number of values are limited, so that no text, however hostile, costs more than a look.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn, TypeVar
from unicodedata import normalize

from subscribers.errors import SegmentError
from subscribers.segments.lookups import Known
from subscribers.segments.syntax_tree import Expression, Joiner, depth, join, negate, walk, write
from subscribers.segments.term_values import EXAMPLES, guess, listed, read_value
from subscribers.segments.terms import KEYS, SAVED, Key, Term

EVERYBODY = "all"
LONGEST = 4000
"""Characters in a segment, written or expanded."""
DEEPEST = 20
"""Parentheses in each other, and saved segments that lead to others."""
MOST_VALUES = 600
"""Values in all terms together; SQLite refuses conditions nested deeper than 1000."""

_HYPHENS = "-－"
_COLONS = ":："
_COMMAS = ",，、"
_OPENING = "(（"
_CLOSING = ")）"
_QUOTES: Mapping[str, str] = MappingProxyType({'"': '"', "＂": "＂", "“": "”", "「": "」"})
_STRAY = re.compile(r"[^\s()（）]+")
_KNOWN_KEYS = f"Choose from: {', '.join(KEYS)}."
_IN_SAVED = "In the saved segment"

_Item = TypeVar("_Item")


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What a text means: ``tree``, with the saved segments written out that the text itself named."""

    tree: Expression
    named: frozenset[str]


def parse_expression(text: str, known: Known, path: tuple[str, ...] = ()) -> Understood:
    """The tree that ``text`` means, saved segments in it replaced by what they mean now.

    ``path`` names the saved segments that led here, so that none leads back to itself.

    Raises:
        SegmentError: it cannot be understood; the error shows where and says what to try.
    """
    reader = _Reader(text, known, path)
    tree = reader.whole()
    # What saved segments came to is held to the same limits, so that it can be kept and read again.
    if sum(len(term.values) for term in walk(tree)) > MOST_VALUES:
        reader.fail(f"A segment can have at most {MOST_VALUES} values in all. Use fewer.", 0)
    if depth(tree) > DEEPEST:
        reader.fail(f"Groups can be nested at most {DEEPEST} deep.", 0)
    if reader.named and len(write(tree)) > LONGEST:
        reader.fail(f"With its saved segments expanded, it is longer than {LONGEST} characters.", 0)
    return Understood(tree=tree, named=frozenset(reader.named))


class _Reader:
    """Reads one text; ``at`` is the place it has come to, ``open`` the places of open parentheses."""

    def __init__(self, text: str, known: Known, path: tuple[str, ...]) -> None:
        self.text = text
        self.known = known
        self.path = path
        self.at = 0
        self.open: list[int] = []
        self.named: set[str] = set()
        if len(text) > LONGEST:
            raise SegmentError(text[:60], 60, f"A segment can have at most {LONGEST} characters.")
        for place, char in enumerate(text):
            if not (char.isprintable() or char.isspace()):
                self.fail(f"There is an invisible character here (U+{ord(char):04X}). Delete it.", place)

    @property
    def char(self) -> str:
        """The character at the place; empty at the end."""
        return self.text[self.at : self.at + 1]

    def whole(self) -> Expression:
        expression = self.either()
        if self.char:
            self.fail("This parenthesis has no opening one. Delete it, or add one before it.")
        return expression

    def either(self) -> Expression:
        parts = [self.both()]
        while self.skip_or():
            parts.append(self.both())
        return join(Joiner.any, parts)

    def both(self) -> Expression:
        parts = []
        while self.more():
            parts.append(self.item())
        if not parts:
            self.fail(self.missing_term())
        return join(Joiner.all, parts)

    def more(self) -> bool:
        """Whether another item stands before the next "or", parenthesis or end."""
        self.skip_spaces()
        return bool(self.char) and self.char not in _CLOSING and not self.at_or()

    def item(self) -> Expression:
        negated = self.char in _HYPHENS
        self.at += negated
        expression = self.group() if self.char and self.char in _OPENING else self.term()
        if self.char and not self.char.isspace() and self.char not in _CLOSING:
            self.fail("Put a space here, between one term and the next.")
        return negate(expression) if negated else expression

    def group(self) -> Expression:
        self.open.append(self.at)
        if len(self.open) > DEEPEST:
            self.fail(f"Parentheses can be nested at most {DEEPEST} deep.")
        self.at += 1
        expression = self.either()
        start = self.open.pop()
        if not self.char:
            self.fail("This parenthesis is never closed.", start)
        self.at += 1
        return expression

    def term(self) -> Expression:
        key = self.key()
        if key == SAVED:
            return join(Joiner.any, self.list_of(self.saved))
        asked = Key(key)
        values = self.list_of(lambda: self.value(asked))
        return Term(key=asked, values=tuple(dict.fromkeys(values)))

    def list_of(self, read: Callable[[], _Item]) -> list[_Item]:
        """What ``read`` reads, once and again after each comma."""
        items = [read()]
        while self.char and self.char in _COMMAS:
            self.at += 1
            items.append(read())
        return items

    def key(self) -> str:
        start = self.at
        while self.char.isalnum() or self.char == "_":
            self.at += 1
        word = self.text[start : self.at]
        if not self.char or self.char not in _COLONS:
            self.fail(_not_a_term(_STRAY.match(self.text, start), word), start)
        key = normalize("NFKC", word).casefold()
        if key not in KEYS:
            self.fail(f'There is no key "{word}".{guess(word, KEYS)} {_KNOWN_KEYS}', start)
        self.at += 1
        return key

    def value(self, key: Key) -> str:
        start, word = self.at, self.word(key)
        try:
            return read_value(key, word, self.known)
        except ValueError as error:
            self.fail(str(error), start)

    def saved(self) -> Expression:
        """What a saved segment means now."""
        start, name = self.at, normalize("NFC", self.word(SAVED).strip()).casefold()
        if self.known.saved is None:
            self.fail("Saved segments cannot be used here. Write out what this one stands for.", start)
        text = self.known.saved.find(name)
        self.named.add(name)
        if text is None:
            names = self.known.saved.names()
            none = "None has been saved yet. To save one: mailer segments save NAME QUERY"
            self.fail(f'No segment is saved as "{name}".{guess(name, names)} {listed(names, none)}', start)
        path = (*self.path, name)
        if name in self.path:
            self.fail(f"This saved segment refers to itself: {' → '.join(path[path.index(name) :])}.", start)
        if len(path) > DEEPEST:
            self.fail(f"Saved segments can refer to each other at most {DEEPEST} deep.", start)
        try:
            return parse_expression(text, self.known, path).tree
        except SegmentError as error:
            if error.reason.startswith(_IN_SAVED):
                raise
            raise SegmentError(error.text, error.position, f'{_IN_SAVED} "{name}": {error.reason}') from error

    def word(self, key: str) -> str:
        """A value as it stands there, in quotation marks or not."""
        start = self.at
        word = self.quoted() if self.char and self.char in _QUOTES else self.bare()
        if not word.strip():
            self.fail(
                f"A value is missing here. Write it as in {EXAMPLES[key]}, with no spaces around : and ,.",
                start,
            )
        return word

    def bare(self) -> str:
        """A value without quotation marks; parentheses that it opens and closes are part of it."""
        start = self.at
        opened: list[int] = []
        while self.char and not self.char.isspace() and self.char not in _COMMAS:
            if self.char in _QUOTES:
                self.fail("Quotation marks must enclose a whole value.")
            if self.char in _CLOSING and not opened:
                break
            if self.char in _OPENING:
                opened.append(self.at)
            elif self.char in _CLOSING:
                opened.pop()
            self.at += 1
        if opened:
            self.fail(
                "This parenthesis is not closed within its value. Separate alternatives with commas, as in "
                "country:MN,CN. Parentheses group whole terms, as in (country:MN or tag:press).",
                opened[0],
            )
        return self.text[start : self.at]

    def quoted(self) -> str:
        start = self.at
        end = self.text.find(_QUOTES[self.char], start + 1)
        if end < 0:
            self.fail("This quotation mark is never closed.", start)
        self.at = end + 1
        return self.text[start + 1 : end]

    def skip_spaces(self) -> None:
        while self.char.isspace():
            self.at += 1

    def at_or(self) -> bool:
        """Whether the word at the place is "or"."""
        match = _STRAY.match(self.text, self.at)
        return match is not None and normalize("NFKC", match.group()).casefold() == Joiner.any

    def skip_or(self) -> bool:
        """Go past an "or", if one stands here."""
        found = self.at_or()
        if found:
            match = _STRAY.match(self.text, self.at)
            self.at = match.end() if match else self.at
        return found

    def missing_term(self) -> str:
        if self.at_or():
            return 'A term is missing before this "or", which joins two terms, as in country:MN or tag:press.'
        if self.char:
            return "These parentheses are empty. Write a term in them, or delete them."
        return f"A term is missing here, such as {EXAMPLES[Key.country]}."

    def fail(self, reason: str, position: int | None = None) -> NoReturn:
        raise SegmentError(self.text, self.at if position is None else position, reason)


def _not_a_term(stray: re.Match[str] | None, word: str) -> str:
    whole = stray.group() if stray else ""
    folded = normalize("NFKC", word).casefold()
    if folded in {"and", "not"}:
        return (
            'Terms side by side already mean "and". Write "or" between two terms for "or", and a hyphen '
            'for "not", as in -tag:press.'
        )
    if folded == EVERYBODY:
        return f'"{word}" means everyone and cannot be combined with other terms.'
    if not word:
        shown = f'"{whole}"' if whole else "A hyphen alone"
        return f"{shown} is not a term. A term is a key, a colon and values, such as {EXAMPLES[Key.country]}."
    return f'"{whole}" has no key and colon. Write it as in {EXAMPLES[Key.country]}. {_KNOWN_KEYS}'
