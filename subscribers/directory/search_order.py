"""In which order people are found by a few letters, each part of it in the order of an index.

Whoever looks for “mei” means an address or a name that begins so, then an organisation, and last any of these
that has it somewhere. Letters are found in both cases where an index has them so: as typed, in small letters,
in capitals, and with a capital at the beginning of each word.
"""

from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from sqlalchemy import ColumnElement, and_, not_, or_, true
from sqlmodel import col

from subscribers.models import Subscriber
from subscribers.segments.case_insensitive_search import contains_words

MAX_SEARCH_LENGTH = 200

_AFTER_ANY_TEXT = "\U0010ffff"


@dataclass(frozen=True, kw_only=True)
class SearchPart:
    """One part of the order: those whose ``column`` begins with ``prefix``.

    ``matches`` is the condition on top of it, by which those of the parts before are left out.
    """

    column: str
    prefix: str = ""
    matches: ColumnElement[bool]

    @property
    def key(self) -> Any:
        """The column that the part is in the order of; the ID comes second."""
        return col(getattr(Subscriber, self.column))

    def is_within(self) -> ColumnElement[bool]:
        """The condition that the column begins with the prefix."""
        return begins_with(self.key, self.prefix)


def clean_search(text: str) -> str:
    """What is typed into a field, as one line in the form that texts are stored in."""
    words = " ".join(normalize("NFC", text.replace("\0", " ")).split())
    return "".join(char for char in words if char.isprintable())[:MAX_SEARCH_LENGTH].strip()


def list_search_parts(search: str) -> tuple[SearchPart, ...]:
    """The parts in which ``search`` is looked for, one after the other; everybody by address if it is ""."""
    if not search:
        return (SearchPart(column="email", matches=true()),)
    wanted = [("email", search.lower())] if " " not in search else []
    wanted += [(name, prefix) for name in ("name", "organisation") for prefix in list_spellings(search)]
    parts: list[SearchPart] = []
    earlier: list[ColumnElement[bool]] = []
    for column, prefix in wanted:
        begins = begins_with(col(getattr(Subscriber, column)), prefix)
        matches = not_(or_(*earlier)) if earlier else true()
        parts.append(SearchPart(column=column, prefix=prefix, matches=matches))
        earlier.append(begins)
    # One search in all three is a third of the work. Nobody searches for the end of a line.
    texts = col(Subscriber.email) + "\n" + col(Subscriber.name) + "\n" + col(Subscriber.organisation)
    anywhere = and_(contains_words(texts, search), not_(or_(*earlier)))
    return (*parts, SearchPart(column="email", matches=anywhere))


def begins_with(column: Any, prefix: str) -> ColumnElement[bool]:
    """The condition that a text begins with ``prefix``, in the form that its index serves."""
    if not prefix:
        return true()
    return and_(column >= prefix, column < prefix + _AFTER_ANY_TEXT)


def list_spellings(search: str) -> tuple[str, ...]:
    """The same letters as people write them: with a capital in front or in each word, in capitals, in small
    letters, and as they are."""
    first = search[:1].upper() + search[1:]
    return tuple(dict.fromkeys((first, search.title(), search.upper(), search.lower(), search)))
