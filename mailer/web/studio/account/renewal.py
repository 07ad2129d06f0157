"""What follows a change of how somebody signs in: they are signed out everywhere but here."""

from sqlmodel import Session

from mailer.activity.acts import Act
from mailer.activity.record import Actor, record_activity
from mailer.team.sessions import end_all_sessions
from mailer.team.sign_in_links import delete_links_of
from mailer.web.studio.page import StudioPage
from mailer.web.studio.sign_in.arrival import open_member_session


def renew_sessions(page: StudioPage, session: Session, act: Act) -> str:
    """End all sessions of the member and every link mailed to them, because of ``act``, and return the secret
    of a new session for this browser. The caller commits and sets the cookie."""
    record_activity(session, Actor.from_member(page.member), act, now=page.state.clock())
    end_all_sessions(session, page.member.id)
    delete_links_of(session, page.member.id)
    return open_member_session(page, session, page.member, page.signed_in.method)
