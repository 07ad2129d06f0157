"""Signing in by a password, for members who have chosen one."""

from starlette.responses import Response

from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.page import VisitDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import open_member_session, welcome_member
from mailer.web.studio.sign_in.next_path import check_next_path
from mailer.web.studio.sign_in.password_attempt import try_password
from mailer.web.studio.sign_in.refusal import refuse_address, refuse_too_many, render_sign_in
from subscribers.address import normalise_address
from subscribers.errors import AddressError

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
