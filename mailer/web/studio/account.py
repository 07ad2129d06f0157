"""The page of a member's own account: words, password, passkeys, sessions, data."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity import deeds
from mailer.activity.deeds import Deed
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
    delete_password,
    find_password,
    find_password_fault,
    store_password,
)
from mailer.team.sessions import (
    TicketPurpose,
    describe_browser,
    end_all_sessions,
    end_own_session,
    list_team_sessions,
)
from mailer.team.sign_in_links import delete_links_of
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.arrival import delete_session_cookie, open_member_session, set_session_cookie
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.sign_in.ways import answer_options, find_relying_party, take_challenge

ROUTES = Routes()

_NAME_MISSING = gettext_noop("Write your name, as your colleagues know it.")
_NOT_MADE = gettext_noop(
    "No passkey was made. Try again, in a browser that runs scripts and knows passkeys, and on a device that "
    "has none of yours yet."
)
_PASSKEY_NAME_MISSING = gettext_noop("Write a name by which you know the device again.")


@ROUTES.get_route("/account", Permission.read)
def show_account(page: PageDep) -> Response:
    return _render(page)


@ROUTES.post_route("/account", Permission.read)
def save_details(page: PageDep, form: OwnFormDep) -> Response:
    name, language = _read_name(form), form.get("language")
    if not name:
        errors = [("name", page.translate(_NAME_MISSING))]
        return _render(page, errors=errors, name="", language=language)
    with page.writing() as session:
        known = language if language in LANGUAGES else ""
        update_own_details(session, page.member.id, name=name, language=known)
    return page.redirect("/account", Notice.account_saved)


def _render(page: StudioPage, **typed: Any) -> Response:
    used_after = page.state.clock() - page.state.session_lifetime
    sessions = list_team_sessions(page.session, page.member.id, used_after=used_after)
    shown = {
        "name": page.member.name,
        "language": page.member.language,
        "languages_to_choose": NATIVE_NAMES.items(),
        "passkeys": list_passkeys(page.session, page.member.id),
        "has_password": find_password(page.session, page.member.id) is not None,
        "organisation_account": find_organisation_account(page.session, page.member.id),
        "sessions": [
            (one, *describe_browser(one.browser), one.id == page.signed_in.session_id) for one in sessions
        ],
    }
    return page.render("account.html", **{**shown, **typed})


def _read_name(form: Form) -> str:
    return " ".join(form.get("name").split())


def _change_sign_in(
    page: StudioPage, deed: Deed, notice: Notice, change: Callable[[Session], object]
) -> Response:
    """Do ``change``, which ends all sessions of the member and every link mailed to them, and go back to the
    account in a new session of this browser."""
    with page.writing() as session:
        change(session)
        page.record(session, deed)
        end_all_sessions(session, page.member.id)
        delete_links_of(session, page.member.id)
        secret = open_member_session(page, session, page.member, page.signed_in.method)
    response = page.redirect("/account", notice)
    set_session_cookie(response, page.state, secret)
    return response


@ROUTES.get_route("/account/password", Permission.read)
def show_password(page: PageDep) -> Response:
    require_confirmed(page)
    return _render_password(page)


@ROUTES.post_route("/account/password", Permission.read)
def change_password(page: PageDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    password, sender = form.get("password"), page.settings.sender
    own = (page.member.name, page.member.email, sender.name, sender.organisation)
    fault = find_password_fault(password, own)
    if fault is not None:
        words = page.translate(fault.words, minimum=MIN_LENGTH, maximum=MAX_LENGTH)
        return _render_password(page, [("password", words)])
    hashed = page.state.passwords.hash(password)
    store = partial(store_password, member_id=page.member.id, hashed=hashed, now=page.state.clock())
    return _change_sign_in(page, deeds.changed_password(), Notice.password_changed, store)


@ROUTES.post_route("/account/password/remove", Permission.read)
def remove_password(page: PageDep) -> Response:
    """Delete the password. Signing in by a link is always possible."""
    require_confirmed(page)
    delete = partial(delete_password, member_id=page.member.id)
    return _change_sign_in(page, deeds.changed_password(), Notice.password_removed, delete)


def _render_password(page: StudioPage, errors: Sequence[tuple[str, str]] = ()) -> Response:
    return page.render("account_password.html", errors=errors, minimum=MIN_LENGTH)


@ROUTES.get_route("/account/passkeys/new", Permission.read)
def show_new_passkey(page: PageDep) -> Response:
    require_confirmed(page)
    return _render_new_passkey(page)


@ROUTES.post_route("/account/passkeys/new", Permission.read)
def save_new_passkey(page: PageDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    name = _read_name(form)
    if not name:
        return _render_new_passkey(page, ("name", page.translate(_PASSKEY_NAME_MISSING)))

    def add(session: Session) -> None:
        challenge = take_challenge(page, session, TicketPurpose.new_passkey)
        party, credential = find_relying_party(page.state), form.get("credential")
        now = page.state.clock()
        add_passkey(session, page.member, credential, challenge, party, name=name, now=now)

    try:
        return _change_sign_in(page, deeds.changed_passkeys(), Notice.passkey_added, add)
    except PasskeyError:
        return _render_new_passkey(page, ("", page.translate(_NOT_MADE)), name)


def _render_new_passkey(page: StudioPage, fault: tuple[str, str] | None = None, name: str = "") -> Response:
    errors = [fault] if fault else []
    return page.render("account_passkey_new.html", errors=errors, name=name)


@ROUTES.post_route("/account/passkeys/new/options", Permission.read)
def give_new_passkey_options(page: PageDep) -> Response:
    require_confirmed(page)
    party, key = find_relying_party(page.state), page.state.workspace.keys.suppression
    asked = ask_for_new_passkey(page.session, page.member, party, key)
    return answer_options(page, TicketPurpose.new_passkey, asked)


@ROUTES.get_route("/account/passkeys/{passkey_id:int}", Permission.read)
def show_passkey(page: PageDep, passkey_id: int) -> Response:
    return _render_passkey(page, passkey_id)


@ROUTES.post_route("/account/passkeys/{passkey_id:int}", Permission.read)
def save_passkey_name(page: PageDep, form: OwnFormDep, passkey_id: int) -> Response:
    name = _read_name(form)
    if not name:
        return _render_passkey(page, passkey_id, [("name", page.translate(_PASSKEY_NAME_MISSING))])
    with page.writing() as session:
        or_404(rename_passkey(session, page.member.id, passkey_id, name))
    return page.redirect("/account", Notice.passkey_renamed)


def _render_passkey(page: StudioPage, passkey_id: int, errors: Sequence[tuple[str, str]] = ()) -> Response:
    own = {one.id: one for one in list_passkeys(page.session, page.member.id)}
    passkey = or_404(own.get(passkey_id))
    return page.render("account_passkey.html", errors=errors, passkey=passkey)


@ROUTES.post_route("/account/passkeys/{passkey_id:int}/remove", Permission.read)
def remove_passkey(page: PageDep, passkey_id: int) -> Response:
    require_confirmed(page)

    def delete(session: Session) -> None:
        or_404(delete_passkey(session, page.member.id, passkey_id))

    return _change_sign_in(page, deeds.changed_passkeys(), Notice.passkey_removed, delete)


@ROUTES.post_route("/account/sessions/{session_id:int}/end", Permission.read)
def end_session(page: PageDep, session_id: int) -> Response:
    """End one session of the member, which may be this one."""
    with page.writing() as session:
        or_404(end_own_session(session, page.member.id, session_id))
    if session_id != page.signed_in.session_id:
        return page.redirect("/account", Notice.session_ended)
    response = page.redirect("/sign-in", Notice.signed_out)
    delete_session_cookie(response, page.state)
    return response


@ROUTES.post_route("/account/sessions/end-others", Permission.read)
def end_other_sessions(page: PageDep) -> Response:
    with page.writing() as session:
        end_all_sessions(session, page.member.id, except_id=page.signed_in.session_id)
    return page.redirect("/account", Notice.other_sessions_ended)


@ROUTES.get_route("/account/data", Permission.read)
def download_data(page: PageDep) -> Response:
    known = export_member_data(page.session, page.member.id)
    return Response(
        json.dumps(known, ensure_ascii=False, indent=2) + "\n",
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="studio-account.json"'},
    )


@ROUTES.post_route("/account/organisation/remove", Permission.read)
def forget_organisation_account(page: PageDep) -> Response:
    require_confirmed(page)
    forget = partial(delete_organisation_account, member_id=page.member.id)
    return _change_sign_in(page, deeds.forgot_account(), Notice.account_forgotten, forget)
