"""Adding, renaming and removing passkeys."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.team.passkeys import (
    PasskeyError,
    add_passkey,
    ask_for_new_passkey,
    delete_passkey,
    list_passkeys,
    rename_passkey,
)
from mailer.team.sessions import TicketPurpose
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.account.renewal import renew_sessions
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import set_session_cookie
from mailer.web.studio.sign_in.by_passkey import answer_options, find_relying_party, take_challenge
from mailer.web.studio.sign_in.confirmation import require_confirmed

_NOT_MADE = gettext_noop(
    "No passkey was made. Try again, in a browser that runs scripts and knows passkeys, and on a device that "
    "has none of yours yet."
)
_NAME_MISSING = gettext_noop("Write a name by which you know the device again.")


def show_new_passkey(page: PageDep) -> Response:
    """Ask what the new passkey is to be called."""
    require_confirmed(page)
    return _render_new(page)


def give_new_passkey_options(page: PageDep) -> Response:
    """Tell the script what to ask the browser to make."""
    require_confirmed(page)
    with page.state.read_session() as session:
        asked = ask_for_new_passkey(
            session, page.member, find_relying_party(page.state), page.state.workspace.keys.suppression
        )
    return answer_options(page, TicketPurpose.new_passkey, asked)


def save_new_passkey(page: PageDep, form: OwnFormDep) -> Response:
    """Keep a passkey that the browser has made, and sign the member out everywhere else."""
    require_confirmed(page)
    name = " ".join(form.get("name").split())
    if not name:
        return _render_new(page, errors=[("name", page.translator.translate(_NAME_MISSING))])
    try:
        with page.state.write_session() as session:
            challenge = take_challenge(page, session, TicketPurpose.new_passkey)
            add_passkey(
                session,
                page.member,
                form.get("credential"),
                challenge,
                find_relying_party(page.state),
                name=name,
                now=page.state.clock(),
            )
            secret = renew_sessions(page, session, Act.changed_passkeys)
    except PasskeyError:
        return _render_new(page, errors=[("", page.translator.translate(_NOT_MADE))], name=name)
    response = page.redirect("/account", Notice.passkey_added)
    set_session_cookie(response, page.state, secret)
    return response


def show_passkey(page: PageDep, passkey_id: int) -> Response:
    """Show one passkey, to rename or remove it."""
    return _render_one(page, passkey_id)


def save_passkey_name(page: PageDep, form: OwnFormDep, passkey_id: int) -> Response:
    """Rename a passkey."""
    name = " ".join(form.get("name").split())
    if not name:
        return _render_one(page, passkey_id, errors=[("name", page.translator.translate(_NAME_MISSING))])
    with page.state.write_session() as session:
        if not rename_passkey(session, page.member.id, passkey_id, name):
            raise HTTPException(404)
    return page.redirect("/account", Notice.passkey_renamed)


def remove_passkey(page: PageDep, passkey_id: int) -> Response:
    """Remove a passkey, and sign the member out everywhere else."""
    require_confirmed(page)
    with page.state.write_session() as session:
        if not delete_passkey(session, page.member.id, passkey_id):
            raise HTTPException(404)
        secret = renew_sessions(page, session, Act.changed_passkeys)
    response = page.redirect("/account", Notice.passkey_removed)
    set_session_cookie(response, page.state, secret)
    return response


def _render_new(page: StudioPage, *, errors: list[tuple[str, str]] | None = None, name: str = "") -> Response:
    return page.render(
        "account_passkey_new.html",
        status=422 if errors else 200,
        errors=errors or [],
        name=name,
        section="account",
    )


def _render_one(
    page: StudioPage, passkey_id: int, *, errors: list[tuple[str, str]] | None = None
) -> Response:
    with page.state.read_session() as session:
        own = list_passkeys(session, page.member.id)
    passkey = next((one for one in own if one.id == passkey_id), None)
    if passkey is None:
        raise HTTPException(404)
    return page.render(
        "account_passkey.html",
        status=422 if errors else 200,
        errors=errors or [],
        passkey=passkey,
        section="account",
    )


ROUTES = (
    StudioRoute("/account/passkeys/new", show_new_passkey, GET, Permission.read),
    StudioRoute("/account/passkeys/new", save_new_passkey, POST, Permission.read),
    StudioRoute("/account/passkeys/new/options", give_new_passkey_options, POST, Permission.read),
    StudioRoute("/account/passkeys/{passkey_id:int}", show_passkey, GET, Permission.read),
    StudioRoute("/account/passkeys/{passkey_id:int}", save_passkey_name, POST, Permission.read),
    StudioRoute("/account/passkeys/{passkey_id:int}/remove", remove_passkey, POST, Permission.read),
)
