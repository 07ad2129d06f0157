"""Segments: a small query language for choosing subscribers, translated into SQL.

``country:MN,CN sector:education -tag:press`` means: in Mongolia or China, and following education, and not
tagged press. Terms side by side are joined by "and", values by "or", a hyphen negates a term, and ``or`` and
parentheses combine terms: ``country:MN or (country:CN tag:press)``. For the parser see
:mod:`subscribers.segments.parser`, for the terms :mod:`subscribers.segments.terms`. No value ever becomes
part of the SQL text: everything a user writes is a bound parameter.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, true
from sqlmodel import col

from subscribers.models import Status, Subscriber
from subscribers.segments.lookups import DeliveryLookup, Lookups, SavedSegmentLookup
from subscribers.segments.parser import EVERYONE, parse_expression
from subscribers.segments.syntax_tree import BooleanOperator, Expression, conjuncts, constrains, join, to_text
from subscribers.segments.terms import TermKey

__all__ = ["EVERYONE", "Segment", "eligible", "parse_segment"]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A parsed query.

    ``text`` keeps its meaning for as long as it is stored: it is as written, ``all`` for everyone, and saved
    segments are replaced by what they mean at the time of parsing. All of ``terms`` must match; if "or" joins
    the whole, they are one group. ``deliveries`` answers ``got:``.
    """

    text: str
    terms: tuple[Expression, ...]
    deliveries: DeliveryLookup | None = field(default=None, compare=False, repr=False)

    @property
    def canonical(self) -> str:
        """The text in canonical form: terms in their usual spelling, without needless parentheses."""
        return to_text(join(BooleanOperator.all, self.terms)) if self.terms else EVERYONE

    def where(self) -> ColumnElement[bool]:
        """Return the condition on :class:`subscribers.models.Subscriber`, with bound parameters only."""
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
    """Parse ``text``. Sectors are checked against ``sectors`` unless that is None.

    ``deliveries`` answers ``got:`` and ``saved`` resolves ``segment:``; without them these keys are refused.

    Raises:
        SegmentError: it is invalid; the error shows where and says what to try.
    """
    stripped = text.strip()
    if stripped.casefold() in {"", EVERYONE}:
        return Segment(text=EVERYONE, terms=())
    known = Lookups(sectors=sectors, deliveries=deliveries, saved=saved)
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
