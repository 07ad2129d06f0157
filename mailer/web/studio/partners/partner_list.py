"""The lists of partners and of organisations."""

from collections.abc import Sequence

from sqlmodel import col, select
from starlette.responses import Response

from mailer.campaigns.subscriber_history import list_sent_campaigns
from mailer.counts.counters import request_segment
from mailer.team.members import Permission
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import (
    QUERY_PARAMETER,
    SegmentQuery,
    make_filter_form,
    read_query,
    read_query_form,
)
from subscribers.directory import (
    LOOKED_AT,
    MAX_COUNTED,
    PAGE_LENGTH,
    ListPage,
    clean_search,
    find_organisation,
    list_other_spellings,
    list_people,
    read_cursor,
    read_list_page,
    read_organisation_page,
)
from subscribers.models import Subscriber
from subscribers.queries import read_sectors
from subscribers.segments.filter_fields import FILTER_NAMES
from subscribers.segments.segment import EVERYONE

_QUERY = "query"
"""The name of the query in the address of a page of the list."""

_MOST_SENT = 200

ROUTES = Routes()


@ROUTES.get_route("/partners", Permission.see_partners)
def show_list(page: PageDep) -> Response:
    asked = page.request.query_params
    given = [(name, value.replace("\0", "")) for name, value in asked.multi_items()]
    search, query = clean_search(dict(given).get("search", "")), _read_query(page, given)
    text, errors = query.text.strip(), query.faults
    kept = {name: value for name, value in (("search", search), (_QUERY, text)) if value}
    if QUERY_PARAMETER in dict(given) and not query.errors:
        # The address of a list is the same, whether it was written or chosen.
        return page.redirect("/partners", None, **kept)
    found = ListPage[Subscriber]()
    if query.segment is not None and not errors:
        after = read_cursor(asked.get("after", ""))
        before = read_cursor(asked.get("before", "")) if after is None else None
        found = read_list_page(page.session, query.segment, search=search, after=after, before=before)
    anybody = select(Subscriber.id).order_by(col(Subscriber.id)).limit(1)
    is_counted = not errors and not search
    sectors = read_sectors(page.session, found.rows)
    return page.render(
        "partners.html",
        search=search,
        query=query,
        form=make_filter_form(page, query),
        errors=errors,
        wrong=dict(query.errors),
        found=found,
        is_empty=not errors and not found.rows and page.session.exec(anybody).first() is None,
        looked_at=LOOKED_AT,
        previous=page.make_path("/partners", None, **kept, before=str(found.previous)),
        next=page.make_path("/partners", None, **kept, after=str(found.next)),
        number=page.state.counts.get(request_segment(text or EVERYONE)) if is_counted else None,
        sectors=sectors,
        key=[(slug, page.name_sector(slug)) for slug in _order(page, set().union(*sectors.values()))],
    )


def _read_query(page: StudioPage, given: Sequence[tuple[str, str]]) -> SegmentQuery:
    """Read the query of the address, of the form, or of filters alone, as in "?tag=press"."""
    values = dict(given)
    if QUERY_PARAMETER in values:
        return read_query_form(page, given)
    if _QUERY not in values and any(values.get(name) for name in FILTER_NAMES):
        return read_query_form(page, [*given, ("filters", "1"), ("changed", "filters")])
    return read_query(page, values.get(_QUERY, "").strip())


def _order(page: StudioPage, slugs: set[str]) -> list[str]:
    """Put sectors in the order of the settings; those that they do not have come last."""
    known = [slug for slug in page.settings.sectors if slug in slugs]
    return [*known, *sorted(slugs.difference(known))]


@ROUTES.get_route("/partners/organisations", Permission.see_partners)
def show_organisations(page: PageDep) -> Response:
    given = page.request.query_params
    search, after = clean_search(given.get("search", "")), read_cursor(given.get("after", ""))
    found = read_organisation_page(page.session, search, after=after)
    kept = {"search": search} if search else {}
    return page.render(
        "partner_organisations.html",
        search=search,
        found=found,
        most=MAX_COUNTED,
        looked_at=LOOKED_AT,
        is_later=after is not None,
        first=page.make_path("/partners/organisations", None, **kept),
        next=page.make_path("/partners/organisations", None, **kept, after=str(found.next)),
    )


@ROUTES.get_route("/partners/organisations/{organisation:path}", Permission.see_partners)
def show_organisation(page: PageDep, organisation: str) -> Response:
    after, session = read_cursor(page.request.query_params.get("after", "")), page.session
    found = or_404(find_organisation(session, organisation))
    after_id = after.subscriber_id if after else 0
    people = list_people(session, organisation, after_id=after_id, limit=PAGE_LENGTH + 1)
    shown = people[:PAGE_LENGTH]
    sent = list_sent_campaigns(session, [one.id or 0 for one in shown], limit=_MOST_SENT)
    return page.render(
        "partner_organisation.html",
        organisation=found,
        most=MAX_COUNTED,
        people=shown,
        sectors=read_sectors(session, shown),
        latest={one.subscriber_id: one for one in reversed(sent)},
        spellings=list_other_spellings(session, organisation),
        is_later=after is not None,
        next=f"0-{shown[-1].id}" if len(people) > PAGE_LENGTH else "",
    )
