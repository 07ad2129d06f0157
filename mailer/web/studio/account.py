"""The page of a member's own account: words, password, passkeys, sessions, data."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import Actor, record_activity
from mailer.i18n import LANGUAGES, NATIVE_NAMES, gettext_noop
from mailer.team.member_data import export_member_data
from mailer.team.members import Permission, update_own_details
from mailer.team.openid_provider import delete_organisation_account, find_organisation_account
from mailer.team.passkeys import (
    PasskeyError,
    add_passkey,
    ask_for_new_passkey,
    delete_passkey,
    list_passkeys,
    rename_passkey,
)
from mailer.team.passwords import (
    MAX_LENGTH,
    MIN_LENGTH,
    PasswordFault,
    delete_password,
    find_password,
    find_password_fault,
    store_password,
)
from mailer.team.sessions import TicketPurpose, end_all_sessions, end_own_session, list_team_sessions
from mailer.team.sign_in_links import delete_links_of
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.arrival import delete_session_cookie, open_member_session, set_session_cookie
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.sign_in.ways import answer_options, find_relying_party, take_challenge

_BROWSERS = (
    # Each calls itself by the names of others, so the most particular comes first.
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def describe_browser(user_agent: str) -> tuple[str, str]:
    """The names of a browser and of its system; "" for what is not known."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return browser, system


def renew_sessions(page: StudioPage, session: Session, act: Act) -> str:
    """End all sessions of the member and every link mailed to them, because of ``act``, and return the secret
    of a new session for this browser. The caller commits and sets the cookie."""
    record_activity(session, Actor.from_member(page.member), act, now=page.state.clock())
    end_all_sessions(session, page.member.id)
    delete_links_of(session, page.member.id)
    return open_member_session(page, session, page.member, page.signed_in.method)


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


_NOT_MADE = gettext_noop(
    "No passkey was made. Try again, in a browser that runs scripts and knows passkeys, and on a device that "
    "has none of yours yet."
)
_PASSKEY_NAME_MISSING = gettext_noop("Write a name by which you know the device again.")


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
        return _render_new(page, errors=[("name", page.translator.translate(_PASSKEY_NAME_MISSING))])
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
        return _render_one(
            page, passkey_id, errors=[("name", page.translator.translate(_PASSKEY_NAME_MISSING))]
        )
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


def end_session(page: PageDep, session_id: int) -> Response:
    """End one session of the member, which may be this one."""
    with page.state.write_session() as session:
        if not end_own_session(session, page.member.id, session_id):
            raise HTTPException(404)
    if session_id != page.signed_in.session_id:
        return page.redirect("/account", Notice.session_ended)
    response = page.redirect("/sign-in", Notice.signed_out)
    delete_session_cookie(response, page.state)
    return response


def end_other_sessions(page: PageDep) -> Response:
    """End all sessions of the member but this one."""
    with page.state.write_session() as session:
        end_all_sessions(session, page.member.id, except_id=page.signed_in.session_id)
    return page.redirect("/account", Notice.other_sessions_ended)


def download_data(page: PageDep) -> Response:
    """Give the member a copy of what is known about them."""
    with page.state.read_session() as session:
        known = export_member_data(session, page.member.id)
    return Response(
        json.dumps(known, ensure_ascii=False, indent=2) + "\n",
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="studio-account.json"'},
    )


def forget_organisation_account(page: PageDep) -> Response:
    """Forget the member's account at the organisation, and sign them out everywhere else."""
    require_confirmed(page)
    with page.state.write_session() as session:
        delete_organisation_account(session, page.member.id)
        secret = renew_sessions(page, session, Act.forgot_account)
    response = page.redirect("/account", Notice.account_forgotten)
    set_session_cookie(response, page.state, secret)
    return response


ROUTES = (
    StudioRoute("/account", show_account, GET, Permission.read),
    StudioRoute("/account", save_details, POST, Permission.read),
    StudioRoute("/account/password", show_password, GET, Permission.read),
    StudioRoute("/account/password", change_password, POST, Permission.read),
    StudioRoute("/account/password/remove", remove_password, POST, Permission.read),
    StudioRoute("/account/passkeys/new", show_new_passkey, GET, Permission.read),
    StudioRoute("/account/passkeys/new", save_new_passkey, POST, Permission.read),
    StudioRoute("/account/passkeys/new/options", give_new_passkey_options, POST, Permission.read),
    StudioRoute("/account/passkeys/{passkey_id:int}", show_passkey, GET, Permission.read),
    StudioRoute("/account/passkeys/{passkey_id:int}", save_passkey_name, POST, Permission.read),
    StudioRoute("/account/passkeys/{passkey_id:int}/remove", remove_passkey, POST, Permission.read),
    StudioRoute("/account/sessions/{session_id:int}/end", end_session, POST, Permission.read),
    StudioRoute("/account/sessions/end-others", end_other_sessions, POST, Permission.read),
    StudioRoute("/account/data", download_data, GET, Permission.read),
    StudioRoute("/account/organisation/remove", forget_organisation_account, POST, Permission.read),
)
