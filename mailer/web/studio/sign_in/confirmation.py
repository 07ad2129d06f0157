"""Proving again who one is, before what nobody should do at somebody else's open screen."""

from datetime import timedelta

from starlette.responses import Response

from mailer.database.engine import open_session
from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.team.members import Permission
from mailer.team.passkeys import PasskeyError, list_passkeys
from mailer.team.passwords import find_password
from mailer.team.sign_in_mails import queue_link
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import (
    check_next_path,
    describe_wait,
    keep_browser_secret,
    make_limiter,
    open_member_session,
    set_browser_cookie,
    welcome_member,
)
from mailer.web.studio.sign_in.by_passkey import PASSKEY_REFUSED, check_passkey
from mailer.web.studio.sign_in.by_password import try_password

CONFIRMED_FOR = timedelta(minutes=10)
"""How long a proof of who one is counts for such acts."""

_TEMPLATE = "confirm.html"
_WRONG_PASSWORD = gettext_noop("This is not your password. Try again, or have a link mailed.")


class ConfirmationRequiredError(Exception):
    """The member has to prove again who they are; the app leads them to the page for it."""


def require_confirmed(page: StudioPage) -> None:
    """Refuse what a member may only do shortly after proving who they are.

    Raises:
        ConfirmationRequiredError: that was more than ten minutes ago.
    """
    if page.state.clock() - page.signed_in.confirmed_at >= CONFIRMED_FOR:
        raise ConfirmationRequiredError


def show_confirmation(page: PageDep) -> Response:
    """Ask the member to prove who they are, in one of the ways they have."""
    return _render(page, check_next_path(page.request.query_params.get("next", "")))


def confirm_with_password(page: PageDep, form: OwnFormDep) -> Response:
    """Prove it with the password."""
    next_path = check_next_path(form.get("next"))
    try:
        member = try_password(page, page.member.email, form.get("password"))
    except TooManyAttemptsError as error:
        words, minutes = describe_wait(page, error)
        response = _render(page, next_path, status=429, errors=[("", words)])
        response.headers["retry-after"] = str(minutes * 60)
        return response
    if member is None:
        words = page.translator.translate(_WRONG_PASSWORD)
        return _render(page, next_path, status=422, errors=[("password", words)])
    with page.state.write_session() as session:
        secret = open_member_session(page, session, page.member, SignInMethod.password)
    return welcome_member(page, page.member, secret, next_path)


def confirm_with_passkey(page: PageDep, form: OwnFormDep) -> Response:
    """Prove it with a passkey of the same member."""
    next_path = check_next_path(form.get("next"))
    try:
        with page.state.write_session() as session:
            member = check_passkey(page, session, form.get("credential"))
            if member.id != page.member.id:
                raise PasskeyError
            secret = open_member_session(page, session, member, SignInMethod.passkey)
    except PasskeyError:
        words = page.translator.translate(PASSKEY_REFUSED)
        return _render(page, next_path, status=422, errors=[("", words)])
    return welcome_member(page, page.member, secret, next_path)


def mail_confirmation_link(page: PageDep, form: OwnFormDep) -> Response:
    """Mail the member a link: it signs them in anew."""
    secret, browser_digest = keep_browser_secret(page)
    with open_session(page.state.engine) as session:
        if make_limiter(page, session, page.member.email).may_mail_link(page.member.email):
            queue_link(
                session,
                page.member.email,
                browser_digest=browser_digest,
                next_path=check_next_path(form.get("next")),
                language=page.translator.tag,
                now=page.state.clock(),
            )
        session.commit()
    page.state.sign_in_mailer.wake()
    response = page.redirect("/sign-in/sent")
    set_browser_cookie(response, page.state, secret)
    return response


def _render(
    page: StudioPage, next_path: str, *, status: int = 200, errors: list[tuple[str, str]] | None = None
) -> Response:
    with page.state.read_session() as session:
        has_password = find_password(session, page.member.id) is not None
        has_passkey = bool(list_passkeys(session, page.member.id))
    return page.render(
        _TEMPLATE,
        status=status,
        errors=errors or [],
        next_path=next_path,
        has_password=has_password,
        has_passkey=has_passkey,
    )


ROUTES = (
    StudioRoute("/confirm", show_confirmation, GET, Permission.read),
    StudioRoute("/confirm", confirm_with_password, POST, Permission.read),
    StudioRoute("/confirm/passkey", confirm_with_passkey, POST, Permission.read),
    StudioRoute("/confirm/link", mail_confirmation_link, POST, Permission.read),
)
