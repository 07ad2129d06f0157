"""Signing in by a passkey. It is not limited by address: nobody can use up somebody else's attempts."""

from starlette.responses import Response

from mailer.database.team_models import SignInMethod
from mailer.i18n import gettext_noop
from mailer.team.passkeys import PasskeyError, ask_for_passkey
from mailer.team.sessions import TicketPurpose
from mailer.web.forms import OwnFormDep
from mailer.web.routing import POST
from mailer.web.studio.page import VisitDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import open_member_session, welcome_member
from mailer.web.studio.sign_in.next_path import check_next_path
from mailer.web.studio.sign_in.passkey_requests import answer_options, check_passkey, find_relying_party
from mailer.web.studio.sign_in.refusal import render_sign_in

PASSKEY_REFUSED = gettext_noop("This passkey was not accepted. Try again, or have a link mailed.")
"""What is said of a passkey that was not accepted."""


def give_passkey_options(visit: VisitDep) -> Response:
    """Tell the script what to ask the browser for."""
    return answer_options(visit, TicketPurpose.passkey, ask_for_passkey(find_relying_party(visit.state)))


def sign_in_with_passkey(visit: VisitDep, form: OwnFormDep) -> Response:
    """Sign in with a passkey."""
    next_path = check_next_path(form.get("next"))
    try:
        with visit.state.write_session() as session:
            member = check_passkey(visit, session, form.get("credential"))
            secret = open_member_session(visit, session, member, SignInMethod.passkey)
    except PasskeyError:
        errors = [("", visit.translator.translate(PASSKEY_REFUSED))]
        return render_sign_in(visit, status=422, errors=errors, next_path=next_path)
    return welcome_member(visit, member, secret, next_path)


ROUTES = (
    StudioRoute("/sign-in/passkey/options", give_passkey_options, POST, None),
    StudioRoute("/sign-in/passkey", sign_in_with_passkey, POST, None),
)
