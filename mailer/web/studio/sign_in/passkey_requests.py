"""Asking a browser for a passkey: the question for its script, and the answer in a form."""

from datetime import timedelta
from urllib.parse import urlsplit

from sqlmodel import Session
from starlette.responses import Response

from mailer.team.members import Member
from mailer.team.passkeys import PasskeyError, PasskeyRequest, RelyingParty, find_passkey_member
from mailer.team.sessions import TicketPurpose
from mailer.web.studio.page import Visit
from mailer.web.studio.sign_in.arrival import make_limiter
from mailer.web.studio.sign_in.cookies import read_ticket_cookie, set_ticket_cookie
from mailer.web.studio.state import StudioState

# The question is there while the page is open, for browsers that offer passkeys in the address field.
_LIFETIME = timedelta(hours=1)
_CHALLENGE = "challenge"


def find_relying_party(state: StudioState) -> RelyingParty:
    """Who asks: the host that people open Studio at."""
    parts = urlsplit(state.address)
    return RelyingParty(
        host=parts.hostname or "",
        origin=f"{parts.scheme}://{parts.netloc}",
        name=state.workspace.settings.sender.name,
    )


def answer_options(visit: Visit, purpose: TicketPurpose, asked: PasskeyRequest) -> Response:
    """Give the script what it asks the browser, and the browser a ticket with the challenge."""
    response = Response(asked.options, media_type="application/json")
    set_ticket_cookie(response, visit, purpose, {_CHALLENGE: asked.challenge}, lifetime=_LIFETIME)
    return response


def take_challenge(visit: Visit, session: Session, purpose: TicketPurpose) -> str:
    """The challenge that the browser's answer is for; it is used up. The caller commits.

    Raises:
        PasskeyError: there is none, or it was answered before.
    """
    ticket = read_ticket_cookie(visit, purpose)
    if ticket is None or not make_limiter(visit, session).use_ticket(ticket.ticket_id):
        raise PasskeyError
    return ticket.values[_CHALLENGE]


def check_passkey(visit: Visit, session: Session, credential: str) -> Member:
    """Find out whose passkey has answered. The caller commits.

    Raises:
        PasskeyError: nobody's.
    """
    challenge = take_challenge(visit, session, TicketPurpose.passkey)
    return find_passkey_member(
        session,
        credential,
        challenge,
        find_relying_party(visit.state),
        visit.state.workspace.keys.suppression,
        now=visit.state.clock(),
    )
