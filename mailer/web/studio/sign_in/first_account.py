"""The first account: the link in the terminal leads to a page that asks for a name and an address."""

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import Actor, record_activity
from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.sign_in_links import LinkState, create_first_member, find_link, use_link
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.page import Visit, VisitDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import (
    find_browser_digest,
    keep_browser_secret,
    open_member_session,
    refuse_address,
    set_browser_cookie,
    welcome_member,
)
from subscribers.address import normalise_address
from subscribers.errors import AddressError

_TEMPLATE = "first_account.html"
_NAME_MISSING = gettext_noop("Write your name, as your colleagues know it.")


def show_first_account(visit: VisitDep, token: str) -> Response:
    """Ask for the name and the address of the first manager."""
    with visit.state.read_session() as session:
        lookup = find_link(session, token, browser_digest=find_browser_digest(visit), now=visit.state.clock())
    if lookup.found is not None and lookup.found.member is not None:
        return visit.redirect(f"/link/{token}")
    if lookup.state is not LinkState.valid:
        return visit.render("first_account_closed.html", status=410)
    secret, _ = keep_browser_secret(visit)
    response = visit.render(_TEMPLATE, name="", email="", errors=[])
    set_browser_cookie(response, visit.state, secret)
    return response


def make_first_account(visit: VisitDep, form: OwnFormDep, token: str) -> Response:
    """Make the first account, and sign it in."""
    name, typed = " ".join(form.get("name").split()), form.get("email").strip()
    try:
        email = normalise_address(typed).email
    except AddressError:
        return refuse_address(visit, _TEMPLATE, name=name, email=typed)
    if not name:
        return _ask_for_name(visit, typed)
    digest, now = find_browser_digest(visit), visit.state.clock()
    with visit.state.write_session() as session:
        link = use_link(session, token, browser_digest=digest, now=now) if digest else None
        if link is not None:
            member = create_first_member(session, link, email=email, name=name, now=now)
            if link.member is None:
                record_activity(session, Actor.from_member(member), Act.joined_team, now=now)
            opened = open_member_session(visit, session, member, SignInMethod.link)
            return welcome_member(visit, member, opened, "/")
    return visit.render("first_account_closed.html", status=410)


def _ask_for_name(visit: Visit, email: str) -> Response:
    errors = [("name", visit.translator.translate(_NAME_MISSING))]
    return visit.render(_TEMPLATE, status=422, name="", email=email, errors=errors)


ROUTES = (
    StudioRoute("/first/{token}", show_first_account, GET, None),
    StudioRoute("/first/{token}", make_first_account, POST, None),
)
