"""Parse a segment from left to right, with a caret under whatever is invalid.

The grammar, loosest first::

    either   = both { "or" both }
    both     = item { item }
    item     = [ "-" ] ( key ":" value { "," value } | "(" either ")" )

The full-width characters of Chinese and Japanese keyboards mean the same as their ASCII equivalents. Length,
depth and the number of values are limited, so that even hostile text is cheap to parse.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import NamedTuple, NoReturn, TypeVar
from unicodedata import normalize

from locales.countries import is_country
from locales.phrase import gettext_noop
from subscribers.errors import CountryError, DetailError, SegmentError
from subscribers.models import ConsentEvent, Status
from subscribers.segments.terms import (
    IMPORT,
    KEYS,
    SAVED_KEY,
    BooleanOperator,
    DeliveryLookup,
    Expression,
    SegmentLookups,
    Term,
    TermKey,
    depth,
    join,
    negate,
    parse_date_range,
    to_text,
    walk,
)
from subscribers.validation import clean_line, clean_tag, resolve_country

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
_METHOD = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_METHODS = ("import", "page", "one-click", "command-line", "studio", "sign-up", "double-opt-in")
_MAX_LISTED = 12

EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        TermKey.country: "country:MN,CN",
        TermKey.sector: "sector:education",
        TermKey.language: "language:zh",
        TermKey.status: "status:active",
        TermKey.tag: "tag:press",
        TermKey.org: 'org:"ministry of education"',
        TermKey.joined: "joined:>2024-01-01",
        TermKey.got: "got:2021-1",
        TermKey.consent: "consent:imported",
        SAVED_KEY: "segment:east-asia",
    }
)
EVERYONE = "all"
MAX_LENGTH = 4000
"""Characters in a segment, as written or expanded."""
MAX_DEPTH = 20
"""Levels of nested parentheses, and of saved segments that refer to others."""
MAX_VALUES = 600
"""Values in all terms together; SQLite refuses conditions nested deeper than 1000."""
_HYPHENS = "-－"
_COLONS = ":："
_COMMAS = ",，、"
_OPENING = "(（"
_CLOSING = ")）"
_QUOTES: Mapping[str, str] = MappingProxyType({'"': '"', "＂": "＂", "“": "”", "「": "」"})
_WORD = re.compile(r"[^\s()（）]+")
_KEYS_SENTENCE = gettext_noop("Choose from: %(names)s.") % {"names": ", ".join(KEYS)}
_IN_SAVED = "In the saved segment"
_SAVED_REASON = gettext_noop('In the saved segment "%(name)s": %(reason)s')
_Item = TypeVar("_Item")


def parse_value(key: TermKey, word: str, lookups: SegmentLookups) -> str:
    """Return a value as it is stored, or raise ValueError that says what to write."""
    try:
        match key:
            case TermKey.country:
                return _parse_country(word)
            case TermKey.sector:
                return _parse_sector(word, lookups.sectors)
            case TermKey.language:
                return _parse_language(word)
            case TermKey.status:
                return _parse_status(word)
            case TermKey.tag:
                return clean_tag(word)
            case TermKey.org:
                return _parse_organisation(word)
            case TermKey.joined:
                return parse_date_range(word).text
            case TermKey.got:
                return _parse_edition(word, lookups.deliveries)
            case TermKey.consent:
                return _parse_consent(word)
    except DetailError as error:
        raise ValueError(error.reason) from error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a "Did you mean" question with a leading space; empty if no known word is similar."""
    near = get_close_matches(word.casefold(), [str(name) for name in known], n=2, cutoff=0.6)
    # Only suggest the second if it is about as similar as the first.
    if len(near) == 2 and not get_close_matches(word.casefold(), near[1:], cutoff=0.75):
        near.pop()
    return " " + gettext_noop("Did you mean %(names)s?") % {"names": " or ".join(near)} if near else ""


def list_choices(names: Iterable[str], none: str) -> str:
    """List the names in a sentence, at most a dozen; return ``none`` if there are none."""
    all_names = list(names)
    if not all_names:
        return none
    more = len(all_names) - _MAX_LISTED
    shown = ", ".join(all_names[:_MAX_LISTED])
    if more > 0:
        words = gettext_noop("Choose from: %(names)s and %(number)s more.")
        return words % {"names": shown, "number": more}
    return gettext_noop("Choose from: %(names)s.") % {"names": shown}


def _parse_country(word: str) -> str:
    code = word.strip().upper()
    if is_country(code):
        return code
    try:
        meant = resolve_country(word)
    except CountryError as error:
        raise ValueError(str(error)) from error
    raise ValueError(
        gettext_noop('Write countries as two-letter codes: for "%(word)s", use %(meant)s.')
        % {"word": word, "meant": meant}
    )


