"""Organisations: found by a few letters, and the people of one with what they get."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.subscriber_history import list_sent_campaigns
from mailer.team.members import Permission
from mailer.web.form_options import list_sectors
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep
from mailer.web.studio.partners.labels import name_country
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.status_words import DELIVERY_WORDS, STATUS_WORDS
from subscribers.directory import (
    LOOKED_AT,
    MAX_COUNTED,
    PAGE_LENGTH,
    clean_search,
    find_organisation,
    list_other_spellings,
    list_people,
    read_cursor,
    read_organisation_page,
)
from subscribers.models import Status
from subscribers.queries import read_sectors

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
                "country": name_country(page.translator, page.settings, one.country),
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
    StudioRoute("/partners/organisations", show_organisations, GET, Permission.see_partners),
    StudioRoute(
        "/partners/organisations/{organisation:path}", show_organisation, GET, Permission.see_partners
    ),
)
