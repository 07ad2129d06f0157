"""A segment as a form of filters: what checkboxes and fields can say of it, and the rest as it was written.

Both ways lead into each other: a text is read into filters, and filters are written as a text that means the
same. Saved segments keep their names, which parsing a segment would replace.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from subscribers.errors import SegmentError
from subscribers.segments.lookups import Lookups
from subscribers.segments.parser import EVERYONE, parse_expression
from subscribers.segments.syntax_tree import Expression
from subscribers.segments.terms import Term, TermKey

FILTER_KEYS: Mapping[TermKey, str] = MappingProxyType(
    {
        TermKey.status: "statuses",
        TermKey.country: "countries",
        TermKey.sector: "sectors",
        TermKey.language: "languages",
        TermKey.tag: "tags",
        TermKey.org: "organisations",
        TermKey.consent: "sources",
    }
)
"""The terms that are filters, in the order they are written in, and the field of each."""


@dataclass(frozen=True, kw_only=True)
class SegmentFilters:
    """The filters of a segment. Within one, any value is enough; all filters must match.

    ``sources`` are how they came, as their consent record has it. ``others`` is everything else that must
    match, as text: negated terms, dates, editions, saved segments, and what "or" joins.
    """

    statuses: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    others: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether they mean everyone."""
        return not any(getattr(self, field.name) for field in fields(self))


def read_filters(text: str, lookups: Lookups) -> SegmentFilters:
    """Read the filters of a segment.

    Raises:
        SegmentError: it is invalid; the error shows where and says what to try.
    """
    stripped = text.strip()
    if stripped.casefold() in {"", EVERYONE}:
        return SegmentFilters()
    understood = parse_expression(stripped, lookups)
    if not understood.parts:
        return SegmentFilters(others=f"({stripped})")
    found: dict[str, tuple[str, ...]] = {}
    others = []
    for part in understood.parts:
        is_named = any(part.start <= place.start < part.end for place in understood.names)
        term = None if is_named else _as_filter(part.meaning)
        if term is None or FILTER_KEYS[term.key] in found:
            others.append(stripped[part.start : part.end])
        else:
            found[FILTER_KEYS[term.key]] = term.values
    return SegmentFilters(**found, others=" ".join(others))


def _as_filter(meaning: Expression) -> Term | None:
    """The term that ``meaning`` is, if it is a filter."""
    if isinstance(meaning, Term) and not meaning.negated and meaning.key in FILTER_KEYS:
        return meaning
    return None


def write_filters(filters: SegmentFilters, lookups: Lookups) -> str:
    """Write filters as the text of a segment; empty for everyone.

    Whether a value is valid is found when the text is parsed.
    """
    terms = [
        Term(key=key, values=values).text
        for key, name in FILTER_KEYS.items()
        if (values := getattr(filters, name))
    ]
    others = filters.others.strip()
    if others and terms and _is_choice(others, lookups):
        # "or" binds less tightly than terms side by side.
        others = f"({others})"
    return " ".join([*terms, *([others] if others else [])])


def _is_choice(text: str, lookups: Lookups) -> bool:
    try:
        return not parse_expression(text, lookups).parts
    except SegmentError:
        return False
