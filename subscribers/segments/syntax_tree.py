"""What a segment is once it is understood: terms, and groups of terms joined by "and" or by "or".

Trees are kept in one shape: a group holds at least two parts, none of which is a plain group of its own kind,
and nothing is negated twice. So two texts that mean the same grouping are the same tree, and a tree that is
written down and read again is itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, not_, or_, true

from subscribers.segments.lookups import DeliveryLookup
from subscribers.segments.terms import Term, TermKey


class BooleanOperator(StrEnum):
    """How the parts of a group are joined."""

    all = "and"
    """Every part holds."""

    any = "or"
    """At least one part holds."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Parts that are joined, and the whole turned around where ``negated``."""

    joiner: BooleanOperator
    parts: "tuple[Expression, ...]"
    negated: bool = False

    def where(self, deliveries: DeliveryLookup | None = None) -> ColumnElement[bool]:
        """The condition on :class:`subscribers.models.Subscriber`, with bound parameters only."""
        parts = [part.where(deliveries) for part in self.parts]
        joined = and_(true(), *parts) if self.joiner is BooleanOperator.all else or_(*parts)
        return not_(joined) if self.negated else joined


Expression: TypeAlias = Term | Group


def join(joiner: BooleanOperator, parts: Iterable[Expression]) -> Expression:
    """``parts`` joined; a part of the same kind gives its own parts, and one part alone stays as it is."""
    flat = tuple(inner for part in parts for inner in _parts_of(part, joiner))
    return flat[0] if len(flat) == 1 else Group(joiner=joiner, parts=flat)


def negate(expression: Expression) -> Expression:
    """The opposite of ``expression``."""
    return replace(expression, negated=not expression.negated)


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """The parts that all have to hold."""
    return tuple(_parts_of(expression, BooleanOperator.all))


def walk(expression: Expression) -> Iterator[Term]:
    """Every term, from left to right."""
    if isinstance(expression, Term):
        yield expression
    else:
        for part in expression.parts:
            yield from walk(part)


def constrains(expression: Expression, key: TermKey) -> bool:
    """Whether all whom ``expression`` chooses are chosen by ``key`` too: in an "and" one part asks about it,
    in an "or" every part.
    """
    if isinstance(expression, Term):
        return expression.key is key
    answers = (constrains(part, key) for part in expression.parts)
    # "Not (a or b)" is "not a" and "not b".
    is_choice = (expression.joiner is BooleanOperator.any) is not expression.negated
    return all(answers) if is_choice else any(answers)


def depth(expression: Expression) -> int:
    """How many groups stand in each other at most."""
    return 0 if isinstance(expression, Term) else 1 + max(map(depth, expression.parts), default=0)


def to_text(expression: Expression) -> str:
    """The text of ``expression``; reading it again makes the same tree."""
    if isinstance(expression, Term):
        return expression.text
    if expression.joiner is BooleanOperator.any:
        text = " or ".join(map(to_text, expression.parts))
    else:
        # "or" binds weaker than standing side by side.
        text = " ".join(
            f"({to_text(part)})" if _is_or_group(part) else to_text(part) for part in expression.parts
        )
    return f"-({text})" if expression.negated else text


def _parts_of(expression: Expression, joiner: BooleanOperator) -> Iterator[Expression]:
    if isinstance(expression, Group) and expression.joiner is joiner and not expression.negated:
        yield from expression.parts
    else:
        yield expression


def _is_or_group(expression: Expression) -> bool:
    return (
        isinstance(expression, Group) and expression.joiner is BooleanOperator.any and not expression.negated
    )
