"""What one term of a segment says, in English that follows "partners who": "are in Mongolia or China"."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from subscribers.country import country_name
from subscribers.models import Status
from subscribers.segments.date_range import Period, Span, read_span
from subscribers.segments.terms import Key, Term

# Countries that English gives an article, by how CLDR's English names of them look.
_WITH_ARTICLE = re.compile(
    r".*(Islands|Territor(y|ies)|Republic|Emirates|States|Kingdom|Netherlands|Virgin Islands)"
    r"|Bahamas|Comoros|Gambia|Isle of Man|Maldives|Philippines|Seychelles|Vatican City"
)
_BEING: Mapping[str, str] = MappingProxyType(
    {
        Status.pending: "waiting to confirm",
        Status.active: "active",
        Status.paused: "paused",
        Status.unsubscribed: "unsubscribed",
        Status.erased: "erased",
    }
)


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The organisation's own words: ``sectors`` maps slugs to names, ``countries`` codes to names."""

    sectors: Mapping[str, str] = field(default_factory=dict)
    countries: Mapping[str, str] = field(default_factory=dict)

    def sector(self, slug: str) -> str:
        return self.sectors.get(slug) or slug

    def country(self, code: str) -> str:
        """The English name, with its article where it has one in a sentence."""
        name = country_name(code, "en", self.countries)
        return f"the {name}" if _WITH_ARTICLE.fullmatch(name) else name


def listing(words: Sequence[str], joiner: str = "or") -> str:
    """``A``, ``A or B``, ``A, B or C``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joiner} {words[-1]}"


def phrase(term: Term, vocabulary: Vocabulary) -> str:
    """What ``term`` says, a plural verb first: "follow Education", "are not tagged “press”"."""
    return _PHRASES[term.key](term, vocabulary)


def place(term: Term, vocabulary: Vocabulary) -> str:
    """The countries of a term: "in Mongolia or China"."""
    return f"in {listing([vocabulary.country(code) for code in term.values])}"


def _country(term: Term, vocabulary: Vocabulary) -> str:
    return f"are {_not(term)}{place(term, vocabulary)}"


def _sector(term: Term, vocabulary: Vocabulary) -> str:
    return f"{_do_not(term)}follow {listing([vocabulary.sector(slug) for slug in term.values])}"


def _language(term: Term, _: Vocabulary) -> str:
    return f"{_do_not(term)}read {listing([_language_name(tag) for tag in term.values])}"


def _status(term: Term, _: Vocabulary) -> str:
    being = [_BEING[status] for status in term.values if status in _BEING]
    said = [f"are {_not(term)}{listing(being)}"] if being else []
    if Status.bounced in term.values:
        said.append(f"{_do_not(term)}have an address that bounced")
    if Status.complained in term.values:
        said.append(f"have {_not(term)}complained")
    return listing(said, "and" if term.negated else "or")


def _tag(term: Term, _: Vocabulary) -> str:
    return f"are {_not(term)}tagged {_quoted(term)}"


def _org(term: Term, _: Vocabulary) -> str:
    return f"{_do_not(term)}belong to an organisation with {_quoted(term)} in its name"


def _joined(term: Term, _: Vocabulary) -> str:
    when = listing([_days(read_span(text)) for text in term.values])
    return f"did not join {when}" if term.negated else f"joined {when}"


def _got(term: Term, _: Vocabulary) -> str:
    editions = listing(term.values)
    return f"did not get edition {editions}" if term.negated else f"got edition {editions}"


def _consent(term: Term, _: Vocabulary) -> str:
    return f"{_do_not(term)}have {_quoted(term)} in their consent record"


_PHRASES: Mapping[Key, Callable[[Term, Vocabulary], str]] = MappingProxyType(
    {
        Key.country: _country,
        Key.sector: _sector,
        Key.language: _language,
        Key.status: _status,
        Key.tag: _tag,
        Key.org: _org,
        Key.joined: _joined,
        Key.got: _got,
        Key.consent: _consent,
    }
)


def _not(term: Term) -> str:
    return "not " if term.negated else ""


def _do_not(term: Term) -> str:
    return "do not " if term.negated else ""


def _quoted(term: Term) -> str:
    return listing([f"“{value}”" for value in term.values])


def _language_name(tag: str) -> str:
    # Late, as in subscribers.country: Babel's locales take their time.
    from babel import Locale, UnknownLocaleError

    language, *rest = tag.split("-")
    parts = [language, *(part.title() if len(part) == 4 else part.upper() for part in rest)]
    name = Locale("en").languages.get("_".join(parts))
    if name is None:
        try:
            name = Locale.parse("-".join(parts), sep="-").get_display_name("en")
        except (UnknownLocaleError, ValueError):
            name = None
    return name or f"“{tag}”"


def _days(span: Span) -> str:
    if span.end is not None:
        return f"from {_period(span.start)} to {_period(span.end)}"
    on = "on" if span.start.first == span.start.last else "in"
    before = {"": on, ">": "after", ">=": f"{on} or after", "<": "before", "<=": f"{on} or before"}
    return f"{before[span.sign]} {_period(span.start)}"


def _period(period: Period) -> str:
    from babel.dates import format_date

    forms = {4: "y", 7: "MMMM y", 10: "d MMMM y"}
    return format_date(period.first, forms[len(period.text)], locale="en")
