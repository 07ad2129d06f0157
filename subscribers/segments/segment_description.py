"""Describe a segment in words: "active partners in Mongolia or China who follow Education".

English has no parentheses, so nested groups are expressed with "either … or" and "both … and". The result is
grammatical for any segment, which the tests check.
"""

from collections.abc import Sequence

from subscribers.models import Status
from subscribers.segments.segment import Segment
from subscribers.segments.syntax_tree import BooleanOperator, Expression, Group, conjuncts
from subscribers.segments.term_description import Vocabulary, describe_countries, describe_term, join_words
from subscribers.segments.terms import Term, TermKey

_NO_VOCABULARY = Vocabulary()
_ADJECTIVES = frozenset({Status.pending, Status.active, Status.paused, Status.unsubscribed, Status.erased})


def describe_segment(segment: Segment, vocabulary: Vocabulary = _NO_VOCABULARY) -> str:
    """Describe who is in ``segment`` as a noun phrase; countries and languages have their CLDR names."""
    if not segment.terms:
        return "everyone on the list"
    if len(segment.terms) == 1 and _is_or_group(segment.terms[0]):
        group = segment.terms[0]
        assert isinstance(group, Group)  # noqa: S101 - checked by the condition
        return ", or ".join(_describe_partners(conjuncts(part), vocabulary) for part in group.parts)
    return _describe_partners(segment.terms, vocabulary)


def describe_expression(expression: Expression, vocabulary: Vocabulary = _NO_VOCABULARY) -> str:
    """Describe one part of a segment: "are in Mongolia or China"."""
    return _describe_predicate(expression, vocabulary)


def _describe_partners(parts: Sequence[Expression], vocabulary: Vocabulary) -> str:
    """ "active partners in Mongolia who follow Education and who read Chinese"."""
    adjective = next((part for part in parts if _is_status_adjective(part)), None)
    country = next((part for part in parts if _is_country_term(part)), None)
    said = ["partners"]
    if isinstance(adjective, Term):
        said.insert(0, join_words(adjective.values))
    if isinstance(country, Term):
        said.append(describe_countries(country, vocabulary))
    rest = [part for part in parts if part is not adjective and part is not country]
    # Groups come last: after an "or", an "and" would be read as part of it.
    rest.sort(key=lambda part: isinstance(part, Group))
    clauses = [f"who {_describe_predicate(part, vocabulary)}" for part in rest]
    return " ".join([*said, join_words(clauses, "and")] if clauses else said)


def _describe_predicate(expression: Expression, vocabulary: Vocabulary) -> str:
    if isinstance(expression, Term):
        return describe_term(expression, vocabulary)
    parts = [_describe_predicate(part, vocabulary) for part in expression.parts]
    if expression.joiner is BooleanOperator.any:
        together = f"either {', '.join(parts[:-1])}, or {parts[-1]}"
    else:
        together = f"{'both' if len(parts) == 2 else 'at the same time'} {join_words(parts, 'and')}"
    return f"are not among those who {together}" if expression.negated else together


def _is_or_group(expression: Expression) -> bool:
    return (
        isinstance(expression, Group) and expression.joiner is BooleanOperator.any and not expression.negated
    )


def _is_status_adjective(expression: Expression) -> bool:
    return (
        isinstance(expression, Term)
        and expression.key is TermKey.status
        and not expression.negated
        and _ADJECTIVES.issuperset(expression.values)
    )


def _is_country_term(expression: Expression) -> bool:
    return isinstance(expression, Term) and expression.key is TermKey.country and not expression.negated
