"""A segment as somebody writes it on a page, or as it is stored: what it means in the language of the page,
or what is wrong and where."""

from dataclasses import dataclass

from sqlalchemy import Connection
from sqlmodel import Session

from mailer.campaigns.delivery_history import read_segment, vocabulary_of
from mailer.campaigns.uses import make_lookups
from mailer.i18n import SOURCE_LANGUAGE
from mailer.web.form_options import list_sectors, own_country_names
from mailer.web.studio.page import StudioPage, Visit
from subscribers.errors import SegmentError, SubscriberError
from subscribers.segments.description import Vocabulary, describe_segment
from subscribers.segments.segment import EVERYONE, Segment, SegmentFilters, read_filters

QUERY_PARAMETER = "q"
"""The name of the query in the addresses of segments."""


@dataclass(frozen=True, kw_only=True)
class QueryProblem:
    """Why a query is not understood. ``line`` is the text, and ``caret`` points at the place from below."""

    reason: str
    line: str
    caret: str


@dataclass(frozen=True, kw_only=True)
class SegmentQuery:
    """A query as it was written. Either it is understood, and ``segment`` and ``filters`` are what it means
    and ``in_words`` says it, or there is a ``problem``."""

    text: str
    segment: Segment | None = None
    in_words: str = ""
    filters: SegmentFilters | None = None
    problem: QueryProblem | None = None

    @property
    def is_everyone(self) -> bool:
        return self.segment is not None and self.segment.text == EVERYONE

    def narrow(self, condition: str) -> str:
        """The text of those in it for whom ``condition`` holds as well."""
        if self.is_everyone:
            return condition
        joined_by_or = self.filters is not None and self.filters.others == f"({self.text.strip()})"
        return f"({self.text.strip()}) {condition}" if joined_by_or else f"{self.text.strip()} {condition}"


def read_query(page: StudioPage, session: Session, text: str) -> SegmentQuery:
    """Understand what somebody wrote, or find out what is wrong with it."""
    settings = page.settings
    try:
        segment = read_segment(text, settings, session)
        filters = read_filters(text, make_lookups(session.connection(), settings))
    except SegmentError as error:
        return SegmentQuery(text=text, problem=_describe_problem(error))
    in_words = page.translator.say(describe_segment(segment, make_vocabulary(page)))
    return SegmentQuery(text=text, segment=segment, in_words=in_words, filters=filters)


def say_segment(visit: Visit, database: Session | Connection, text: str, otherwise: str = "") -> str:
    """What a segment means, in the language of the page. If it is not valid any more, what was said
    ``otherwise``, or its text."""
    try:
        segment = read_segment(text, visit.settings, database)
    except SubscriberError:
        return otherwise or text
    return visit.translator.say(describe_segment(segment, make_vocabulary(visit)))


def make_vocabulary(visit: Visit) -> Vocabulary:
    """The workspace's own names for sectors and countries, in the language of the page."""
    translator, settings = visit.translator, visit.settings
    if translator.tag == SOURCE_LANGUAGE:
        return vocabulary_of(settings)
    names = own_country_names(settings)
    return Vocabulary(
        sectors=dict(list_sectors(translator, settings)),
        countries=names.get(translator.tag) or names.get(translator.tag.partition("-")[0]) or {},
        language=translator.tag,
    )


def _describe_problem(error: SegmentError) -> QueryProblem:
    # As on the command line: an introduction, the query, the caret, and the reason.
    _, line, caret, *_ = str(error).split("\n")
    return QueryProblem(reason=error.reason, line=line[2:], caret=caret[2:])
