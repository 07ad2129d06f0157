"""Signing in by a link: asking for one, and the page that it opens.

The page answers the same, in the same way, to any address: whether it belongs to a member is found out later,
by who mails the link. Opening a link changes nothing, because mail programs and scanners do; its button does.
"""

from datetime import timedelta

from starlette.responses import Response

from mailer.database.team_models import SignInMethod
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.team.members import list_members
from mailer.team.sessions import TicketPurpose
from mailer.team.sign_in_links import LinkLookup, LinkState, RedeemableLink, find_link, use_link
from mailer.team.sign_in_mails import queue_link
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.page import Visit, VisitDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import (
    check_next_path,
    find_browser_digest,
    keep_browser_secret,
    make_limiter,
    open_member_session,
    read_ticket_cookie,
    refuse_address,
    refuse_too_many,
    render_sign_in,
    set_browser_cookie,
    set_ticket_cookie,
    welcome_member,
)
from subscribers.address import normalise_address
from subscribers.errors import AddressError

_ASKED_LIFETIME = timedelta(minutes=15)
_EMAIL = "email"


def show_sign_in(visit: VisitDep) -> Response:
    """Show the page of signing in; who is signed in goes on to where they were going."""
    next_path = check_next_path(visit.request.query_params.get("next", ""))
    if visit.signed_in is not None:
        return visit.redirect(next_path or "/")
    with visit.state.read_session() as session:
        is_empty = not list_members(session)
    return render_sign_in(visit, next_path=next_path, is_empty=is_empty)


def ask_for_link(visit: VisitDep, form: OwnFormDep) -> Response:
    """Have a link mailed, if there is a member with the address."""
    typed, next_path = form.get("email").strip(), check_next_path(form.get("next"))
    try:
        email = normalise_address(typed).email
    except AddressError:
        return refuse_address(visit, "sign_in.html", email=typed, next_path=next_path)
    secret, browser_digest = keep_browser_secret(visit)
    try:
        with visit.state.write_session() as session:
            limiter = make_limiter(visit, session, email)
            try:
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
    except TooManyAttemptsError as error:
        return refuse_too_many(visit, "sign_in.html", error, email=typed, next_path=next_path)
    visit.state.sign_in_mailer.wake()
    response = visit.redirect("/sign-in/sent")
    set_browser_cookie(response, visit.state, secret)
    set_ticket_cookie(
        response, visit, TicketPurpose.asked, {_EMAIL: email, "next": next_path}, lifetime=_ASKED_LIFETIME
    )
    return response


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


def show_link(visit: VisitDep, token: str) -> Response:
    """Show what a link is for, with the button that uses it."""
    digest = find_browser_digest(visit)
    with visit.state.read_session() as session:
        lookup = find_link(session, token, browser_digest=digest, now=visit.state.clock())
    if lookup.found is None or lookup.found.member is None:
        return _show_dead_link(visit, lookup)
    secret, _ = keep_browser_secret(visit)
    response = visit.render("sign_in_link.html", link=lookup.found, person=lookup.found.member)
    set_browser_cookie(response, visit.state, secret)
    return response


def follow_link(visit: VisitDep, token: str) -> Response:
    """Sign in with a link, and use it up."""
    digest, now = find_browser_digest(visit), visit.state.clock()
    found: RedeemableLink | None = None
    with visit.state.write_session() as session:
        if digest:
            found = use_link(session, token, browser_digest=digest, now=now)
        if found is not None and found.member is not None:
            opened = open_member_session(visit, session, found.member, SignInMethod.link)
            return welcome_member(visit, found.member, opened, found.next_path)
        lookup = find_link(session, token, browser_digest=digest, now=now)
    return _show_dead_link(visit, lookup)


def _show_dead_link(visit: Visit, lookup: LinkLookup) -> Response:
    """Say why a link does not work here, with the form that mails another."""
    asked = read_ticket_cookie(visit, TicketPurpose.asked)
    return visit.render(
        "sign_in_dead_link.html",
        status=410 if lookup.state is LinkState.gone else 403,
        is_other_browser=lookup.state is not LinkState.gone,
        email=asked.values[_EMAIL] if asked is not None else "",
    )


ROUTES = (
    StudioRoute("/sign-in", show_sign_in, GET, None),
    StudioRoute("/sign-in", ask_for_link, POST, None),
    StudioRoute("/sign-in/sent", show_sent, GET, None),
    StudioRoute("/link/{token}", show_link, GET, None),
    StudioRoute("/link/{token}", follow_link, POST, None),
)
