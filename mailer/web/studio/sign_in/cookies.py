"""The cookies of signing in: beside the session's, a few with a secret or a ticket of the browser."""

from datetime import timedelta
from enum import StrEnum

from starlette.responses import Response

from mailer.team.sessions import Ticket, TicketPurpose, TicketSigner, digest_secret, make_secret
from mailer.web.studio.page import Visit
from mailer.web.studio.state import StudioState

# The server decides how long a session lasts; browsers keep no cookie for longer than this.
_SESSION_COOKIE_LIFETIME = timedelta(days=400)
_BROWSER_LIFETIME = timedelta(days=8)


class _Suffix(StrEnum):
    """What follows the name of the session's cookie in the names of the others."""

    browser = "browser"
    """The secret by which a browser is recognised that asked for a link."""


def set_session_cookie(response: Response, state: StudioState, secret: str) -> None:
    """Keep the secret of a session in the browser."""
    _set(response, state, state.cookie_name, secret, _SESSION_COOKIE_LIFETIME)


def delete_session_cookie(response: Response, state: StudioState) -> None:
    """Let the browser forget the secret of its session."""
    _set(response, state, state.cookie_name, "", timedelta(0))


def find_browser_digest(visit: Visit) -> str:
    """The digest of the browser's own secret; "" if it has none yet."""
    secret = visit.request.cookies.get(_name(visit.state, _Suffix.browser), "")
    return digest_secret(secret) if secret else ""


def keep_browser_secret(visit: Visit) -> tuple[str, str]:
    """The browser's own secret and its digest; a new one if it has none. The caller sets the cookie."""
    secret = visit.request.cookies.get(_name(visit.state, _Suffix.browser), "") or make_secret()
    return secret, digest_secret(secret)


def set_browser_cookie(response: Response, state: StudioState, secret: str) -> None:
    """Keep the browser's own secret."""
    _set(response, state, _name(state, _Suffix.browser), secret, _BROWSER_LIFETIME)


def set_ticket_cookie(
    response: Response, visit: Visit, purpose: TicketPurpose, values: dict[str, str], *, lifetime: timedelta
) -> None:
    """Give the browser a ticket."""
    state = visit.state
    ticket = _signer(state).make(purpose, values, lifetime=lifetime, now=state.clock())
    _set(response, state, _name(state, purpose), ticket, lifetime)


def read_ticket_cookie(visit: Visit, purpose: TicketPurpose) -> Ticket | None:
    """Read the browser's ticket for ``purpose``; None if it has none that is valid."""
    text = visit.request.cookies.get(_name(visit.state, purpose), "")
    return _signer(visit.state).read(purpose, text, now=visit.state.clock())


def delete_ticket_cookie(response: Response, state: StudioState, purpose: TicketPurpose) -> None:
    """Let the browser forget a ticket."""
    _set(response, state, _name(state, purpose), "", timedelta(0))


def hash_address(state: StudioState, email: str) -> str:
    """The keyed hash by which a browser's ticket knows an address."""
    return _signer(state).hash_address(email)


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
