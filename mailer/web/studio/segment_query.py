"""The query of a segment as a form: boxes to tick, and words to write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from sqlalchemy import Connection
from sqlmodel import Session

from mailer.campaigns.delivery_history import read_segment, vocabulary_of
from mailer.campaigns.uses import make_lookups
from mailer.counts.counters import read_cross_table, request_cross_table
from mailer.i18n import SOURCE_LANGUAGE, gettext_noop
from mailer.web.forms import MAIL_LANGUAGES, list_sectors, own_country_names, own_language_name
from mailer.web.studio.page import StudioPage, Visit
from subscribers.errors import SegmentError, SubscriberError
from subscribers.models import Status
from subscribers.queries import list_import_files, list_tags
from subscribers.segments.description import Vocabulary, describe_segment
from subscribers.segments.filter_fields import read_filter_fields
from subscribers.segments.segment import (
    EVERYONE,
    Segment,
    SegmentFilters,
    read_filters,
    write_filters,
)
from subscribers.segments.terms import IMPORT

QUERY_PARAMETER = "q"
"""The name of the query in the addresses of segments."""
_BOTH_CHANGED = gettext_noop(
    "The query and the filters were both changed. Change one of them; the other follows."
)
_MOST_LETTERS = 4100
"""More than a query may have, so that a longer one is refused, and not shown whole."""
_MOST_COUNTRIES = 40
_MOST_TAGS = 40
_MOST_IMPORTS = 10
_SOURCES = {
    "imported": gettext_noop("Added by the team"),
    "import": gettext_noop("By an import"),
    "subscribed": gettext_noop("By signing up"),
}
_IMPORT = gettext_noop("Import %(number)s: %(file)s")


@dataclass(frozen=True, kw_only=True)
class SegmentQuery:
    """A query as it was written. Either it is understood, and ``segment`` and ``filters`` are what it means
    and ``in_words`` says it, or there is a ``problem``.

    ``errors`` are what is wrong with the form that asks for it: pairs of a field and words. ``from_filters``
    says that its filters were changed, and not its line.
    """

    text: str
    segment: Segment | None = None
    in_words: str = ""
    filters: SegmentFilters | None = None
    problem: SegmentError | None = None
    errors: tuple[tuple[str, str], ...] = ()
    from_filters: bool = False

    @property
    def faults(self) -> list[tuple[str, str]]:
        return [*([(QUERY_PARAMETER, self.problem.reason)] if self.problem else []), *self.errors]

    def refuse(self, words: str) -> Self:
        return replace(self, errors=(*self.errors, (QUERY_PARAMETER, words)))

    @property
    def is_everyone(self) -> bool:
        return self.segment is not None and self.segment.text == EVERYONE

    def narrow(self, condition: str) -> str:
        """Return the text of those in it for whom ``condition`` holds as well."""
        if self.is_everyone:
            return condition
        joined_by_or = self.filters is not None and self.filters.others == f"({self.text.strip()})"
        return f"({self.text.strip()}) {condition}" if joined_by_or else f"{self.text.strip()} {condition}"


def read_query(page: StudioPage, text: str, session: Session | None = None) -> SegmentQuery:
    settings, session = page.settings, session or page.session
    if len(text) > _MOST_LETTERS:
        text = " ".join(text.split())[:_MOST_LETTERS]
    try:
        segment = read_segment(text, settings, session)
        filters = read_filters(text, make_lookups(session.connection(), settings))
    except SegmentError as error:
        return SegmentQuery(text=text, problem=error)
    in_words = page.translator.say(describe_segment(segment, make_vocabulary(page)))
    return SegmentQuery(text=text, segment=segment, in_words=in_words, filters=filters)


def say_segment(visit: Visit, database: Session | Connection, text: str, otherwise: str = "") -> str:
    """Say what a segment means in the language of the page; if it is not valid any more, what was said
    ``otherwise``, or its text."""
    try:
        segment = read_segment(text, visit.settings, database)
    except SubscriberError:
        return otherwise or text
    return visit.translator.say(describe_segment(segment, make_vocabulary(visit)))


def make_vocabulary(visit: Visit) -> Vocabulary:
    """Return the workspace's own names for sectors and countries in the language of the page."""
    translator, settings = visit.translator, visit.settings
    if translator.tag == SOURCE_LANGUAGE:
        return vocabulary_of(settings)
    names = own_country_names(settings)
    return Vocabulary(
        sectors=dict(list_sectors(translator, settings)),
        countries=names.get(translator.tag) or names.get(translator.tag.partition("-")[0]) or {},
        language=translator.tag,
    )


