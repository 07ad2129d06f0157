"""The list of partners: searched, filtered, and read page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session, col, select
from starlette.responses import Response

from mailer.campaigns.audiences.segments import read_segment
from mailer.counts.request import count_segment
from mailer.i18n import gettext_noop
from mailer.team.roles import Permission
from mailer.web.form_options import (
    list_languages,
    list_sectors,
    own_country_names,
    render_country_options,
)
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.partners.labels import STATUS_WORDS, name_country
from mailer.web.studio.partners.list_filters import FILTERS, read_filters, write_query
from mailer.web.studio.routing import StudioRoute
from subscribers.directory.search_order import clean_search
from subscribers.directory.subscriber_list import (
    LOOKED_AT,
    Cursor,
    ListPage,
    ListRequest,
    read_cursor,
    read_list_page,
)
from subscribers.errors import SegmentError
from subscribers.models import ImportBatch, Status, Subscriber
from subscribers.segments.parser import MAX_LENGTH
from subscribers.segments.segment import Segment
from subscribers.segments.terms import TermKey

_MOST_IMPORTS = 30
_IMPORT = gettext_noop("Import %(number)s: %(file)s")
_SOURCES: Sequence[tuple[str, str]] = (
    ("imported", gettext_noop("Added by the team")),
    ("import", gettext_noop("By an import")),
    ("subscribed", gettext_noop("By signing up")),
)
_ON_THE_LIST = "-status:erased,merged"


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the address asks for. ``fault`` is why the query cannot be read."""

    search: str
    query: str
    segment: Segment
    fault: SegmentError | None = None


def show_list(page: PageDep) -> Response:
    """Show the partners that are asked for, 50 at a time."""
    with page.state.read_session() as session:
        asked = _read_asked(page, session)
        found = None if asked.fault is not None else _read_page(page, session, asked)
        is_empty = found is not None and not found.rows and _has_nobody(session)
        sources = _list_sources(page, session)
    return _render(page, asked, found, sources, is_empty=is_empty)


def _read_asked(page: StudioPage, session: Session) -> _Asked:
    given = page.request.query_params
    fields = {name: given.get(name, "")[:300].replace("\0", "") for name in FILTERS}
    query = given.get("query", "")[: MAX_LENGTH + 1].replace("\0", "").strip()
    if any(fields.values()):
        query = write_query(fields)
    search = clean_search(given.get("search", ""))
    everybody = Segment(text="all", terms=())
    try:
        segment = read_segment(query, page.settings, session)
    except SegmentError as error:
        return _Asked(search=search, query=query, segment=everybody, fault=error)
    return _Asked(search=search, query=query, segment=segment)


def _read_page(page: StudioPage, session: Session, asked: _Asked) -> ListPage:
    given = page.request.query_params
    wanted = ListRequest(segment=asked.segment, search=asked.search)
    if (after := read_cursor(given.get("after", ""))) is not None:
        wanted = replace(wanted, after=after)
    elif (before := read_cursor(given.get("before", ""))) is not None:
        wanted = replace(wanted, before=before)
    return read_list_page(session, wanted)


def _has_nobody(session: Session) -> bool:
    return session.exec(select(Subscriber.id).order_by(col(Subscriber.id)).limit(1)).first() is None


def _list_sources(page: StudioPage, session: Session) -> list[tuple[str, str]]:
    """In which ways partners came, and the last imports."""
    translate = page.translator.translate
    batches = select(ImportBatch.id, ImportBatch.source).order_by(col(ImportBatch.id).desc())
    return [
        *((value, translate(words)) for value, words in _SOURCES),
        *(
            (f"import-{number}", translate(_IMPORT, number=number, file=file))
            for number, file in session.exec(batches.limit(_MOST_IMPORTS))
        ),
    ]


def _render(
    page: StudioPage,
    asked: _Asked,
    found: ListPage | None,
    sources: list[tuple[str, str]],
    *,
    is_empty: bool,
) -> Response:
    translator, settings = page.translator, page.settings
    chosen = {} if asked.fault is not None else read_filters(asked.segment)
    rows = [] if found is None else [_describe_row(page, row) for row in found.rows]
    sectors = list_sectors(translator, settings)
    return page.render(
        "partners.html",
        status=422 if asked.fault is not None else 200,
        section="partners",
        search=asked.search,
        query=asked.query,
        errors=_list_errors(asked),
        fault=asked.fault,
        # The query with a caret under the place, as the command line shows it.
        fault_lines="\n".join(str(asked.fault).split("\n")[1:3]),
        chosen=chosen or {},
        says_more=chosen is None,
        rows=rows,
        is_empty=is_empty,
        is_cut=found is not None and found.is_cut,
        looked_at=LOOKED_AT,
        previous=_make_link(page, asked, "before", None if found is None else found.previous),
        next=_make_link(page, asked, "after", None if found is None else found.next),
        number=None if asked.fault is not None or asked.search else page.state.counts.get(_count(asked)),
        sectors=sectors,
        country_options=render_country_options(
            translator, own_country_names(settings), (chosen or {}).get("country", "")
        ),
        statuses=[(status.value, words) for status, (words, _) in STATUS_WORDS.items()],
        languages=list_languages((chosen or {}).get("language", "")),
        sources=sources,
    )


def _list_errors(asked: _Asked) -> list[tuple[str, str]]:
    return [] if asked.fault is None else [("query", asked.fault.reason)]


def _count(asked: _Asked) -> Any:
    """The total of what is listed, which leaves out those who are nobody any more."""
    if asked.segment.asks_about(TermKey.status):
        return count_segment(asked.segment.canonical)
    if not asked.segment.terms:
        return count_segment(_ON_THE_LIST)
    return count_segment(f"({asked.segment.canonical}) {_ON_THE_LIST}")


def _make_link(page: StudioPage, asked: _Asked, way: str, cursor: Cursor | None) -> str:
    if cursor is None:
        return ""
    kept = {name: value for name, value in (("search", asked.search), ("query", asked.query)) if value}
    return page.make_path("/partners", None, **kept, **{way: str(cursor)})


def _describe_row(page: StudioPage, row: Any) -> Mapping[str, Any]:
    words, tone = STATUS_WORDS[row.status]
    names = dict(list_sectors(page.translator, page.settings))
    return {
        "id": row.id,
        "email": row.email,
        "name": row.name,
        "organisation": row.organisation,
        "country": name_country(page.translator, page.settings, row.country),
        "sectors": [(slug, names.get(slug, slug)) for slug in row.sectors],
        "status": words,
        "tone": tone,
        "gets_mail": row.status is Status.active,
    }


ROUTES = (StudioRoute("/partners", show_list, GET, Permission.see_partners),)