def _parse_sector(word: str, sectors: Collection[str] | None) -> str:
    slug = word.strip().casefold()
    if sectors is None:
        return slug
    for sector in sectors:
        if sector.casefold() == slug:
            return sector
    there_are = (
        gettext_noop("Choose from: %(names)s.") % {"names": ", ".join(sectors)}
        if sectors
        else gettext_noop("No sectors are set in mailer.toml under [sectors].")
    )
    raise ValueError(
        gettext_noop('There is no sector "%(word)s".') % {"word": word}
        + f"{did_you_mean(slug, sectors)} {there_are}"
    )


def _parse_language(word: str) -> str:
    tag = word.strip().lower().replace("_", "-")
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(
            gettext_noop('"%(word)s" is not a language code. Use one such as en, mn or zh-Hans.')
            % {"word": word}
        )
    return tag


def _parse_status(word: str) -> str:
    status = word.strip().casefold()
    if status in Status.__members__:
        return status
    raise ValueError(
        gettext_noop('There is no status "%(word)s".') % {"word": word}
        + f"{did_you_mean(status, Status)} "
        + gettext_noop("Choose from: %(names)s.") % {"names": ", ".join(Status)}
    )


def _parse_organisation(word: str) -> str:
    words = clean_line(word, "org")
    if '"' in words:
        raise ValueError(gettext_noop("You cannot search for a quotation mark. Leave it out."))
    return words


def _parse_edition(word: str, deliveries: DeliveryLookup | None) -> str:
    if deliveries is None:
        raise ValueError(
            gettext_noop("got: cannot be used here, because deliveries are not known. Leave it out.")
        )
    (name, slash, story), editions = word.strip().partition("/"), deliveries.editions()
    if name not in editions:
        there_are = list_choices(editions, gettext_noop("No campaign has been created yet."))
        near = did_you_mean(name, editions)
        raise ValueError(
            gettext_noop('No campaign has sent the edition "%(name)s".') % {"name": name}
            + f"{near} {there_are}"
        )
    if slash and story not in (stories := deliveries.stories(name)):
        there_are = list_choices(stories, gettext_noop("Its content is no longer known."))
        near = did_you_mean(story, stories)
        raise ValueError(
            gettext_noop('The edition %(name)s was not sent with a story "%(story)s".')
            % {"name": name, "story": story}
            + f"{near} {there_are}"
        )
    return name + slash + story


def _parse_consent(word: str) -> str:
    said = re.sub(r"[\s_-]+", "-", normalize("NFKC", word).strip().casefold())
    if said in ConsentEvent.__members__ or said in _METHODS or IMPORT.fullmatch(said):
        return said
    # Any method can be in a record, so only near misses of known words are taken for mistakes.
    near = get_close_matches(said, (*ConsentEvent, *_METHODS), n=1, cutoff=0.8)
    if near:
        raise ValueError(
            gettext_noop('"%(word)s" is not in any consent record. Did you mean %(near)s?')
            % {"word": word, "near": near[0]}
        )
    if not _METHOD.fullmatch(said):
        raise ValueError(
            gettext_noop(
                '"%(word)s" is not a consent event or method. Use an event (%(names)s) or a '
                "method, such as %(methods)s."
            )
            % {"word": word, "names": ", ".join(ConsentEvent), "methods": ", ".join(_METHODS)}
        )
    return said


class ParsedExpression(NamedTuple):
    """The meaning of a text, as a ``tree``.

    ``names`` are the saved segments that the text itself uses, with the places where it does, from left to
    right. ``parts`` are the terms and groups side by side that the whole text is made of, with their places,
    all of which must match; it is empty if "or" joins the whole.
    """

    tree: Expression
    names: Sequence[tuple[str, slice]]
    parts: Sequence[tuple[Expression, slice]]

    @property
    def named(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.names)


def parse_expression(text: str, lookups: SegmentLookups, path: tuple[str, ...] = ()) -> ParsedExpression:
    """Parse ``text`` into a tree in which saved segments are replaced by what they mean now.

    ``path`` lists the saved segments that led here, so that none refers to itself. Raise SegmentError if it
    is invalid; the error shows where and says what to try.
    """
    reader = _Parser(text, lookups, path)
    tree = reader.parse()
    # The expanded text has the same limits, so that it can be stored and parsed again.
    if sum(len(term.values) for term in walk(tree)) > MAX_VALUES:
        reader.fail(
            gettext_noop("A segment can have at most %(most)s values in all. Use fewer.")
            % {"most": MAX_VALUES},
            0,
        )
    if depth(tree) > MAX_DEPTH:
        reader.fail(gettext_noop("Groups can be nested at most %(most)s deep.") % {"most": MAX_DEPTH}, 0)
    if reader.names and len(to_text(tree)) > MAX_LENGTH:
        reader.fail(
            gettext_noop("With its saved segments expanded, it is longer than %(most)s characters.")
            % {"most": MAX_LENGTH},
            0,
        )
    return ParsedExpression(tree, reader.names, () if reader.is_joined_by_or else reader.parts)


