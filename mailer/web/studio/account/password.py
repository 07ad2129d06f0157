"""Choosing, changing and removing a password."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.team.passwords import (
    MAX_LENGTH,
    MIN_LENGTH,
    PasswordFault,
    delete_password,
    find_password_fault,
    store_password,
)
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.account.renewal import renew_sessions
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import set_session_cookie
from mailer.web.studio.sign_in.confirmation import require_confirmed

_FAULTS: Mapping[PasswordFault, str] = MappingProxyType(
    {
        PasswordFault.too_short: gettext_noop(
            "Use at least %(minimum)s characters. Three or four words that have nothing to do with each "
            "other make a good password."
        ),
        PasswordFault.too_long: gettext_noop("Use at most %(maximum)s characters."),
        PasswordFault.common: gettext_noop(
            "This is one of the first passwords that anybody tries. Choose another."
        ),
        PasswordFault.own_name: gettext_noop("This is made of your name or address. Choose another."),
    }
)


def show_password(page: PageDep) -> Response:
    """Ask for a new password."""
    require_confirmed(page)
    return _render(page)


def change_password(page: PageDep, form: OwnFormDep) -> Response:
    """Keep a new password, and sign the member out everywhere else."""
    require_confirmed(page)
    password = form.get("password")
    sender = page.settings.sender
    fault = find_password_fault(
        password, (page.member.name, page.member.email, sender.name, sender.organisation)
    )
    if fault is not None:
        words = page.translator.translate(_FAULTS[fault], minimum=MIN_LENGTH, maximum=MAX_LENGTH)
        return _render(page, status=422, errors=[("password", words)])
    hashed = page.state.passwords.hash(password)
    with page.state.write_session() as session:
        store_password(session, page.member.id, hashed, now=page.state.clock())
        secret = renew_sessions(page, session, Act.changed_password)
    response = page.redirect("/account", Notice.password_changed)
    set_session_cookie(response, page.state, secret)
    return response


def remove_password(page: PageDep) -> Response:
    """Delete the password. Signing in by a link is always possible."""
    require_confirmed(page)
    with page.state.write_session() as session:
        delete_password(session, page.member.id)
        secret = renew_sessions(page, session, Act.changed_password)
    response = page.redirect("/account", Notice.password_removed)
    set_session_cookie(response, page.state, secret)
    return response


def _render(page: StudioPage, *, status: int = 200, errors: list[tuple[str, str]] | None = None) -> Response:
    return page.render(
        "account_password.html", status=status, errors=errors or [], minimum=MIN_LENGTH, section="account"
    )


ROUTES = (
    StudioRoute("/account/password", show_password, GET, Permission.read),
    StudioRoute("/account/password", change_password, POST, Permission.read),
    StudioRoute("/account/password/remove", remove_password, POST, Permission.read),
)
