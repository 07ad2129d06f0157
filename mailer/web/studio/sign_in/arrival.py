"""What all ways of signing in share: cookies, refusals, the way on, and the session that begins."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity import deeds
from mailer.activity.record import Actor, record_activity
from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.attempt_limits import AttemptLimiter, TooManyAttemptsError
from mailer.team.invitations import accept_invitation
from mailer.team.members import Member
from mailer.team.sessions import (
    Ticket,
    TicketPurpose,
    TicketSigner,
    digest_secret,
    end_team_session,
    make_secret,
    open_team_session,
)
from mailer.team.sign_in_mails import queue_link
from mailer.web.studio.page import Visit
from mailer.web.studio.state import StudioState

# The server decides how long a session lasts; browsers keep no cookie for longer than this.
_SESSION_COOKIE_LIFETIME = timedelta(days=400)
_BROWSER_LIFETIME = timedelta(days=8)


# What follows the name of the session's cookie in that of the secret by which a browser is recognised that
# asked for a link. Tickets have their purposes there.
_BROWSER = "browser"
_MAX_LENGTH = 1000
_PLAIN = re.compile(r"/[\x21-\x5b\x5d-\x7e]*")
_KNOWN_LIFETIME = timedelta(days=365)
_HASH = "address"
_BAD_ADDRESS = gettext_noop("Write your email address in full, such as ann@example.org.")
_TOO_MANY = gettext_noop("There were too many attempts. Wait %(minutes)s minutes, or sign in another way.")


def set_session_cookie(response: Response, state: StudioState, secret: str) -> None:
    _set(response, state, state.cookie_name, secret, _SESSION_COOKIE_LIFETIME)


def delete_session_cookie(response: Response, state: StudioState) -> None:
    _set(response, state, state.cookie_name, "", timedelta(0))


def find_browser_digest(visit: Visit) -> str:
    secret = visit.request.cookies.get(_name(visit.state, _BROWSER), "")
    return digest_secret(secret) if secret else ""


def keep_browser_secret(response: Response, visit: Visit) -> str:
    """Keep the browser's own secret in its cookie, a new one if it has none, and return the digest."""
    name = _name(visit.state, _BROWSER)
    secret = visit.request.cookies.get(name, "") or make_secret()
    _set(response, visit.state, name, secret, _BROWSER_LIFETIME)
    return digest_secret(secret)


def set_ticket_cookie(
    response: Response, visit: Visit, purpose: TicketPurpose, values: dict[str, str], *, lifetime: timedelta
) -> None:
    state = visit.state
    ticket = _signer(state).make(purpose, values, lifetime=lifetime, now=state.clock())
    _set(response, state, _name(state, purpose), ticket, lifetime)


def read_ticket_cookie(visit: Visit, purpose: TicketPurpose) -> Ticket | None:
    text = visit.request.cookies.get(_name(visit.state, purpose), "")
    return _signer(visit.state).read(purpose, text, now=visit.state.clock())


def _signer(state: StudioState) -> TicketSigner:
    return TicketSigner(state.workspace.keys.suppression)


def _name(state: StudioState, suffix: str) -> str:
    return f"{state.cookie_name}-{suffix}"


def _set(response: Response, state: StudioState, name: str, value: str, lifetime: timedelta) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        httponly=True,
        secure=state.is_https,
        samesite="lax",
    )


def check_next_path(text: str) -> str:
    """Return ``text`` if it is the path of a page below Studio, with or without a query; "" otherwise."""
    if len(text) > _MAX_LENGTH or text.startswith("//") or not _PLAIN.fullmatch(text):
        return ""
    try:
        path = unquote(urlsplit(text).path)
    except ValueError:
        return ""
    if any(part in {"..", "."} for part in path.split("/")) or "\\" in path:
        return ""
    return text


def open_member_session(visit: Visit, session: Session, member: Member, method: SignInMethod) -> str:
    """Sign a member in, in place of whoever was signed in with this browser; return the secret for its
    cookie, a new one each time. The caller commits."""
    if visit.signed_in is not None:
        end_team_session(session, visit.signed_in.session_id)
    if accept_invitation(session, member.id):
        record_activity(session, Actor.from_member(member), deeds.joined_team(), now=visit.state.clock())
    return open_team_session(
        session,
        member.id,
        method,
        browser=visit.request.headers.get("user-agent", ""),
        now=visit.state.clock(),
    )


def sign_in(visit: Visit, session: Session, member: Member, method: SignInMethod, next_path: str) -> Response:
    """Sign a member in, as :func:`open_member_session` does, and go on to the page that they wanted, with the
    cookies of the session. The caller commits before it gives the answer."""
    secret = open_member_session(visit, session, member, method)
    response = visit.redirect(check_next_path(next_path) or "/")
    set_session_cookie(response, visit.state, secret)
    values = {_HASH: _signer(visit.state).hash_address(member.email)}
    set_ticket_cookie(response, visit, TicketPurpose.known, values, lifetime=_KNOWN_LIFETIME)
    return response


def ask_link(visit: Visit, email: str, next_path: str, *, counts_network: bool) -> Response:
    """Have a link mailed, if there is a member with the address and not too many were asked for, and go on
    to the page that says so. With ``counts_network``, raise TooManyAttemptsError if the network has used its
    attempts up."""
    response = visit.redirect("/sign-in/sent")
    browser_digest = keep_browser_secret(response, visit)
    with visit.state.write_session() as session:
        limiter = make_limiter(visit, session, email)
        try:
            if counts_network:
                limiter.count_network()
            if limiter.may_mail_link(email):
                queue_link(
                    session,
                    email,
                    browser_digest=browser_digest,
                    next_path=next_path,
                    language=visit.translator.tag,
                    now=visit.state.clock(),
                )
        finally:
            session.commit()
    visit.state.sign_in_mailer.wake()
    return response


def make_limiter(visit: Visit, session: Session, email: str = "") -> AttemptLimiter:
    known = read_ticket_cookie(visit, TicketPurpose.known)
    signer, client = _signer(visit.state), visit.request.client
    is_known = known is not None and bool(email) and known.values[_HASH] == signer.hash_address(email)
    return AttemptLimiter(
        connection=session.connection(),
        key=visit.state.workspace.keys.suppression,
        now=visit.state.clock(),
        network=client.host if client is not None else "",
        known_browser=known.ticket_id if known is not None and is_known else "",
    )


def render_sign_in(
    visit: Visit,
    *errors: tuple[str, str],
    template: str = "sign_in.html",
    status: int = 422,
    **values: object,
) -> Response:
    oidc = visit.settings.studio.oidc
    usual = {
        "email": "",
        "next_path": "",
        "errors": errors,
        "is_empty": False,
        "is_mail_stuck": bool(visit.state.sign_in_mailer.problem),
        "organisation_name": "" if oidc is None else oidc.name or visit.settings.sender.organisation,
    }
    return visit.render(template, status=status if errors else 200, **{**usual, **values})


def refuse_address(visit: Visit, **values: Any) -> Response:
    return render_sign_in(visit, ("email", visit.translate(_BAD_ADDRESS)), **values)


def refuse_too_many(visit: Visit, error: TooManyAttemptsError, **values: Any) -> Response:
    wait = max(error.until - visit.state.clock(), timedelta(0))
    minutes = 1 + int(wait.total_seconds()) // 60
    words = visit.translate(_TOO_MANY, minutes=minutes)
    response = render_sign_in(visit, ("", words), status=429, **values)
    response.headers["retry-after"] = str(minutes * 60)
    return response
