"""The lists of partners and of organisations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.subscriber_history import list_sent_campaigns
from mailer.counts.counters import request_segment
from mailer.team.members import Permission
from mailer.web.forms import list_sectors
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.segment_query import (
    FILTER_NAMES,
    QUERY_PARAMETER,
    FilterForm,
    SegmentQuery,
    WrittenQuery,
    make_filter_form,
    read_query,
    read_query_form,
)
from mailer.web.studio.status_words import DELIVERY_WORDS, STATUS_WORDS
from subscribers.directory import (
    LOOKED_AT,
    MAX_COUNTED,
    PAGE_LENGTH,
    Cursor,
    ListPage,
    clean_search,
    find_organisation,
    list_other_spellings,
    list_people,
    read_cursor,
    read_list_page,
    read_organisation_page,
)
from subscribers.models import Status, Subscriber
from subscribers.queries import read_sectors
from subscribers.segments.parser import MAX_LENGTH
from subscribers.segments.segment import EVERYONE

_QUERY = "query"
"""The name of the query in the address of a page of the list."""


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """Whom the address asks for. ``errors`` are what is wrong with the filters, as a field and words."""

    search: str
    query: SegmentQuery
    form: FilterForm | None
    errors: Sequence[tuple[str, str]] = ()

    @property
    def faults(self) -> list[tuple[str, str]]:
        """All that is wrong: with the filters, or with the query."""
        problem = self.query.problem
        return [*self.errors, *([(QUERY_PARAMETER, problem.reason)] if problem is not None else [])]


def show_list(page: PageDep) -> Response:
    """Show the partners that are asked for, 50 at a time."""
    given = [(name, value.replace("\0", "")) for name, value in page.request.query_params.multi_items()]
    search = clean_search(dict(given).get("search", ""))
    with page.state.read_session() as session:
        written = _read_written(page, session, given)
        if QUERY_PARAMETER in dict(given) and not written.errors:
            # The address of a list is the same, whether it was written or chosen.
            return page.redirect("/partners", None, **_list_asked(search, written.text.strip()))
        query = read_query(page, session, written.text[: MAX_LENGTH + 1])
        form = None if query.filters is None else make_filter_form(page, session, query.filters)
        asked = _Asked(search=search, query=query, form=form, errors=written.errors)
        found = None if asked.faults else _read_page(page, session, asked)
        is_empty = found is not None and not found.rows and _has_nobody(session)
    return _render(page, asked, found, is_empty=is_empty)


def _read_written(page: StudioPage, session: Session, given: Sequence[tuple[str, str]]) -> WrittenQuery:
    """Read the query of the address, of the form, or of filters alone, as in "?tag=press"."""
    values = dict(given)
    if QUERY_PARAMETER in values:
        return read_query_form(page, session, given)
    if _QUERY not in values and any(values.get(name) for name in FILTER_NAMES):
        return read_query_form(page, session, [*given, ("filters", "1"), ("changed", "filters")])
    return WrittenQuery(text=values.get(_QUERY, "").strip())


def _list_asked(search: str, query: str) -> dict[str, str]:
    """The search and the query, for an address."""
    return {name: value for name, value in (("search", search), (_QUERY, query)) if value}


def _read_page(page: StudioPage, session: Session, asked: _Asked) -> ListPage:
    given, segment = page.request.query_params, asked.query.segment
    assert segment is not None  # noqa: S101 - only what is understood is read
    after = read_cursor(given.get("after", ""))
    before = read_cursor(given.get("before", "")) if after is None else None
    return read_list_page(session, segment, search=asked.search, after=after, before=before)


def _has_nobody(session: Session) -> bool:
    return session.exec(select(Subscriber.id).order_by(col(Subscriber.id)).limit(1)).first() is None


def _render(page: StudioPage, asked: _Asked, found: ListPage | None, *, is_empty: bool) -> Response:
    is_counted = not asked.faults and not asked.search
    number = request_segment(asked.query.text.strip() or EVERYONE)
    rows = [] if found is None else [_describe_row(page, row) for row in found.rows]
    return page.render(
        "partners.html",
        status=422 if asked.faults else 200,
        section="partners",
        search=asked.search,
        query=asked.query,
        form=asked.form,
        errors=asked.faults,
        problems=dict(asked.errors),
        rows=rows,
        is_empty=is_empty,
        is_cut=found is not None and found.is_cut,
        looked_at=LOOKED_AT,
        previous=_make_link(page, asked, "before", None if found is None else found.previous),
        next=_make_link(page, asked, "after", None if found is None else found.next),
        number=page.state.counts.get(number) if is_counted else None,
        sectors=_list_followed(page, rows),
    )


def _make_link(page: StudioPage, asked: _Asked, way: str, cursor: Cursor | None) -> str:
    if cursor is None:
        return ""
    kept = _list_asked(asked.search, asked.query.text.strip())
    return page.make_path("/partners", None, **kept, **{way: str(cursor)})


def _describe_row(page: StudioPage, row: Any) -> Mapping[str, Any]:
    words, tone = STATUS_WORDS[row.status]
    names = dict(list_sectors(page.translator, page.settings))
    return {
        "id": row.id,
        "email": row.email,
        "name": row.name,
        "organisation": row.organisation,
        "country": page.name_country(row.country),
        "sectors": [(slug, names.get(slug, slug)) for slug in row.sectors],
        "status": words,
        "tone": tone,
        "gets_mail": row.status is Status.active,
    }


def _list_followed(page: StudioPage, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The sectors of those on the page with their words, in the order of the settings."""
    followed = dict(sector for row in rows for sector in row["sectors"])
    return sorted(followed.items(), key=lambda sector: _find_place(page, sector[0]))


