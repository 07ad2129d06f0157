"""The account page, and the form with the member's name and language."""

from starlette.responses import Response

from mailer.i18n import LANGUAGES, NATIVE_NAMES, gettext_noop
from mailer.team.members import Permission, update_own_details
from mailer.team.openid_provider import find_organisation_account
from mailer.team.passkeys import list_passkeys
from mailer.team.passwords import find_password
from mailer.team.sessions import list_team_sessions
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.account.browser_name import describe_browser
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute

_NAME_MISSING = gettext_noop("Write your name, as your colleagues know it.")


def show_account(page: PageDep) -> Response:
    """Show the member's account."""
    return render_account(page)


def save_details(page: PageDep, form: OwnFormDep) -> Response:
    """Save the name and the language of the pages."""
    name, language = " ".join(form.get("name").split()), form.get("language")
    if not name:
        errors = [("name", page.translator.translate(_NAME_MISSING))]
        return render_account(page, errors=errors, name="", language=language)
    with page.state.write_session() as session:
        update_own_details(
            session, page.member.id, name=name, language=language if language in LANGUAGES else ""
        )
    return page.redirect("/account", Notice.account_saved)


def render_account(
    page: StudioPage, *, errors: list[tuple[str, str]] | None = None, **values: object
) -> Response:
    """Render the account page, with what was typed and what is wrong with it."""
    with page.state.read_session() as session:
        shown = {
            "passkeys": list_passkeys(session, page.member.id),
            "has_password": find_password(session, page.member.id) is not None,
            "organisation_account": find_organisation_account(session, page.member.id),
            "sessions": [
                (one, *describe_browser(one.browser), one.id == page.signed_in.session_id)
                for one in list_team_sessions(
                    session,
                    page.member.id,
                    lifetime=page.state.session_lifetime,
                    now=page.state.clock(),
                )
            ],
        }
    usual = {
        "name": page.member.name,
        "language": page.member.language,
        "languages_to_choose": NATIVE_NAMES.items(),
        "passkey_name": "",
        "errors": errors or [],
        "section": "account",
    }
    return page.render("account.html", status=422 if errors else 200, **{**usual, **shown, **values})


ROUTES = (
    StudioRoute("/account", show_account, GET, Permission.read),
    StudioRoute("/account", save_details, POST, Permission.read),
)
