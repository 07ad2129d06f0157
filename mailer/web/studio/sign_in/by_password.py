"""Signing in by password."""

from starlette.responses import Response

from mailer.database.engine import open_session
from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.team.members import Member, find_member_by_address
from mailer.team.passwords import find_password, is_outdated, store_password
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.page import Visit, VisitDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import (
    check_next_path,
    make_limiter,
    open_member_session,
    refuse_address,
    refuse_too_many,
    render_sign_in,
    welcome_member,
)
from subscribers.address import normalise_address
from subscribers.errors import AddressError


def try_password(visit: Visit, email: str, password: str) -> Member | None:
    """Return the member with a normalised address if ``password`` is theirs; None if it is not, if they have
    none, and if there is nobody with the address, all in the same time.

    Raises:
        TooManyAttemptsError: it was not tried.
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


_TEMPLATE = "sign_in_password.html"
_WRONG = gettext_noop(
    "The address or the password is not right. If you have no password, or not any more, have a link mailed."
)


def show_password_form(visit: VisitDep) -> Response:
    """Ask for the address and the password."""
    next_path = check_next_path(visit.request.query_params.get("next", ""))
    return render_sign_in(visit, _TEMPLATE, next_path=next_path)


def sign_in_with_password(visit: VisitDep, form: OwnFormDep) -> Response:
    """Sign in with a password."""
    typed, next_path = form.get("email").strip(), check_next_path(form.get("next"))
    try:
        email = normalise_address(typed).email
        member = try_password(visit, email, form.get("password"))
    except AddressError:
        return refuse_address(visit, _TEMPLATE, email=typed, next_path=next_path)
    except TooManyAttemptsError as error:
        return refuse_too_many(visit, _TEMPLATE, error, email=typed, next_path=next_path)
    if member is None:
        errors = [("password", visit.translator.translate(_WRONG))]
        return render_sign_in(visit, _TEMPLATE, status=422, errors=errors, email=typed, next_path=next_path)
    with visit.state.write_session() as session:
        secret = open_member_session(visit, session, member, SignInMethod.password)
    return welcome_member(visit, member, secret, next_path)


ROUTES = (
    StudioRoute("/sign-in/password", show_password_form, GET, None),
    StudioRoute("/sign-in/password", sign_in_with_password, POST, None),
)
