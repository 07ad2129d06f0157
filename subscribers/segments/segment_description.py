"""Describe a segment in words: "active partners in Mongolia or China who follow Education".

English has no parentheses, so nested groups are expressed with "either … or" and "both … and". The result is
grammatical for any segment, which the tests check. It is a phrase (:class:`locales.phrase.Phrase`), which a
page shows in its own language; names of places and sectors are in that of the vocabulary.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from locales.phrase import AND, Phrase, gettext_noop, join_phrases
from subscribers.models import Status
from subscribers.segments.segment import Segment
from subscribers.segments.syntax_tree import BooleanOperator, Expression, Group, conjuncts
from subscribers.segments.term_description import Vocabulary, describe_term, name_countries, name_statuses
from subscribers.segments.terms import Term, TermKey

_NO_VOCABULARY = Vocabulary()
_ADJECTIVES: Mapping[str, str] = MappingProxyType(
    {
        Status.pending: gettext_noop("pending"),
        Status.active: gettext_noop("active"),
        Status.paused: gettext_noop("paused"),
        Status.unsubscribed: gettext_noop("unsubscribed"),
        Status.erased: gettext_noop("erased"),
    }
)


def describe_segment(segment: Segment, vocabulary: Vocabulary = _NO_VOCABULARY) -> str:
    """Describe who is in ``segment`` as a noun phrase; countries and languages have their CLDR names."""
    if not segment.terms:
        return Phrase(gettext_noop("everyone on the list"))
    if len(segment.terms) == 1 and _is_or_group(segment.terms[0]):
        group = segment.terms[0]
        assert isinstance(group, Group)  # noqa: S101 - checked by the condition
        first, *others = [_describe_partners(conjuncts(part), vocabulary) for part in group.parts]
        for other in others:
            first = Phrase(gettext_noop("%(first)s, or %(last)s"), first=first, last=other)
        return first
    return _describe_partners(segment.terms, vocabulary)


def describe_expression(expression: Expression, vocabulary: Vocabulary = _NO_VOCABULARY) -> str:
    """Describe one part of a segment: "are in Mongolia or China"."""
    return _describe_predicate(expression, vocabulary)


def _describe_partners(parts: Sequence[Expression], vocabulary: Vocabulary) -> str:
    """ "active partners in Mongolia who follow Education and who read Chinese"."""
    adjective = next((part for part in parts if _is_status_adjective(part)), None)
    country = next((part for part in parts if _is_country_term(part)), None)
    said = Phrase(gettext_noop("partners"))
    if isinstance(adjective, Term):
        said = Phrase(
            gettext_noop("%(status)s partners"), status=name_statuses(adjective.values, _ADJECTIVES)
        )
    if isinstance(country, Term):
        named = name_countries(country, vocabulary)
        said = Phrase(gettext_noop("%(partners)s in %(countries)s"), partners=said, countries=named)
    rest = [part for part in parts if part is not adjective and part is not country]
    # Groups come last: after an "or", an "and" would be read as part of it.
    rest.sort(key=lambda part: isinstance(part, Group))
    clauses = [
        Phrase(gettext_noop("who %(predicate)s"), predicate=_describe_predicate(part, vocabulary))
        for part in rest
    ]
    if not clauses:
        return said
    return Phrase(gettext_noop("%(partners)s %(clauses)s"), partners=said, clauses=join_phrases(clauses, AND))


def _describe_predicate(expression: Expression, vocabulary: Vocabulary) -> str:
    if isinstance(expression, Term):
        return describe_term(expression, vocabulary)
    parts = [_describe_predicate(part, vocabulary) for part in expression.parts]
    if expression.joiner is BooleanOperator.any:
        together = join_phrases(parts, gettext_noop("either %(first)s, or %(last)s"))
    elif len(parts) == 2:
        together = Phrase(gettext_noop("both %(parts)s"), parts=join_phrases(parts, AND))
    else:
        together = Phrase(gettext_noop("at the same time %(parts)s"), parts=join_phrases(parts, AND))
    if not expression.negated:
        return together
    return Phrase(gettext_noop("are not among those who %(together)s"), together=together)


def _is_or_group(expression: Expression) -> bool:
    return (
        isinstance(expression, Group) and expression.joiner is BooleanOperator.any and not expression.negated
    )


def _is_status_adjective(expression: Expression) -> bool:
    return (
        isinstance(expression, Term)
        and expression.key is TermKey.status
        and not expression.negated
        and all(value in _ADJECTIVES for value in expression.values)
    )


def _is_country_term(expression: Expression) -> bool:
    return isinstance(expression, Term) and expression.key is TermKey.country and not expression.negated
