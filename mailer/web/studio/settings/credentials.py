"""The pages of secrets, and of signing in to a mail provider."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity import deeds
from mailer.activity.act_journal import announce_acts
from mailer.activity.deeds import Deed
from mailer.activity.record import record_line
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.oauth.grant_store import GrantStore
from mailer.oauth.login import PendingSignIns, choose_way, end_sign_in
from mailer.oauth.provider import OAuthError, OAuthSignInRequiredError
from mailer.oauth.sign_in import SignIn, list_sign_ins
from mailer.settings.changes.secret_files import (
    SecretPlace,
    find_secret_place,
    find_secret_time,
    is_own_secret,
    list_secret_places,
    remove_secret,
    write_secret,
)
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.settings.settings_form import SettingsPage, SettingsPageDep
from mailer.web.studio.sign_in.confirmation import require_confirmed

ROUTES = Routes()

_SECRETS = "/settings/secrets"
_SIGN_INS = "/settings/sign-ins"
_EMPTY = gettext_noop("Type it here. It must be on one line.")
_NOT_YET = gettext_noop(
    "The provider says that nobody has finished yet. Sign in there first, then ask again."
)
_ENDED = gettext_noop("This sign-in has ended. Begin again.")


def _open_secret(page: SettingsPageDep, secret: str) -> SecretPlace:
    return or_404(find_secret_place(page.workspace.settings, secret))


SecretDep = Annotated[SecretPlace, Depends(_open_secret)]


@ROUTES.get_route(_SECRETS, Permission.manage)
def show_secrets(page: SettingsPageDep) -> Response:
    rows = [_describe(page, place) for place in list_secret_places(page.workspace.settings)]
    return page.render("settings_secrets.html", rows=rows)


@ROUTES.get_route(f"{_SECRETS}/{{secret}}", Permission.manage)
def show_secret(page: SettingsPageDep, place: SecretDep) -> Response:
    return _render_secret(page, place)


@ROUTES.post_route(f"{_SECRETS}/{{secret}}", Permission.manage)
def keep_secret(page: SettingsPageDep, place: SecretDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    text = form.get("password")
    if not text.strip() or not text.isprintable():
        return _render_secret(page, place, ("password", page.translate(_EMPTY)), 422)
    root = page.workspace.root
    had = place.file is not None and is_own_secret(root, place.file)
    _record_secret(page, place)
    try:
        file = write_secret(root, place.name, text)
        if place.file != file:
            was = {place.path: page.find(*place.path)}
            try:
                page.save({place.path: str(file)}, was=was)
            except ConfigurationError:
                if not had:
                    remove_secret(root, file)
                raise
    except ConfigurationError as error:
        return _render_secret(page, place, ("", str(error)), 409)
    return page.redirect(_SECRETS, Notice.secret_kept)


@ROUTES.post_route(f"{_SECRETS}/{{secret}}/remove", Permission.manage)
def delete_secret(page: SettingsPageDep, place: SecretDep) -> Response:
    require_confirmed(page)
    _record_secret(page, place)
    try:
        if place.file is not None:
            page.save({place.path: None}, was={place.path: str(place.file)})
            remove_secret(page.workspace.root, place.file)
    except ConfigurationError as error:
        return _render_secret(page, place, ("", str(error)), 409)
    return page.redirect(_SECRETS, Notice.secret_removed)


def _record_secret(page: SettingsPage, place: SecretPlace) -> None:
    with page.writing() as session:
        page.record(session, deeds.changed_secret(place.name))


def _describe(page: SettingsPage, place: SecretPlace) -> Mapping[str, Any]:
    """What pages show of a secret. ``since`` is when it was put in; None if it is not there. ``elsewhere`` is
    its file if that is not in the workspace's folder for them."""
    root = page.workspace.root
    is_elsewhere = place.file is not None and not is_own_secret(root, place.file)
    return {
        "place": place,
        "title": page.translate(place.use.words, of=place.of),
        "since": find_secret_time(root, place.file),
        "elsewhere": str(place.file) if is_elsewhere else "",
    }


def _render_secret(
    page: SettingsPage, place: SecretPlace, fault: tuple[str, str] | None = None, status: int = 200
) -> Response:
    errors = [fault] if fault else []
    return page.render("settings_secret.html", status=status, row=_describe(page, place), errors=errors)


