"""Segments: a small query language for choosing subscribers, and the form of filters that says the same.

``country:MN,CN sector:education -tag:press`` means: in Mongolia or China, and following education, and not
tagged press. Terms side by side are joined by "and", values by "or", a hyphen negates a term, and ``or`` and
parentheses combine terms: ``country:MN or (country:CN tag:press)``. Filters are read from a text and written
as one that means the same; saved segments keep their names there.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any, Self

from sqlalchemy import ColumnElement, and_, or_, true
from sqlmodel import col

from subscribers.errors import SegmentError
from subscribers.models import Status, Subscriber
from subscribers.segments.parser import EVERYONE, parse_expression
from subscribers.segments.terms import (
    BooleanOperator,
    DeliveryLookup,
    Expression,
    SavedSegmentLookup,
    SegmentLookups,
    Term,
    TermKey,
    conjuncts,
    constrains,
    join,
    to_text,
)

__all__ = ["EVERYONE", "Segment", "eligible", "parse_segment"]
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
class Segment:
    """A parsed query. All of ``terms`` must match; if "or" joins the whole, they are one group.

    ``text`` keeps its meaning for as long as it is stored: it is as written, ``all`` for everyone, and saved
    segments are replaced by what they mean at the time of parsing.
    """

    text: str
    terms: tuple[Expression, ...]
    deliveries: DeliveryLookup | None = field(default=None, compare=False, repr=False)

    @property
    def canonical(self) -> str:
        """The text in canonical form: terms in their usual spelling, without needless parentheses."""
        return to_text(join(BooleanOperator.all, self.terms)) if self.terms else EVERYONE

    def where(self) -> ColumnElement[bool]:
        return and_(true(), *(term.where(self.deliveries) for term in self.terms))

    def asks_about(self, key: TermKey) -> bool:
        """Return whether ``key`` constrains everyone in the segment. In ``status:pending or country:MN``,
        some are included whatever their status.
        """
        return any(constrains(term, key) for term in self.terms)


def parse_segment(
    text: str,
    *,
    sectors: Collection[str] | None = None,
    deliveries: DeliveryLookup | None = None,
    saved: SavedSegmentLookup | None = None,
) -> Segment:
    """Parse ``text``. Sectors are checked against ``sectors`` unless that is None. ``deliveries`` answers
    ``got:`` and ``saved`` resolves ``segment:``; without them these keys are refused. Raise SegmentError if
    it is invalid; the error shows where and says what to try.
    """
    stripped = text.strip()
    if stripped.casefold() in {"", EVERYONE}:
        return Segment(text=EVERYONE, terms=())
    known = SegmentLookups(sectors=sectors, deliveries=deliveries, saved=saved)
    understood = parse_expression(stripped, known)
    tree = understood.tree
    written = to_text(tree) if understood.named else stripped
    return Segment(text=written, terms=conjuncts(tree), deliveries=deliveries)


def eligible(today: date | ColumnElement[date]) -> ColumnElement[bool]:
    """Return the condition for receiving mail on ``today``: active, or paused until that day or earlier.

    Suppressions need no check here, because suppressing an address changes the status of its subscriber.
    """
    status, paused_until = col(Subscriber.status), col(Subscriber.paused_until)
    return or_(status == Status.active, and_(status == Status.paused, paused_until <= today))


@dataclass(frozen=True, kw_only=True)
class SegmentFilters:
    """The filters of a segment. Within one, any value is enough; all filters must match. ``sources`` are how
    they came, as their consent record has it. ``others`` is everything else that must match, as text.
    """

    statuses: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    others: str = ""

    def keep_order(self, shown: Self) -> Self:
        """Return the filters with the values that ``shown`` has as well in its order, before the others."""
        ordered: dict[str, Any] = {}
        for name in FILTER_KEYS.values():
            before, after = getattr(shown, name), getattr(self, name)
            kept = tuple(value for value in before if value in after)
            ordered[name] = (*kept, *(value for value in after if value not in kept))
        return replace(self, **ordered)


def read_filters(text: str, lookups: SegmentLookups) -> SegmentFilters:
    """Read the filters of a segment. Raise SegmentError, which shows where it is invalid."""
    stripped = text.strip()
    if stripped.casefold() in {"", EVERYONE}:
        return SegmentFilters()
    understood = parse_expression(stripped, lookups)
    if not understood.parts:
        return SegmentFilters(others=f"({stripped})")
    found: dict[str, tuple[str, ...]] = {}
    others = []
    for meaning, span in understood.parts:
        is_named = any(span.start <= place.start < span.stop for _, place in understood.names)
        term = None if is_named else _as_filter(meaning)
        if term is None or FILTER_KEYS[term.key] in found:
            others.append(stripped[span])
        else:
            found[FILTER_KEYS[term.key]] = term.values
    return SegmentFilters(**found, others=" ".join(others))


def _as_filter(meaning: Expression) -> Term | None:
    if isinstance(meaning, Term) and not meaning.negated and meaning.key in FILTER_KEYS:
        return meaning
    return None


def write_filters(filters: SegmentFilters, lookups: SegmentLookups) -> str:
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


def _is_choice(text: str, lookups: SegmentLookups) -> bool:
    try:
        return not parse_expression(text, lookups).parts
    except SegmentError:
        return False
