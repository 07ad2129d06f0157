"""The pages of signing in, shown again with what was wrong and what was typed."""

from datetime import timedelta

from starlette.responses import Response

from mailer.i18n import gettext_noop
from mailer.team.attempt_limits import TooManyAttemptsError
from mailer.web.studio.page import Visit

_BAD_ADDRESS = gettext_noop("Write your email address in full, such as ann@example.org.")
_TOO_MANY = gettext_noop("There were too many attempts. Wait %(minutes)s minutes, or sign in another way.")


def render_sign_in(
    visit: Visit, template: str = "sign_in.html", *, status: int = 200, **values: object
) -> Response:
    """Render a page of signing in, with the ways there are."""
    usual = {
        "email": "",
        "next_path": "",
        "errors": [],
        "is_empty": False,
        "is_mail_stuck": bool(visit.state.sign_in_mailer.problem),
        "organisation_name": _name_organisation(visit),
    }
    return visit.render(template, status=status, **{**usual, **values})


def _name_organisation(visit: Visit) -> str:
    """What the button of the organisation's sign-in calls it; "" if there is none."""
    oidc = visit.settings.studio.oidc
    return "" if oidc is None else oidc.name or visit.settings.sender.organisation


def refuse_address(visit: Visit, template: str, **values: object) -> Response:
    """Say that what was typed is no address."""
    errors = [("email", visit.translator.translate(_BAD_ADDRESS))]
    return render_sign_in(visit, template, status=422, errors=errors, **values)


def refuse_too_many(visit: Visit, template: str, error: TooManyAttemptsError, **values: object) -> Response:
    """Say that there were too many attempts, and until when that counts."""
    words, minutes = describe_wait(visit, error)
    response = render_sign_in(visit, template, status=429, errors=[("", words)], **values)
    response.headers["retry-after"] = str(minutes * 60)
    return response


def describe_wait(visit: Visit, error: TooManyAttemptsError) -> tuple[str, int]:
    """Say how long to wait after too many attempts: in words, and in minutes."""
    wait = max(error.until - visit.state.clock(), timedelta(0))
    minutes = 1 + int(wait.total_seconds()) // 60
    return visit.translator.translate(_TOO_MANY, minutes=minutes), minutes
