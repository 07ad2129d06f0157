"""Describe a segment in words: "active partners in Mongolia or China who follow Education".

English has no parentheses, so nested groups are expressed with "either … or" and "both … and". The result is
grammatical for any segment, which the tests check. It is a phrase (:class:`locales.phrase.Phrase`), which a
page shows in its own language; names of places and sectors are in that of the vocabulary.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from locales.countries import country_name
from locales.languages import canonical_language, language_name
from locales.phrase import AND, Phrase, gettext_noop, join_phrases
from subscribers.models import Status
from subscribers.segments.segment import Segment
from subscribers.segments.terms import (
    BooleanOperator,
    CalendarPeriod,
    DateRange,
    Expression,
    Group,
    Term,
    TermKey,
    conjuncts,
    parse_date_range,
)

# Countries that take an article in English, by their CLDR names.
_WITH_ARTICLE = re.compile(
    r".*(Islands|Territor(y|ies)|Republic|Emirates|States|Kingdom|Netherlands|Virgin Islands)"
    r"|Bahamas|Comoros|Gambia|Isle of Man|Maldives|Philippines|Seychelles|Vatican City"
)
_STATUS_WORDS: Mapping[str, str] = MappingProxyType(
    {
        Status.pending: gettext_noop("waiting to confirm"),
        Status.active: gettext_noop("active"),
        Status.paused: gettext_noop("paused"),
        Status.unsubscribed: gettext_noop("unsubscribed"),
        Status.erased: gettext_noop("erased"),
        Status.merged: gettext_noop("merged with another partner"),
    }
)
# Each kind of term, and the same of those who are not meant.
_MESSAGES: Mapping[TermKey, tuple[str, str]] = MappingProxyType(
    {
        TermKey.country: (gettext_noop("are in %(countries)s"), gettext_noop("are not in %(countries)s")),
        TermKey.sector: (gettext_noop("follow %(sectors)s"), gettext_noop("do not follow %(sectors)s")),
        TermKey.language: (gettext_noop("read %(languages)s"), gettext_noop("do not read %(languages)s")),
        TermKey.status: (gettext_noop("are %(status)s"), gettext_noop("are not %(status)s")),
        TermKey.tag: (gettext_noop("are tagged %(tags)s"), gettext_noop("are not tagged %(tags)s")),
        TermKey.org: (
            gettext_noop("belong to an organisation with %(words)s in its name"),
            gettext_noop("do not belong to an organisation with %(words)s in its name"),
        ),
        TermKey.joined: (gettext_noop("joined %(time)s"), gettext_noop("did not join %(time)s")),
        TermKey.got: (gettext_noop("got %(editions)s"), gettext_noop("did not get %(editions)s")),
        TermKey.consent: (
            gettext_noop("have %(words)s in their consent record"),
            gettext_noop("do not have %(words)s in their consent record"),
        ),
    }
)
_BOUNCED = (
    gettext_noop("have an address that bounced"),
    gettext_noop("do not have an address that bounced"),
)
_COMPLAINED = (gettext_noop("have complained"), gettext_noop("have not complained"))
_ON_DAY: Mapping[str, str] = MappingProxyType(
    {
        "": gettext_noop("on %(day)s"),
        ">": gettext_noop("after %(day)s"),
        ">=": gettext_noop("on or after %(day)s"),
        "<": gettext_noop("before %(day)s"),
        "<=": gettext_noop("on or before %(day)s"),
    }
)
_IN_PERIOD: Mapping[str, str] = MappingProxyType(
    {
        "": gettext_noop("in %(period)s"),
        ">": gettext_noop("after %(period)s"),
        ">=": gettext_noop("in or after %(period)s"),
        "<": gettext_noop("before %(period)s"),
        "<=": gettext_noop("in or before %(period)s"),
    }
)
_ADJECTIVES: Mapping[str, str] = MappingProxyType(
    {
        Status.pending: gettext_noop("pending"),
        Status.active: gettext_noop("active"),
        Status.paused: gettext_noop("paused"),
        Status.unsubscribed: gettext_noop("unsubscribed"),
        Status.erased: gettext_noop("erased"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The names for places and sectors in one ``language``, a BCP 47 tag: ``sectors`` maps slugs to names,
    ``countries`` codes to names; what is missing there has its CLDR name."""

    sectors: Mapping[str, str] = field(default_factory=dict)
    countries: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"

    def sector(self, slug: str) -> str:
        return self.sectors.get(slug) or slug

    def country(self, code: str) -> str:
        """Return the name, with an article if it takes one in English."""
        name = country_name(code, self.language, self.countries)
        return f"the {name}" if self.language == "en" and _WITH_ARTICLE.fullmatch(name) else name

    def name_language(self, tag: str) -> str:
        known = canonical_language(tag)
        return f"“{tag}”" if known is None else language_name(known, self.language)

    def format_period(self, period: CalendarPeriod) -> str:
        """Format a day, a month or a year: 1 May 2024, May 2024, 2024."""
        from babel.dates import format_date, format_skeleton

        if self.language == "en":
            forms = {4: "y", 7: "MMMM y", 10: "d MMMM y"}
            return format_date(period.first, forms[len(period.text)], locale="en")
        skeletons = {4: "y", 7: "yMMMM", 10: "yMMMMd"}
        return format_skeleton(
            skeletons[len(period.text)], period.first, locale=self.language.replace("-", "_")
        )


