"""The ways of signing in: by a link, at the organisation, by a passkey, by a password; the first account.

The page answers the same, in the same way, to any address: whether it belongs to a member is found out later,
by who mails the link. Opening a link changes nothing, because mail programs and scanners do; its button does.
"""

import hmac
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlmodel import Session
from starlette.responses import RedirectResponse, Response

from mailer.activity import deeds
from mailer.activity.record import Actor, record_activity
from mailer.database.engine import open_session
from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.team.members import Member, find_member_by_address, list_members
from mailer.team.openid_provider import (
    IdentityRefusedError,
    OtherIdentityError,
    ProviderDownError,
    UnknownIdentityError,
    find_identity_member,
)
from mailer.team.passkeys import (
    PasskeyError,
    PasskeyRequest,
    RelyingParty,
    ask_for_passkey,
    find_passkey_member,
)
from mailer.team.passwords import find_password, is_outdated, store_password
from mailer.team.sessions import TicketPurpose
from mailer.team.sign_in_links import LinkState, RedeemableLink, create_first_member, find_link, use_link
from mailer.web.forms import OwnFormDep
from mailer.web.studio.page import Visit, VisitDep, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.arrival import (
    ask_link,
    check_next_path,
    find_browser_digest,
    keep_browser_secret,
    make_limiter,
    read_ticket_cookie,
    refuse_address,
    refuse_too_many,
    render_sign_in,
    set_ticket_cookie,
    sign_in,
)
from mailer.web.studio.state import StudioState
from subscribers.address import normalise_address
from subscribers.errors import AddressError

ROUTES = Routes()
_ASKED_LIFETIME = timedelta(minutes=15)
_EMAIL = "email"
_ORGANISATION_LIFETIME = timedelta(minutes=20)
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
# The question is there while the page is open, for browsers that offer passkeys in the address field.
_PASSKEY_LIFETIME = timedelta(hours=1)
_CHALLENGE = "challenge"
PASSKEY_REFUSED = gettext_noop("This passkey was not accepted. Try again, or have a link mailed.")
_BY_PASSWORD = "sign_in_password.html"  # noqa: S105 - a template
_WRONG = gettext_noop(
    "The address or the password is not right. If you have no password, or not any more, have a link mailed."
)
_FIRST_TEMPLATE = "first_account.html"
_NAME_MISSING = gettext_noop("Write your name, as your colleagues know it.")


@ROUTES.get_route("/sign-in", None)
def show_sign_in(visit: VisitDep) -> Response:
    """Show the page of signing in; who is signed in goes on to where they were going."""
    next_path = check_next_path(visit.request.query_params.get("next", ""))
    if visit.signed_in is not None:
        return visit.redirect(next_path or "/")
    with visit.state.read_session() as session:
        is_empty = not list_members(session)
    return render_sign_in(visit, next_path=next_path, is_empty=is_empty)


@ROUTES.post_route("/sign-in", None)
def ask_for_link(visit: VisitDep, form: OwnFormDep) -> Response:
    typed, next_path = form.get("email").strip(), check_next_path(form.get("next"))
    try:
        email = normalise_address(typed).email
        response = ask_link(visit, email, next_path, counts_network=True)
    except AddressError:
        return refuse_address(visit, email=typed, next_path=next_path)
    except TooManyAttemptsError as error:
        return refuse_too_many(visit, error, email=typed, next_path=next_path)
    values = {_EMAIL: email, "next": next_path}
    set_ticket_cookie(response, visit, TicketPurpose.asked, values, lifetime=_ASKED_LIFETIME)
    return response


@ROUTES.get_route("/sign-in/sent", None)
def show_sent(visit: VisitDep) -> Response:
    """Say that a link is on its way, if the address is a member's; and if no mail leaves, that."""
    asked = read_ticket_cookie(visit, TicketPurpose.asked)
    values = asked.values if asked is not None else {}
    return visit.render(
        "sign_in_sent.html",
        email=values.get(_EMAIL, ""),
        next_path=values.get("next", ""),
        is_mail_stuck=bool(visit.state.sign_in_mailer.problem),
    )


@ROUTES.get_route("/link/{token}", None)
def show_link(visit: VisitDep, token: str) -> Response:
    state, found = _look_up(visit, token)
    if found is None or found.member is None:
        return _show_dead_link(visit, state)
    response = visit.render("sign_in_link.html", link=found, person=found.member)
    keep_browser_secret(response, visit)
    return response


@ROUTES.post_route("/link/{token}", None)
def follow_link(visit: VisitDep, token: str) -> Response:
    digest, now = find_browser_digest(visit), visit.state.clock()
    with visit.state.write_session() as session:
        found = use_link(session, token, browser_digest=digest, now=now) if digest else None
        if found is not None and found.member is not None:
            return sign_in(visit, session, found.member, SignInMethod.link, found.next_path)
        state, _ = find_link(session, token, browser_digest=digest, now=now)
    return _show_dead_link(visit, state)


