"""Signing out, and the page that ends a sign-in beside another tab."""

from starlette.responses import Response

from mailer.team.sessions import end_team_session
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import VisitDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.cookies import delete_session_cookie


def sign_out(visit: VisitDep) -> Response:
    """End the session of this browser."""
    if visit.signed_in is not None:
        with visit.state.write_session() as session:
            end_team_session(session, visit.signed_in.session_id)
    response = visit.redirect("/sign-in", Notice.signed_out)
    delete_session_cookie(response, visit.state)
    return response


def show_signed_in(visit: VisitDep) -> Response:
    """Tell who signed in beside a page with unsaved words that they can go back to it."""
    if visit.signed_in is None:
        return visit.redirect("/sign-in", next="/signed-in")
    return visit.render("signed_in.html")


ROUTES = (
    StudioRoute("/sign-out", sign_out, POST, None),
    StudioRoute("/signed-in", show_signed_in, GET, None),
)
