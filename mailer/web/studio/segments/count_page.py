"""A number that was not there yet when a page was made: for htmx its place in the page, else a page."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.counts.counters import CountKind, read_request
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute

_ALONE = frozenset({CountKind.segment, CountKind.audience})
"""The numbers that are one line; tables are shown by the pages they are on."""


def show_count(kind: str, page: PageDep) -> Response:
    """Show a number as far as it is known, and have it counted."""
    request = read_request(kind, page.request.query_params)
    if request is None or request.kind not in _ALONE:
        raise HTTPException(404)
    number = page.state.counts.get(request)
    if page.is_fragment:
        return page.render("count.html", number=number)
    return page.render("count_page.html", section="segments", number=number)


ROUTES = (StudioRoute("/counts/{kind}", show_count, GET, Permission.see_partners),)