def _open_sign_in(page: SettingsPageDep, sign_in: str) -> SignIn:
    try:
        known = {one.name: one for one in list_sign_ins(page.workspace.settings)}
    except ConfigurationError:
        known = {}
    return or_404(known.get(sign_in))


SignInDep = Annotated[SignIn, Depends(_open_sign_in)]


@ROUTES.get_route(f"{_SIGN_INS}/{{sign_in}}", Permission.manage)
def show_sign_in(page: SettingsPageDep, found: SignInDep) -> Response:
    return _render_sign_in(page, found)


@ROUTES.post_route(f"{_SIGN_INS}/{{sign_in}}", Permission.manage)
def begin_sign_in(page: SettingsPageDep, found: SignInDep) -> Response:
    require_confirmed(page)
    try:
        with _announced(page, found, deeds.signed_in_relay(found.name)) as record:
            grant = _list_pending(page).begin(found, now=page.state.clock())
            if grant is not None:
                record(deeds.signed_in_relay(found.name, grant.account))
    except (OAuthError, ConfigurationError) as error:
        return _render_sign_in(page, found, ("", read_error(error)), 409)
    return page.redirect(f"{_SIGN_INS}/{found.name}", Notice.signed_in_relay if grant is not None else None)


@ROUTES.post_route(f"{_SIGN_INS}/{{sign_in}}/finish", Permission.manage)
def finish_sign_in(page: SettingsPageDep, found: SignInDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    pending = _list_pending(page).find(found, now=page.state.clock())
    if pending is None:
        return _render_sign_in(page, found, ("", page.translate(_ENDED)), 422)
    try:
        with _announced(page, found, deeds.signed_in_relay(found.name)) as record:
            grant = _list_pending(page).finish(pending, address=form.get("address"), now=page.state.clock())
            if grant is not None:
                record(deeds.signed_in_relay(found.name, grant.account))
    except (OAuthError, ConfigurationError) as error:
        return _render_sign_in(page, found, ("address" if pending.request else "", read_error(error)), 422)
    if grant is None:
        return _render_sign_in(page, found, ("", page.translate(_NOT_YET)), 409)
    return page.redirect(f"{_SIGN_INS}/{found.name}", Notice.signed_in_relay)


@ROUTES.post_route(f"{_SIGN_INS}/{{sign_in}}/remove", Permission.manage)
def delete_sign_in(page: SettingsPageDep, found: SignInDep) -> Response:
    """End a sign-in: at the provider, where that is possible, and here."""
    require_confirmed(page)
    try:
        deed = deeds.signed_out_relay(found.name)
        with _announced(page, found, deed) as record:
            if end_sign_in(found, page.workspace.root).was_there:
                record(deed)
    except (OSError, ConfigurationError) as error:
        return _render_sign_in(page, found, ("", read_error(error)), 409)
    return page.redirect(f"{_SIGN_INS}/{found.name}", Notice.signed_out_relay)


def _list_pending(page: SettingsPage) -> PendingSignIns:
    return PendingSignIns(root=page.workspace.root)


@contextmanager
def _announced(page: SettingsPage, found: SignIn, deed: Deed) -> Iterator[Callable[[Deed], None]]:
    """Announce the line of a block that may keep a sign-in or end it. If so, the block records it by what it
    is given, with all that is known then."""
    line = page.make_line(deed)
    file = GrantStore(root=page.workspace.root).find_path(found.name)

    def record(done: Deed) -> None:
        with page.writing() as session:
            record_line(session, replace(line, deed=done))

    with announce_acts(page.state.workspace, [line], [file]):
        yield record


def _render_sign_in(
    page: SettingsPage, found: SignIn, fault: tuple[str, str] | None = None, status: int = 200
) -> Response:
    unreadable, grant = "", None
    try:
        grant = GrantStore(root=page.workspace.root).read(found.name)
    except (OAuthSignInRequiredError, ConfigurationError) as error:
        unreadable = read_error(error)
    return page.render(
        "settings_sign_in.html",
        status=status,
        sign_in=found,
        way=choose_way(found).value,
        grant=grant if grant is not None and grant.belongs_to(found) else None,
        unreadable=unreadable,
        pending=_list_pending(page).find(found, now=page.state.clock()),
        errors=[fault] if fault else [],
    )