def _look_up(visit: Visit, token: str) -> tuple[LinkState, RedeemableLink | None]:
    with visit.state.read_session() as session:
        return find_link(session, token, browser_digest=find_browser_digest(visit), now=visit.state.clock())


def _show_dead_link(visit: Visit, state: LinkState) -> Response:
    """Say why a link does not work here, with the form that mails another."""
    asked = read_ticket_cookie(visit, TicketPurpose.asked)
    return visit.render(
        "sign_in_dead_link.html",
        status=410 if state is LinkState.gone else 403,
        is_other_browser=state is not LinkState.gone,
        email=asked.values[_EMAIL] if asked is not None else "",
    )


@ROUTES.get_route("/sign-in/organisation", None)
def go_to_organisation(visit: VisitDep) -> Response:
    """Send the browser to the organisation's sign-in (OpenID Connect). A link and no form: the policy of our
    pages lets forms lead to our own site only, redirects included."""
    provider = or_404(visit.state.openid_provider)
    next_path = check_next_path(visit.request.query_params.get("next", ""))
    try:
        asked = provider.begin(_make_redirect_uri(visit))
    except ProviderDownError:
        return _refuse(visit, _DOWN, status=503, next_path=next_path)
    response = RedirectResponse(asked.url, status_code=303)
    values = {"state": asked.state, "nonce": asked.nonce, "verifier": asked.verifier, "next": next_path}
    set_ticket_cookie(response, visit, TicketPurpose.organisation, values, lifetime=_ORGANISATION_LIFETIME)
    return response


@ROUTES.get_route("/sign-in/organisation/back", None)
def come_back(visit: VisitDep) -> Response:
    """Sign in who comes back from the organisation.

    This is a GET that signs in, the only one: the protocol knows no other. It needs the ticket in the cookie
    of the browser that went out, and each works once, so nobody else's visit to the address does anything.
    """
    provider, query = or_404(visit.state.openid_provider), visit.request.query_params
    ticket = read_ticket_cookie(visit, TicketPurpose.organisation)
    if ticket is None or not hmac.compare_digest(
        query.get("state", "").encode(), ticket.values["state"].encode()
    ):
        return _refuse(visit, _REFUSED)
    next_path, oidc = ticket.values["next"], visit.settings.studio.oidc
    try:
        with visit.state.write_session() as session:
            is_unused = make_limiter(visit, session).use_ticket(ticket.ticket_id)
        if not is_unused or not query.get("code"):
            return _refuse(visit, _REFUSED, next_path=next_path)
        identity = provider.redeem(
            query["code"],
            redirect_uri=_make_redirect_uri(visit),
            verifier=ticket.values["verifier"],
            nonce=ticket.values["nonce"],
            now=visit.state.clock(),
        )
        with visit.state.write_session() as session:
            domains = oidc.domains if oidc is not None else ()
            member = find_identity_member(session, identity, domains=domains, now=visit.state.clock())
            return sign_in(visit, session, member, SignInMethod.organisation, next_path)
    except ProviderDownError:
        return _refuse(visit, _DOWN, status=503, next_path=next_path)
    except IdentityRefusedError:
        return _refuse(visit, _REFUSED, next_path=next_path)
    except UnknownIdentityError:
        return _refuse(visit, _UNKNOWN, status=403, next_path=next_path)
    except OtherIdentityError:
        return _refuse(visit, _OTHER, status=403, next_path=next_path)


def _make_redirect_uri(visit: Visit) -> str:
    return f"{visit.state.address}/sign-in/organisation/back"


def _refuse(visit: Visit, words: str, *, status: int = 422, next_path: str = "") -> Response:
    return render_sign_in(visit, ("", visit.translate(words)), status=status, next_path=next_path)


def find_relying_party(state: StudioState) -> RelyingParty:
    parts = urlsplit(state.address)
    return RelyingParty(
        host=parts.hostname or "",
        origin=f"{parts.scheme}://{parts.netloc}",
        name=state.workspace.settings.sender.name,
    )


def answer_options(visit: Visit, purpose: TicketPurpose, asked: PasskeyRequest) -> Response:
    options, challenge = asked
    response = Response(options, media_type="application/json")
    values = {_CHALLENGE: challenge}
    set_ticket_cookie(response, visit, purpose, values, lifetime=_PASSKEY_LIFETIME)
    return response


def take_challenge(visit: Visit, session: Session, purpose: TicketPurpose) -> str:
    """Return the challenge that the browser's answer is for; it is used up. The caller commits. Raise
    PasskeyError if there is none, or it was answered before.
    """
    ticket = read_ticket_cookie(visit, purpose)
    if ticket is None or not make_limiter(visit, session).use_ticket(ticket.ticket_id):
        raise PasskeyError
    return ticket.values[_CHALLENGE]