def _find_place(page: StudioPage, slug: str) -> tuple[int, str]:
    known = list(page.settings.sectors)
    return (known.index(slug) if slug in known else len(known), slug)


_MOST_SENT = 200


def show_organisations(page: PageDep) -> Response:
    """Show the organisations on the list, or those that are searched for."""
    given = page.request.query_params
    search = clean_search(given.get("search", ""))
    after = read_cursor(given.get("after", ""))
    with page.state.read_session() as session:
        found = read_organisation_page(session, search, after=after)
    kept = {"search": search} if search else {}
    return page.render(
        "partner_organisations.html",
        section="partners",
        search=search,
        rows=found.rows,
        most=MAX_COUNTED,
        is_cut=found.is_cut,
        looked_at=LOOKED_AT,
        is_later=after is not None,
        first=page.make_path("/partners/organisations", None, **kept),
        next=""
        if found.next is None
        else page.make_path("/partners/organisations", None, **kept, after=str(found.next)),
    )


def show_organisation(page: PageDep, organisation: str) -> Response:
    """Show the people of one organisation, and what they were last sent."""
    after = read_cursor(page.request.query_params.get("after", ""))
    after_id = 0 if after is None else after.subscriber_id
    with page.state.read_session() as session:
        found = find_organisation(session, organisation)
        if found is None:
            raise HTTPException(404)
        people = list_people(session, organisation, after_id=after_id, limit=PAGE_LENGTH + 1)
        shown = people[:PAGE_LENGTH]
        sectors = read_sectors(session, shown)
        sent = list_sent_campaigns(session, [one.id or 0 for one in shown], limit=_MOST_SENT)
        spellings = list_other_spellings(session, organisation)
        latest = {one.subscriber_id: one for one in reversed(sent)}
        names = dict(list_sectors(page.translator, page.settings))
        rows = [
            {
                "partner": one,
                "status": STATUS_WORDS[Status(one.status)],
                "country": page.name_country(one.country),
                "sectors": [(slug, names.get(slug, slug)) for slug in sorted(sectors[one.id or 0])],
                "latest": _describe_latest(latest.get(one.id or 0)),
            }
            for one in shown
        ]
    more = len(people) > PAGE_LENGTH
    return page.render(
        "partner_organisation.html",
        section="partners",
        organisation=found,
        most=MAX_COUNTED,
        rows=rows,
        spellings=spellings,
        is_later=after is not None,
        next="" if not more else f"0-{shown[-1].id}",
    )


def _describe_latest(sent: Any) -> Any:
    return None if sent is None else (sent, *DELIVERY_WORDS[sent.state])


ROUTES = (
    StudioRoute("/partners", show_list, GET, Permission.see_partners),
    StudioRoute("/partners/organisations", show_organisations, GET, Permission.see_partners),
    StudioRoute(
        "/partners/organisations/{organisation:path}", show_organisation, GET, Permission.see_partners
    ),
)
