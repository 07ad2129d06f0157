"""Describe one term of a segment in English that follows "partners who": "are in Mongolia or China"."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from locales.countries import country_name
from locales.languages import canonical_language, language_name
from subscribers.models import Status
from subscribers.segments.date_range import DateRange, Period, parse_date_range
from subscribers.segments.terms import Term, TermKey

# Countries that take an article in English, by their CLDR names.
_WITH_ARTICLE = re.compile(
    r".*(Islands|Territor(y|ies)|Republic|Emirates|States|Kingdom|Netherlands|Virgin Islands)"
    r"|Bahamas|Comoros|Gambia|Isle of Man|Maldives|Philippines|Seychelles|Vatican City"
)
_STATUS_WORDS: Mapping[str, str] = MappingProxyType(
    {
        Status.pending: "waiting to confirm",
        Status.active: "active",
        Status.paused: "paused",
        Status.unsubscribed: "unsubscribed",
        Status.erased: "erased",
        Status.merged: "merged with another partner",
    }
)


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The organisation's own names: ``sectors`` maps slugs to names, ``countries`` codes to names."""

    sectors: Mapping[str, str] = field(default_factory=dict)
    countries: Mapping[str, str] = field(default_factory=dict)

    def sector(self, slug: str) -> str:
        return self.sectors.get(slug) or slug

    def country(self, code: str) -> str:
        """Return the English name, with an article if it takes one."""
        name = country_name(code, "en", self.countries)
        return f"the {name}" if _WITH_ARTICLE.fullmatch(name) else name


def join_words(words: Sequence[str], joiner: str = "or") -> str:
    """Join words: ``A``, ``A or B``, ``A, B or C``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joiner} {words[-1]}"


def describe_term(term: Term, vocabulary: Vocabulary) -> str:
    """Describe ``term``, starting with a plural verb: "follow Education", "are not tagged “press”"."""
    return _DESCRIBERS[term.key](term, vocabulary)


def describe_countries(term: Term, vocabulary: Vocabulary) -> str:
    """Describe the countries of a term: "in Mongolia or China"."""
    return f"in {join_words([vocabulary.country(code) for code in term.values])}"


def _describe_country(term: Term, vocabulary: Vocabulary) -> str:
    return f"are {_not(term)}{describe_countries(term, vocabulary)}"


def _describe_sector(term: Term, vocabulary: Vocabulary) -> str:
    return f"{_do_not(term)}follow {join_words([vocabulary.sector(slug) for slug in term.values])}"


def _describe_language(term: Term, _: Vocabulary) -> str:
    return f"{_do_not(term)}read {join_words([_language_name(tag) for tag in term.values])}"


def _describe_status(term: Term, _: Vocabulary) -> str:
    being = [_STATUS_WORDS[status] for status in term.values if status in _STATUS_WORDS]
    said = [f"are {_not(term)}{join_words(being)}"] if being else []
    if Status.bounced in term.values:
        said.append(f"{_do_not(term)}have an address that bounced")
    if Status.complained in term.values:
        said.append(f"have {_not(term)}complained")
    return join_words(said, "and" if term.negated else "or")


def _describe_tag(term: Term, _: Vocabulary) -> str:
    return f"are {_not(term)}tagged {_quote_values(term)}"


def _describe_organisation(term: Term, _: Vocabulary) -> str:
    return f"{_do_not(term)}belong to an organisation with {_quote_values(term)} in its name"


def _describe_joined(term: Term, _: Vocabulary) -> str:
    when = join_words([_describe_range(parse_date_range(text)) for text in term.values])
    return f"did not join {when}" if term.negated else f"joined {when}"


def _describe_got(term: Term, _: Vocabulary) -> str:
    whole = [value for value in term.values if "/" not in value]
    stories = [value.partition("/") for value in term.values if "/" in value]
    named = [f"edition {join_words(whole)}"] if whole else []
    named += [f"the story {story} of edition {edition}" for edition, _, story in stories]
    return f"{'did not get' if term.negated else 'got'} {join_words(named)}"


def _describe_consent(term: Term, _: Vocabulary) -> str:
    return f"{_do_not(term)}have {_quote_values(term)} in their consent record"


_DESCRIBERS: Mapping[TermKey, Callable[[Term, Vocabulary], str]] = MappingProxyType(
    {
        TermKey.country: _describe_country,
        TermKey.sector: _describe_sector,
        TermKey.language: _describe_language,
        TermKey.status: _describe_status,
        TermKey.tag: _describe_tag,
        TermKey.org: _describe_organisation,
        TermKey.joined: _describe_joined,
        TermKey.got: _describe_got,
        TermKey.consent: _describe_consent,
    }
)


def _not(term: Term) -> str:
    return "not " if term.negated else ""


def _do_not(term: Term) -> str:
    return "do not " if term.negated else ""


def _quote_values(term: Term) -> str:
    return join_words([f"“{value}”" for value in term.values])


def _language_name(tag: str) -> str:
    known = canonical_language(tag)
    return f"“{tag}”" if known is None else language_name(known, "en")


def _describe_range(span: DateRange) -> str:
    if span.end is not None:
        return f"from {_describe_period(span.start)} to {_describe_period(span.end)}"
    on = "on" if span.start.first == span.start.last else "in"
    before = {"": on, ">": "after", ">=": f"{on} or after", "<": "before", "<=": f"{on} or before"}
    return f"{before[span.sign]} {_describe_period(span.start)}"


def _describe_period(period: Period) -> str:
    from babel.dates import format_date

    forms = {4: "y", 7: "MMMM y", 10: "d MMMM y"}
    return format_date(period.first, forms[len(period.text)], locale="en")
