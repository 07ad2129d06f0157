"""Segments: a small language for "who", and its translation into SQL.

``country:MN,CN sector:education -tag:press`` reads: in Mongolia or China, and following education, and not
tagged press. Terms side by side are joined by "and", values by "or", a hyphen turns a term around, and
``or`` and parentheses join terms: ``country:MN or (country:CN tag:press)``. How it is read is in
:mod:`subscribers.segments.parser`, what a term asks in :mod:`subscribers.segments.terms`. No value ever becomes part of the
SQL text: everything a person writes is a bound parameter.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, true
from sqlmodel import col

from subscribers.models import Status, Subscriber
from subscribers.segments.lookups import DeliveryLookup, Lookups, SavedSegmentLookup
from subscribers.segments.parser import EVERYBODY, parse_expression
from subscribers.segments.syntax_tree import BooleanOperator, Expression, conjuncts, constrains, join, to_text
from subscribers.segments.terms import TermKey

__all__ = ["EVERYBODY", "Segment", "eligible", "parse_segment"]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A query that was understood.

    ``text`` means the same for as long as it is kept: it is as written, ``all`` for everybody, and where
    saved segments were named, what they meant at that moment is written out. ``terms`` all have to hold;
    where "or" joins the whole, they are one group. ``deliveries`` answer ``got:``.
    """

    text: str
    terms: tuple[Expression, ...]
    deliveries: DeliveryLookup | None = field(default=None, compare=False, repr=False)

    @property
    def canonical(self) -> str:
        """The text as the tree writes it: terms in their usual spelling, and no parentheses too many."""
        return to_text(join(BooleanOperator.all, self.terms)) if self.terms else EVERYBODY

    def where(self) -> ColumnElement[bool]:
        """The condition on :class:`subscribers.models.Subscriber`, with bound parameters only."""
        return and_(true(), *(term.where(self.deliveries) for term in self.terms))

    def asks_about(self, key: TermKey) -> bool:
        """Whether everybody in it is chosen by ``key`` too; ``status:pending or country:MN`` has people whose
        status nobody asked about.
        """
        return any(constrains(term, key) for term in self.terms)


def parse_segment(
    text: str,
    *,
    sectors: Collection[str] | None = None,
    deliveries: DeliveryLookup | None = None,
    saved: SavedSegmentLookup | None = None,
) -> Segment:
    """Understand ``text``. Sectors are checked against ``sectors`` unless that is None.

    ``deliveries`` answer ``got:`` and ``saved`` knows what ``segment:`` names; without them, a text that asks
    for one is refused.

    Raises:
        SegmentError: it cannot be understood; the error shows where and says what to try.
    """
    stripped = text.strip()
    if stripped.casefold() in {"", EVERYBODY}:
        return Segment(text=EVERYBODY, terms=())
    known = Lookups(sectors=sectors, deliveries=deliveries, saved=saved)
    understood = parse_expression(stripped, known)
    tree = understood.tree
    written = to_text(tree) if understood.named else stripped
    return Segment(text=written, terms=conjuncts(tree), deliveries=deliveries)


def eligible(today: date | ColumnElement[date]) -> ColumnElement[bool]:
    """Whether a subscriber gets mail on ``today``: active, or paused until a day that has come.

    Suppressed addresses are not asked for here, because suppressing one moves its subscriber out of both.
    """
    status, paused_until = col(Subscriber.status), col(Subscriber.paused_until)
    return or_(status == Status.active, and_(status == Status.paused, paused_until <= today))
