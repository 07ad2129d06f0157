"""The syntax tree of a segment: terms, and groups of terms joined by "and" or "or".

Trees are normalised: a group has at least two parts, none of which is an unnegated group with the same
operator, and nothing is negated twice. So texts with the same grouping have the same tree, and writing a tree
as text and parsing it again gives an equal tree.
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
    """Every part must match."""

    any = "or"
    """At least one part must match."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Joined parts, negated as a whole if ``negated``."""

    joiner: BooleanOperator
    parts: "tuple[Expression, ...]"
    negated: bool = False

    def where(self, deliveries: DeliveryLookup | None = None) -> ColumnElement[bool]:
        """Return the condition on :class:`subscribers.models.Subscriber`, with bound parameters only."""
        parts = [part.where(deliveries) for part in self.parts]
        joined = and_(true(), *parts) if self.joiner is BooleanOperator.all else or_(*parts)
        return not_(joined) if self.negated else joined


Expression: TypeAlias = Term | Group


def join(joiner: BooleanOperator, parts: Iterable[Expression]) -> Expression:
    """Join ``parts``; groups with the same operator are flattened, and a single part is returned as it is."""
    flat = tuple(inner for part in parts for inner in _parts_of(part, joiner))
    return flat[0] if len(flat) == 1 else Group(joiner=joiner, parts=flat)


def negate(expression: Expression) -> Expression:
    """Return the negation of ``expression``."""
    return replace(expression, negated=not expression.negated)


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """Return the parts that must all match."""
    return tuple(_parts_of(expression, BooleanOperator.all))


def walk(expression: Expression) -> Iterator[Term]:
    """Yield every term, from left to right."""
    if isinstance(expression, Term):
        yield expression
    else:
        for part in expression.parts:
            yield from walk(part)


def constrains(expression: Expression, key: TermKey) -> bool:
    """Return whether ``key`` constrains everyone ``expression`` chooses: at least one part of an "and" asks
    about it, or every part of an "or".
    """
    if isinstance(expression, Term):
        return expression.key is key
    answers = (constrains(part, key) for part in expression.parts)
    # "Not (a or b)" is "not a" and "not b".
    is_choice = (expression.joiner is BooleanOperator.any) is not expression.negated
    return all(answers) if is_choice else any(answers)


def depth(expression: Expression) -> int:
    """Return how deeply groups are nested."""
    return 0 if isinstance(expression, Term) else 1 + max(map(depth, expression.parts), default=0)


def to_text(expression: Expression) -> str:
    """Write ``expression`` as text; parsing it again gives an equal tree."""
    if isinstance(expression, Term):
        return expression.text
    if expression.joiner is BooleanOperator.any:
        text = " or ".join(map(to_text, expression.parts))
    else:
        # "or" binds less tightly than terms side by side.
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