def make_filter_form(page: StudioPage, query: SegmentQuery) -> Mapping[str, Any] | None:
    """Return what the form of filters shows: lists of boxes, each a value, its label and whether it
    is chosen, and texts; None for a query that is not understood."""
    filters = query.filters
    if filters is None:
        return None
    boxes: dict[str, Iterable[tuple[str, str]]] = {
        "statuses": [
            (status.value, page.translate(status.words))
            for status in dict.fromkeys((Status.active, Status.paused, *Status))
        ],
        "countries": [(code, page.name_country(code)) for code in _list_countries(page, filters.countries)],
        "sectors": list_sectors(page.translator, page.settings),
        "languages": [(tag, own_language_name(tag)) for tag in MAIL_LANGUAGES],
        "tags": [(tag, tag) for tag in list_tags(page.session, most=_MOST_TAGS)],
        "sources": _list_sources(page, filters.sources),
    }
    return {
        **{name: _make_choices(named, getattr(filters, name)) for name, named in boxes.items()},
        "organisations": ", ".join(filters.organisations),
        "others": filters.others,
    }


def _make_choices(named: Iterable[tuple[str, str]], chosen: Sequence[str]) -> list[tuple[str, str, bool]]:
    """Return a box for each value that has a name, and for each other that is chosen."""
    labels = dict(named)
    labels |= {value: value for value in chosen if value not in labels}
    return [(value, label, value in chosen) for value, label in labels.items()]


def _list_countries(page: StudioPage, chosen: Sequence[str]) -> list[str]:
    """Return the codes that have a box: the organisation's own countries, those of most partners as far as
    they were counted, and the chosen ones."""
    known = page.state.counts.get(request_cross_table(EVERYONE), patience=0)
    counted = [code for code in read_cross_table(known.value).countries if code] if known.value else []
    codes = list(dict.fromkeys((*page.settings.countries, *counted)))[:_MOST_COUNTRIES]
    return sorted(dict.fromkeys([*codes, *chosen]), key=page.name_country)


def _list_sources(page: StudioPage, chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Return the ways in which partners came that have a box; of imports, the last and the chosen ones."""
    numbers = [int(number[1]) for number in map(IMPORT.fullmatch, chosen) if number]
    return [
        *((value, page.translate(words)) for value, words in _SOURCES.items()),
        *(
            (f"import-{number}", page.translate(_IMPORT, number=number, file=file))
            for number, file in list_import_files(page.session, numbers, most=_MOST_IMPORTS)
        ),
    ]


def read_query_form(page: StudioPage, given: Sequence[tuple[str, str]]) -> SegmentQuery:
    """Read the query that a form or an address asks for: its line, or its filters if those were changed."""
    values = dict(given)
    text, before = values.get(QUERY_PARAMETER, ""), values.get("was", "")
    # While one writes, the page says what was changed: an answer may come after the next change.
    changed = values.get("changed", "")
    from_filters = changed == "filters"
    lookups = make_lookups(page.session.connection(), page.settings)
    line = read_query(page, text)
    if "filters" not in values or changed == "line":
        return line
    try:
        shown = read_filters(before, lookups)
    except SegmentError:
        return line
    wanted, errors = read_filter_fields(given)
    wanted = wanted.keep_order(shown)
    if errors or (wanted == shown and not from_filters):
        return replace(line, errors=tuple(errors))
    if text.strip() != before.strip() and not from_filters:
        return line.refuse(page.translate(_BOTH_CHANGED))
    return replace(read_query(page, write_filters(wanted, lookups)), from_filters=True)
