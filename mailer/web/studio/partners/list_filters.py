"""The filters of the list: what they say as a query, and what of a query they can show."""

from collections.abc import Mapping
from types import MappingProxyType

from subscribers.segments.segment import Segment
from subscribers.segments.terms import Term, TermKey

FILTERS: Mapping[str, TermKey] = MappingProxyType(
    {
        "country": TermKey.country,
        "sector": TermKey.sector,
        "status": TermKey.status,
        "language": TermKey.language,
        "tag": TermKey.tag,
        "organisation": TermKey.org,
        "source": TermKey.consent,
    }
)
"""The fields of the form, and the term that each writes."""


def write_query(fields: Mapping[str, str]) -> str:
    """Write the filters that were filled in as the text of a segment; "" if none was."""
    terms = (
        Term(key=key, values=(value,))
        for name, key in FILTERS.items()
        if (value := fields.get(name, "").strip())
    )
    return " ".join(term.text for term in terms)


def read_filters(segment: Segment) -> dict[str, str] | None:
    """What the filters show of a segment; None if it says more than they can."""
    names = {key: name for name, key in FILTERS.items()}
    shown: dict[str, str] = {}
    for term in segment.terms:
        if not isinstance(term, Term) or term.negated or len(term.values) != 1:
            return None
        name = names.get(term.key)
        if name is None or name in shown:
            return None
        shown[name] = term.values[0]
    return shown