def check_passkey(visit: Visit, session: Session, credential: str) -> Member:
    """Find out whose passkey has answered. The caller commits. Raise PasskeyError if it is nobody's."""
    state = visit.state
    challenge = take_challenge(visit, session, TicketPurpose.passkey)
    party, key = find_relying_party(state), state.workspace.keys.suppression
    return find_passkey_member(session, credential, challenge, party, key, now=state.clock())


@ROUTES.post_route("/sign-in/passkey/options", None)
def give_passkey_options(visit: VisitDep) -> Response:
    return answer_options(visit, TicketPurpose.passkey, ask_for_passkey(find_relying_party(visit.state)))


@ROUTES.post_route("/sign-in/passkey", None)
def sign_in_with_passkey(visit: VisitDep, form: OwnFormDep) -> Response:
    next_path = check_next_path(form.get("next"))
    try:
        with visit.state.write_session() as session:
            member = check_passkey(visit, session, form.get("credential"))
            return sign_in(visit, session, member, SignInMethod.passkey, next_path)
    except PasskeyError:
        return _refuse(visit, PASSKEY_REFUSED, next_path=next_path)


def try_password(visit: Visit, email: str, password: str) -> Member | None:
    """Return the member with a normalised address if ``password`` is theirs; None if it is not, if they have
    none, and if there is nobody with the address, all in the same time. Raise TooManyAttemptsError if it was
    not tried.
    """
    state = visit.state
    with open_session(state.engine) as session:
        limiter = make_limiter(visit, session, email)
        try:
            limiter.count_network()
            limiter.count_password(email)
        finally:
            # A refused attempt counts, too.
            session.commit()
    with state.read_session() as session:
        member = find_member_by_address(session, email)
        stored = find_password(session, member.id) if member is not None else None
    if not state.passwords.check(password, stored) or member is None or stored is None:
        return None
    hashed = state.passwords.hash(password) if is_outdated(stored) else ""
    with state.write_session() as session:
        make_limiter(visit, session, email).forget_passwords(email)
        if hashed:
            store_password(session, member.id, hashed, now=state.clock())
    return member


@ROUTES.get_route("/sign-in/password", None)
def show_password_form(visit: VisitDep) -> Response:
    next_path = check_next_path(visit.request.query_params.get("next", ""))
    return render_sign_in(visit, template=_BY_PASSWORD, next_path=next_path)


@ROUTES.post_route("/sign-in/password", None)
def sign_in_with_password(visit: VisitDep, form: OwnFormDep) -> Response:
    typed, next_path = form.get("email").strip(), check_next_path(form.get("next"))
    shown: dict[str, Any] = {"template": _BY_PASSWORD, "email": typed, "next_path": next_path}
    try:
        member = try_password(visit, normalise_address(typed).email, form.get("password"))
    except AddressError:
        return refuse_address(visit, **shown)
    except TooManyAttemptsError as error:
        return refuse_too_many(visit, error, **shown)
    if member is None:
        return render_sign_in(visit, ("password", visit.translate(_WRONG)), **shown)
    with visit.state.write_session() as session:
        return sign_in(visit, session, member, SignInMethod.password, next_path)


@ROUTES.get_route("/first/{token}", None)
def show_first_account(visit: VisitDep, token: str) -> Response:
    """Ask for the name and the address of the first manager. The link in the terminal leads here."""
    state, found = _look_up(visit, token)
    if found is not None and found.member is not None:
        return visit.redirect(f"/link/{token}")
    if state is not LinkState.valid:
        return visit.render("first_account_closed.html", status=410)
    response = visit.render(_FIRST_TEMPLATE, name="", email="", errors=[])
    keep_browser_secret(response, visit)
    return response


@ROUTES.post_route("/first/{token}", None)
def make_first_account(visit: VisitDep, form: OwnFormDep, token: str) -> Response:
    name, typed = " ".join(form.get("name").split()), form.get("email").strip()
    try:
        email = normalise_address(typed).email
    except AddressError:
        return refuse_address(visit, template=_FIRST_TEMPLATE, name=name, email=typed)
    if not name:
        errors = [("name", visit.translate(_NAME_MISSING))]
        return visit.render(_FIRST_TEMPLATE, status=422, name="", email=typed, errors=errors)
    digest, now = find_browser_digest(visit), visit.state.clock()
    with visit.state.write_session() as session:
        link = use_link(session, token, browser_digest=digest, now=now) if digest else None
        if link is not None:
            member = create_first_member(session, link, email=email, name=name, now=now)
            if link.member is None:
                record_activity(session, Actor.from_member(member), deeds.joined_team(), now=now)
            return sign_in(visit, session, member, SignInMethod.link, "/")
    return visit.render("first_account_closed.html", status=410)