def describe_term(term: Term, vocabulary: Vocabulary) -> str:
    """Describe ``term``, starting with a plural verb: "follow Education", "are not tagged “press”"."""
    match term.key:
        case TermKey.country:
            return _phrase(term, countries=name_countries(term, vocabulary))
        case TermKey.sector:
            return _phrase(term, sectors=join_phrases([vocabulary.sector(slug) for slug in term.values]))
        case TermKey.language:
            named = [vocabulary.name_language(tag) for tag in term.values]
            return _phrase(term, languages=join_phrases(named))
        case TermKey.status:
            return _describe_status(term)
        case TermKey.tag:
            return _phrase(term, tags=_quote_values(term))
        case TermKey.org | TermKey.consent:
            return _phrase(term, words=_quote_values(term))
        case TermKey.joined:
            spans = [_describe_range(parse_date_range(text), vocabulary) for text in term.values]
            return _phrase(term, time=join_phrases(spans))
        case TermKey.got:
            return _describe_got(term)


def name_countries(term: Term, vocabulary: Vocabulary) -> str:
    return join_phrases([vocabulary.country(code) for code in term.values])


def name_statuses(values: Sequence[str], words: Mapping[str, str] = _STATUS_WORDS) -> str:
    return join_phrases([Phrase(words[value]) for value in values if value in words])


def _describe_status(term: Term) -> str:
    being = name_statuses(term.values)
    said = [_phrase(term, status=being)] if being else []
    if Status.bounced in term.values:
        said.append(Phrase(_BOUNCED[term.negated]))
    if Status.complained in term.values:
        said.append(Phrase(_COMPLAINED[term.negated]))
    return join_phrases(said, AND) if term.negated else join_phrases(said)


def _describe_got(term: Term) -> str:
    whole = [value for value in term.values if "/" not in value]
    stories = [value.partition("/") for value in term.values if "/" in value]
    named = [Phrase("edition %(editions)s", editions=join_phrases(whole))] if whole else []
    named += [
        Phrase("the story %(story)s of edition %(edition)s", story=story, edition=edition)
        for edition, _, story in stories
    ]
    return _phrase(term, editions=join_phrases(named))


def _phrase(term: Term, **parameters: str) -> str:
    return Phrase(_MESSAGES[term.key][term.negated], **parameters)


def _quote_values(term: Term) -> str:
    return join_phrases([f"“{value}”" for value in term.values])


def _describe_range(span: DateRange, vocabulary: Vocabulary) -> str:
    start = vocabulary.format_period(span.start)
    if span.end is not None:
        end = vocabulary.format_period(span.end)
        return Phrase("from %(start)s to %(end)s", start=start, end=end)
    if span.start.first == span.start.last:
        return Phrase(_ON_DAY[span.sign], day=start)
    return Phrase(_IN_PERIOD[span.sign], period=start)


_NO_VOCABULARY = Vocabulary()


def describe_segment(segment: Segment, vocabulary: Vocabulary = _NO_VOCABULARY) -> str:
    """Describe who is in ``segment`` as a noun phrase; countries and languages have their CLDR names."""
    if not segment.terms:
        return Phrase("everyone on the list")
    match segment.terms:
        case (Group(joiner=BooleanOperator.any, negated=False, parts=choices),):
            first, *others = [_describe_partners(conjuncts(part), vocabulary) for part in choices]
            for other in others:
                first = Phrase("%(first)s, or %(last)s", first=first, last=other)
            return first
    return _describe_partners(segment.terms, vocabulary)


def describe_expression(expression: Expression, vocabulary: Vocabulary = _NO_VOCABULARY) -> str:
    """Describe one part of a segment: "are in Mongolia or China"."""
    if isinstance(expression, Term):
        return describe_term(expression, vocabulary)
    parts = [describe_expression(part, vocabulary) for part in expression.parts]
    if expression.joiner is BooleanOperator.any:
        together = join_phrases(parts, gettext_noop("either %(first)s, or %(last)s"))
    elif len(parts) == 2:
        together = Phrase("both %(parts)s", parts=join_phrases(parts, AND))
    else:
        together = Phrase("at the same time %(parts)s", parts=join_phrases(parts, AND))
    if not expression.negated:
        return together
    return Phrase("are not among those who %(together)s", together=together)


def _describe_partners(parts: Sequence[Expression], vocabulary: Vocabulary) -> str:
    """ "active partners in Mongolia who follow Education and who read Chinese"."""
    terms = [part for part in parts if isinstance(part, Term) and not part.negated]
    statuses = (term for term in terms if term.key is TermKey.status)
    adjective = next((term for term in statuses if all(value in _ADJECTIVES for value in term.values)), None)
    country = next((term for term in terms if term.key is TermKey.country), None)
    said = Phrase("partners")
    if adjective is not None:
        said = Phrase("%(status)s partners", status=name_statuses(adjective.values, _ADJECTIVES))
    if country is not None:
        named = name_countries(country, vocabulary)
        said = Phrase("%(partners)s in %(countries)s", partners=said, countries=named)
    rest = [part for part in parts if part is not adjective and part is not country]
    # Groups come last: after an "or", an "and" would be read as part of it.
    rest.sort(key=lambda part: isinstance(part, Group))
    clauses = [Phrase("who %(predicate)s", predicate=describe_expression(part, vocabulary)) for part in rest]
    if not clauses:
        return said
    return Phrase("%(partners)s %(clauses)s", partners=said, clauses=join_phrases(clauses, AND))