class _Parser:
    """Parses one text; ``position`` is how far it has come, and ``open_parentheses`` are the positions of
    those that are not closed yet."""

    def __init__(self, text: str, lookups: SegmentLookups, path: tuple[str, ...]) -> None:
        self.text = text
        self.lookups = lookups
        self.path = path
        self.position = 0
        self.open_parentheses: list[int] = []
        self.names: list[tuple[str, slice]] = []
        self.parts: list[tuple[Expression, slice]] = []
        self.is_joined_by_or = False
        if len(text) > MAX_LENGTH:
            raise SegmentError(
                text[:60],
                60,
                gettext_noop("A segment can have at most %(most)s characters.") % {"most": MAX_LENGTH},
            )
        for place, char in enumerate(text):
            if not (char.isprintable() or char.isspace()):
                self.fail(
                    gettext_noop("There is an invisible character here (U+%(code)s). Delete it.")
                    % {"code": f"{ord(char):04X}"},
                    place,
                )

    @property
    def char(self) -> str:
        return self.text[self.position : self.position + 1]

    def parse(self) -> Expression:
        expression = self.parse_or()
        if self.char:
            self.fail(gettext_noop("This parenthesis has no opening one. Delete it, or add one before it."))
        return expression

    def parse_or(self) -> Expression:
        parts = [self.parse_and()]
        while self.skip_or():
            self.is_joined_by_or |= not self.open_parentheses
            parts.append(self.parse_and())
        return join(BooleanOperator.any, parts)

    def parse_and(self) -> Expression:
        parts = []
        while self.has_more():
            start = self.position
            parts.append(self.parse_item())
            if not self.open_parentheses:
                self.parts.append((parts[-1], slice(start, self.position)))
        if not parts:
            self.fail(self.describe_missing_term())
        return join(BooleanOperator.all, parts)

    def has_more(self) -> bool:
        while self.char.isspace():
            self.position += 1
        return bool(self.char) and self.char not in _CLOSING and not self.is_at_or()

    def parse_item(self) -> Expression:
        negated = self.char in _HYPHENS
        self.position += negated
        expression = self.parse_group() if self.char and self.char in _OPENING else self.parse_term()
        if self.char and not self.char.isspace() and self.char not in _CLOSING:
            self.fail(gettext_noop("Put a space here, between one term and the next."))
        return negate(expression) if negated else expression

    def parse_group(self) -> Expression:
        self.open_parentheses.append(self.position)
        if len(self.open_parentheses) > MAX_DEPTH:
            self.fail(gettext_noop("Parentheses can be nested at most %(most)s deep.") % {"most": MAX_DEPTH})
        self.position += 1
        expression = self.parse_or()
        start = self.open_parentheses.pop()
        if not self.char:
            self.fail(gettext_noop("This parenthesis is never closed."), start)
        self.position += 1
        return expression

    def parse_term(self) -> Expression:
        key = self.parse_key()
        if key == SAVED_KEY:
            return join(BooleanOperator.any, self.parse_list(self.parse_saved))
        asked = TermKey(key)
        values = self.parse_list(lambda: self.parse_value(asked))
        return Term(key=asked, values=tuple(dict.fromkeys(values)))

    def parse_list(self, read: Callable[[], _Item]) -> list[_Item]:
        """Call ``read`` once, and again after each comma."""
        items = [read()]
        while self.char and self.char in _COMMAS:
            self.position += 1
            items.append(read())
        return items

    def parse_key(self) -> str:
        start = self.position
        while self.char.isalnum() or self.char == "_":
            self.position += 1
        word = self.text[start : self.position]
        if not self.char or self.char not in _COLONS:
            self.fail(_describe_stray_word(_WORD.match(self.text, start), word), start)
        key = normalize("NFKC", word).casefold()
        if key not in KEYS:
            self.fail(
                gettext_noop('There is no key "%(word)s".') % {"word": word}
                + f"{did_you_mean(word, KEYS)} {_KEYS_SENTENCE}",
                start,
            )
        self.position += 1
        return key

    def parse_value(self, key: TermKey) -> str:
        start, word = self.position, self.parse_word(key)
        try:
            return parse_value(key, word, self.lookups)
        except ValueError as error:
            self.fail(str(error), start)

    def parse_saved(self) -> Expression:
        start, name = self.position, normalize("NFC", self.parse_word(SAVED_KEY).strip()).casefold()
        if self.lookups.saved is None:
            self.fail(
                gettext_noop("Saved segments cannot be used here. Write out what this one stands for."), start
            )
        text = self.lookups.saved.find(name)
        self.names.append((name, slice(start, self.position)))
        if text is None:
            names = self.lookups.saved.names()
            none = gettext_noop("None has been saved yet. To save one: mailer segments save NAME QUERY")
            self.fail(
                gettext_noop('No segment is saved as "%(name)s".') % {"name": name}
                + f"{did_you_mean(name, names)} {list_choices(names, none)}",
                start,
            )
        path = (*self.path, name)
        if name in self.path:
            self.fail(
                gettext_noop("This saved segment refers to itself: %(names)s.")
                % {"names": " → ".join(path[path.index(name) :])},
                start,
            )
        if len(path) > MAX_DEPTH:
            self.fail(
                gettext_noop("Saved segments can refer to each other at most %(most)s deep.")
                % {"most": MAX_DEPTH},
                start,
            )
        try:
            return parse_expression(text, self.lookups, path).tree
        except SegmentError as error:
            if error.reason.startswith(_IN_SAVED):
                raise
            raise SegmentError(
                error.text, error.position, _SAVED_REASON % {"name": name, "reason": error.reason}
            ) from error

    def parse_word(self, key: str) -> str:
        start = self.position
        word = self.parse_quoted() if self.char and self.char in _QUOTES else self.parse_bare()
        if not word.strip():
            self.fail(
                gettext_noop(
                    "A value is missing here. Write it as in %(example)s, with no spaces around : and ,."
                )
                % {"example": EXAMPLES[key]},
                start,
            )
        return word

    def parse_bare(self) -> str:
        """Read a value without quotation marks; parentheses it opens and closes are part of it."""
        start = self.position
        opened: list[int] = []
        while self.char and not self.char.isspace() and self.char not in _COMMAS:
            if self.char in _QUOTES:
                self.fail(gettext_noop("Quotation marks must enclose a whole value."))
            if self.char in _CLOSING and not opened:
                break
            if self.char in _OPENING:
                opened.append(self.position)
            elif self.char in _CLOSING:
                opened.pop()
            self.position += 1
        if opened:
            self.fail(
                gettext_noop(
                    "This parenthesis is not closed within its value. Separate alternatives with "
                    "commas, as in country:MN,CN. Parentheses group whole terms, as in (country:MN "
                    "or tag:press)."
                ),
                opened[0],
            )
        return self.text[start : self.position]

    def parse_quoted(self) -> str:
        start = self.position
        end = self.text.find(_QUOTES[self.char], start + 1)
        if end < 0:
            self.fail(gettext_noop("This quotation mark is never closed."), start)
        self.position = end + 1
        return self.text[start + 1 : end]

    def is_at_or(self) -> bool:
        match = _WORD.match(self.text, self.position)
        return match is not None and normalize("NFKC", match.group()).casefold() == BooleanOperator.any

    def skip_or(self) -> bool:
        match = _WORD.match(self.text, self.position)
        if match is None or not self.is_at_or():
            return False
        self.position = match.end()
        return True

    def describe_missing_term(self) -> str:
        if self.is_at_or():
            return gettext_noop(
                'A term is missing before this "or", which joins two terms, as in country:MN or tag:press.'
            )
        if self.char:
            return gettext_noop("These parentheses are empty. Write a term in them, or delete them.")
        return gettext_noop("A term is missing here, such as %(example)s.") % {
            "example": EXAMPLES[TermKey.country]
        }

    def fail(self, reason: str, position: int | None = None) -> NoReturn:
        raise SegmentError(self.text, self.position if position is None else position, reason)


def _describe_stray_word(stray: re.Match[str] | None, word: str) -> str:
    whole = stray.group() if stray else ""
    folded = normalize("NFKC", word).casefold()
    if folded in {"and", "not"}:
        return gettext_noop(
            'Terms side by side already mean "and". Write "or" between two terms for "or", '
            'and a hyphen for "not", as in -tag:press.'
        )
    if folded == EVERYONE:
        return gettext_noop('"%(word)s" means everyone and cannot be combined with other terms.') % {
            "word": word
        }
    if not word:
        shown = f'"{whole}"' if whole else "A hyphen alone"
        return gettext_noop(
            "%(shown)s is not a term. A term is a key, a colon and values, such as %(example)s."
        ) % {"shown": shown, "example": EXAMPLES[TermKey.country]}
    words = gettext_noop('"%(whole)s" has no key and colon. Write it as in %(example)s.')
    return f"{words % {'whole': whole, 'example': EXAMPLES[TermKey.country]}} {_KEYS_SENTENCE}"
