"""Signing in by passkey."""

from datetime import timedelta
from urllib.parse import urlsplit

from sqlmodel import Session
from starlette.responses import Response

from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.members import Member
from mailer.team.passkeys import (
    PasskeyError,
    PasskeyRequest,
    RelyingParty,
    ask_for_passkey,
    find_passkey_member,
)
from mailer.team.sessions import TicketPurpose
from mailer.web.forms import OwnFormDep
from mailer.web.routing import POST
from mailer.web.studio.page import Visit, VisitDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import (
    check_next_path,
    make_limiter,
    open_member_session,
    read_ticket_cookie,
    render_sign_in,
    set_ticket_cookie,
    welcome_member,
)
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


PASSKEY_REFUSED = gettext_noop("This passkey was not accepted. Try again, or have a link mailed.")
"""What is said of a passkey that was not accepted."""


def give_passkey_options(visit: VisitDep) -> Response:
    """Tell the script what to ask the browser for."""
    return answer_options(visit, TicketPurpose.passkey, ask_for_passkey(find_relying_party(visit.state)))


def sign_in_with_passkey(visit: VisitDep, form: OwnFormDep) -> Response:
    """Sign in with a passkey."""
    next_path = check_next_path(form.get("next"))
    try:
        with visit.state.write_session() as session:
            member = check_passkey(visit, session, form.get("credential"))
            secret = open_member_session(visit, session, member, SignInMethod.passkey)
    except PasskeyError:
        errors = [("", visit.translator.translate(PASSKEY_REFUSED))]
        return render_sign_in(visit, status=422, errors=errors, next_path=next_path)
    return welcome_member(visit, member, secret, next_path)


ROUTES = (
    StudioRoute("/sign-in/passkey/options", give_passkey_options, POST, None),
    StudioRoute("/sign-in/passkey", sign_in_with_passkey, POST, None),
)
