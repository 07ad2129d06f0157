"""Ending sessions in other browsers."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.team.members import Permission
from mailer.team.sessions import end_all_sessions, end_own_session
from mailer.web.routing import POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import delete_session_cookie


def end_session(page: PageDep, session_id: int) -> Response:
    """End one session of the member, which may be this one."""
    with page.state.write_session() as session:
        if not end_own_session(session, page.member.id, session_id):
            raise HTTPException(404)
    if session_id != page.signed_in.session_id:
        return page.redirect("/account", Notice.session_ended)
    response = page.redirect("/sign-in", Notice.signed_out)
    delete_session_cookie(response, page.state)
    return response


def end_other_sessions(page: PageDep) -> Response:
    """End all sessions of the member but this one."""
    with page.state.write_session() as session:
        end_all_sessions(session, page.member.id, except_id=page.signed_in.session_id)
    return page.redirect("/account", Notice.other_sessions_ended)


ROUTES = (
    StudioRoute("/account/sessions/{session_id:int}/end", end_session, POST, Permission.read),
    StudioRoute("/account/sessions/end-others", end_other_sessions, POST, Permission.read),
)
