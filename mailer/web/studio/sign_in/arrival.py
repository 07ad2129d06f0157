"""What follows when a visitor has proved who they are: a new session, and the page they wanted."""

from datetime import timedelta

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import Actor, record_activity
from mailer.database.team_models import SignInMethod
from mailer.team.attempt_limits import AttemptLimiter
from mailer.team.invitations import accept_invitation
from mailer.team.members import Member
from mailer.team.sessions import TicketPurpose, end_team_session, open_team_session
from mailer.web.studio.page import Visit
from mailer.web.studio.sign_in.cookies import (
    hash_address,
    read_ticket_cookie,
    set_session_cookie,
    set_ticket_cookie,
)
from mailer.web.studio.sign_in.next_path import check_next_path

_KNOWN_LIFETIME = timedelta(days=365)
_HASH = "address"


def open_member_session(visit: Visit, session: Session, member: Member, method: SignInMethod) -> str:
    """Sign a member in, in place of whoever was signed in with this browser; return the secret for its
    cookie, a new one each time. The caller commits."""
    if visit.signed_in is not None:
        end_team_session(session, visit.signed_in.session_id)
    if accept_invitation(session, member.id):
        record_activity(session, Actor.from_member(member), Act.joined_team, now=visit.state.clock())
    return open_team_session(
        session,
        member.id,
        method,
        browser=visit.request.headers.get("user-agent", ""),
        now=visit.state.clock(),
    )


def welcome_member(visit: Visit, member: Member, secret: str, next_path: str) -> Response:
    """Go on to the page that the member wanted, with the cookies of the session."""
    response = visit.redirect(check_next_path(next_path) or "/")
    set_session_cookie(response, visit.state, secret)
    values = {_HASH: hash_address(visit.state, member.email)}
    set_ticket_cookie(response, visit, TicketPurpose.known, values, lifetime=_KNOWN_LIFETIME)
    return response


def make_limiter(visit: Visit, session: Session, email: str = "") -> AttemptLimiter:
    """Make the limiter of a visitor's attempts to sign in, with ``email`` if they have named one."""
    known = read_ticket_cookie(visit, TicketPurpose.known)
    is_known = known is not None and bool(email) and known.values[_HASH] == hash_address(visit.state, email)
    client = visit.request.client
    return AttemptLimiter(
        connection=session.connection(),
        key=visit.state.workspace.keys.suppression,
        now=visit.state.clock(),
        network=client.host if client is not None else "",
        known_browser=known.ticket_id if known is not None and is_known else "",
    )
