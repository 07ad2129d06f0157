"""Signing in at the organisation (OpenID Connect): out to its provider, and back.

Coming back is a GET that signs in, the only one: the protocol knows no other. It needs the ticket in the
cookie of the browser that went out, and each works once, so nobody else's visit to the address does anything.
"""

import hmac
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.openid_provider import (
    Identity,
    IdentityRefusedError,
    OpenIdProvider,
    OtherIdentityError,
    ProviderDownError,
    UnknownIdentityError,
    find_identity_member,
)
from mailer.team.sessions import Ticket, TicketPurpose
from mailer.web.routing import GET
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

_LIFETIME = timedelta(minutes=20)
_DOWN = gettext_noop(
    "The organisation's sign-in does not answer at the moment. Have a link mailed instead, or try again "
    "later."
)
_REFUSED = gettext_noop("The organisation's sign-in did not work. Try again, or have a link mailed.")
_UNKNOWN = gettext_noop(
    "You have signed in at the organisation, but its account belongs to nobody of the team. Ask a manager to "
    "invite the address of that account."
)
_OTHER = gettext_noop(
    "Somebody with this address has signed in with another account before. Have a link mailed, and forget "
    "the old account on your account page."
)


def go_to_organisation(visit: VisitDep) -> Response:
    """Send the browser to the organisation's sign-in. A link and no form: the policy of our pages lets forms
    lead to our own site only, redirects included."""
    provider = _find_provider(visit)
    next_path = check_next_path(visit.request.query_params.get("next", ""))
    try:
        asked = provider.begin(_make_redirect_uri(visit))
    except ProviderDownError:
        return _refuse(visit, _DOWN, status=503, next_path=next_path)
    response = RedirectResponse(asked.url, status_code=303)
    values = {"state": asked.state, "nonce": asked.nonce, "verifier": asked.verifier, "next": next_path}
    set_ticket_cookie(response, visit, TicketPurpose.organisation, values, lifetime=_LIFETIME)
    return response


def come_back(visit: VisitDep) -> Response:
    """Sign in who comes back from the organisation."""
    provider, query = _find_provider(visit), visit.request.query_params
    ticket = read_ticket_cookie(visit, TicketPurpose.organisation)
    if ticket is None or not hmac.compare_digest(
        query.get("state", "").encode(), ticket.values["state"].encode()
    ):
        return _refuse(visit, _REFUSED)
    next_path = ticket.values["next"]
    try:
        if not _use(visit, ticket) or not query.get("code"):
            return _refuse(visit, _REFUSED, next_path=next_path)
        identity = provider.redeem(
            query["code"],
            redirect_uri=_make_redirect_uri(visit),
            verifier=ticket.values["verifier"],
            nonce=ticket.values["nonce"],
            now=visit.state.clock(),
        )
        return _sign_in(visit, identity, next_path)
    except ProviderDownError:
        return _refuse(visit, _DOWN, status=503, next_path=next_path)
    except IdentityRefusedError:
        return _refuse(visit, _REFUSED, next_path=next_path)
    except UnknownIdentityError:
        return _refuse(visit, _UNKNOWN, status=403, next_path=next_path)
    except OtherIdentityError:
        return _refuse(visit, _OTHER, status=403, next_path=next_path)


def _sign_in(visit: Visit, identity: Identity, next_path: str) -> Response:
    settings = visit.settings.studio.oidc
    domains = settings.domains if settings is not None else ()
    with visit.state.write_session() as session:
        member = find_identity_member(session, identity, domains=domains, now=visit.state.clock())
        secret = open_member_session(visit, session, member, SignInMethod.organisation)
    return welcome_member(visit, member, secret, next_path)


def _use(visit: Visit, ticket: Ticket) -> bool:
    with visit.state.write_session() as session:
        return make_limiter(visit, session).use_ticket(ticket.ticket_id)


def _find_provider(visit: Visit) -> OpenIdProvider:
    if visit.state.openid_provider is None:
        raise HTTPException(404)
    return visit.state.openid_provider


def _make_redirect_uri(visit: Visit) -> str:
    return f"{visit.state.address}/sign-in/organisation/back"


def _refuse(visit: Visit, words: str, *, status: int = 422, next_path: str = "") -> Response:
    errors = [("", visit.translator.translate(words))]
    return render_sign_in(visit, status=status, errors=errors, next_path=next_path)


ROUTES = (
    StudioRoute("/sign-in/organisation", go_to_organisation, GET, None),
    StudioRoute("/sign-in/organisation/back", come_back, GET, None),
)
