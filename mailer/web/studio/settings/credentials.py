"""The pages of secrets, and of signing in to a mail provider."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import Response

from locales.phrase import read_error
from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_activity, record_line
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.oauth.grant_store import Grant, GrantStore
from mailer.oauth.login import PendingSignIns, choose_way, end_sign_in
from mailer.oauth.provider import OAuthError, OAuthSignInRequiredError
from mailer.oauth.sign_in import SignIn, list_sign_ins
from mailer.settings.changes.secret_files import (
    find_secret_time,
    is_own_secret,
    remove_secret,
    write_secret,
)
from mailer.settings.changes.secret_places import (
    SecretPlace,
    SecretUse,
    find_secret_place,
    list_secret_places,
)
from mailer.settings.changes.settings_file import read_settings_file
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.fields import find_fault, find_workspace, save_changes
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.text_save import make_line

USE_WORDS: Mapping[SecretUse, str] = MappingProxyType(
    {
        SecretUse.relay: gettext_noop("Password of the relay %(of)s"),
        SecretUse.mailbox: gettext_noop("Password of the mailbox for what comes back"),
        SecretUse.application: gettext_noop("Secret of the application that signs in to %(of)s"),
        SecretUse.team: gettext_noop("Secret of the application by which the team signs in"),
        SecretUse.webhook: gettext_noop("Secret of the webhook %(of)s"),
    }
)
_EMPTY = gettext_noop("Type it here. It must be on one line.")


@dataclass(frozen=True, kw_only=True)
class SecretRow:
    """A secret as the list shows it. ``since`` is when it was put in; None if it is not there. ``elsewhere``
    is its file if that is not in the workspace's folder for them."""

    place: SecretPlace
    title: str
    since: datetime | None
    elsewhere: str


def show_secrets(page: PageDep) -> Response:
    """Show which secrets there are, and since when."""
    rows = [_make_row(page, place) for place in list_secret_places(find_workspace(page).settings)]
    return page.render("settings_secrets.html", section="settings", rows=rows, fault=find_fault(page))


def show_secret(page: PageDep, secret: str) -> Response:
    """Show the form for one secret."""
    return _render_secret(page, _find_secret(page, secret), [])


def keep_secret(page: PageDep, secret: str, form: OwnFormDep) -> Response:
    """Put a secret in, or replace it."""
    place = _find_secret(page, secret)
    require_confirmed(page)
    text = form.get("password")
    if not text.strip() or not text.isprintable():
        return _render_secret(page, place, [("password", page.translator.translate(_EMPTY))])
    root = find_workspace(page).root
    had = place.file is not None and is_own_secret(root, place.file)
    _record_secret(page, place)
    try:
        file = write_secret(root, place.name, text)
        if place.file != file:
            was = {place.path: read_settings_file(root).find(place.path)}
            try:
                save_changes(page, {place.path: str(file)}, was=was)
            except ConfigurationError:
                if not had:
                    remove_secret(root, file)
                raise
    except ConfigurationError as error:
        return _render_secret(page, place, [("", str(error))], status=409)
    return page.redirect("/settings/secrets", Notice.secret_kept)


def delete_secret(page: PageDep, secret: str) -> Response:
    """Remove a secret: its key from the settings, and its file if that is ours."""
    place = _find_secret(page, secret)
    require_confirmed(page)
    root = find_workspace(page).root
    _record_secret(page, place)
    try:
        if place.file is not None:
            save_changes(page, {place.path: None}, was={place.path: str(place.file)})
            remove_secret(root, place.file)
    except ConfigurationError as error:
        return _render_secret(page, place, [("", str(error))], status=409)
    return page.redirect("/settings/secrets", Notice.secret_removed)


def _find_secret(page: StudioPage, name: str) -> SecretPlace:
    place = find_secret_place(find_workspace(page).settings, name)
    if place is None:
        raise HTTPException(404)
    return place


def _record_secret(page: StudioPage, place: SecretPlace) -> None:
    with page.state.write_session() as session:
        record_activity(session, page.actor, Act.changed_secret, subject=place.name, now=page.state.clock())


def _make_row(page: StudioPage, place: SecretPlace) -> SecretRow:
    root = find_workspace(page).root
    is_elsewhere = place.file is not None and not is_own_secret(root, place.file)
    return SecretRow(
        place=place,
        title=page.translator.translate(USE_WORDS[place.use], of=place.of),
        since=find_secret_time(root, place.file),
        elsewhere=str(place.file) if is_elsewhere else "",
    )


def _render_secret(
    page: StudioPage, place: SecretPlace, errors: Sequence[tuple[str, str]], *, status: int | None = None
) -> Response:
    return page.render(
        "settings_secret.html",
        status=(422 if errors else 200) if status is None else status,
        section="settings",
        row=_make_row(page, place),
        errors=errors,
        wrong=dict(errors),
    )


_NOT_YET = gettext_noop(
    "The provider says that nobody has finished yet. Sign in there first, then ask again."
)
_ENDED = gettext_noop("This sign-in has ended. Begin again.")


def show_sign_in(page: PageDep, sign_in: str) -> Response:
    """Show who is signed in to a relay or the mailbox, or what a sign-in that has begun waits for."""
    return _render_sign_in(page, _find_sign_in(page, sign_in), [])


def begin_sign_in(page: PageDep, sign_in: str) -> Response:
    """Begin to sign in."""
    found = _find_sign_in(page, sign_in)
    require_confirmed(page)
    try:
        with _announced(page, found, Act.signed_in_relay) as line:
            grant = _list_pending(page).begin(found, now=page.state.clock())
            _record_grant(page, line, grant)
    except (OAuthError, ConfigurationError) as error:
        return _render_sign_in(page, found, [("", read_error(error))], status=409)
    if grant is not None:
        return page.redirect(f"/settings/sign-ins/{sign_in}", Notice.signed_in_relay)
    return page.redirect(f"/settings/sign-ins/{sign_in}")


def finish_sign_in(page: PageDep, sign_in: str, form: OwnFormDep) -> Response:
    """Ask the provider whether the person has signed in."""
    found = _find_sign_in(page, sign_in)
    require_confirmed(page)
    pending = _list_pending(page).find(found, now=page.state.clock())
    if pending is None:
        return _render_sign_in(page, found, [("", page.translator.translate(_ENDED))])
    try:
        with _announced(page, found, Act.signed_in_relay) as line:
            grant = _list_pending(page).finish(pending, address=form.get("address"), now=page.state.clock())
            _record_grant(page, line, grant)
    except (OAuthError, ConfigurationError) as error:
        return _render_sign_in(page, found, [("address" if pending.request else "", read_error(error))])
    if grant is None:
        return _render_sign_in(page, found, [("", page.translator.translate(_NOT_YET))], status=409)
    return page.redirect(f"/settings/sign-ins/{sign_in}", Notice.signed_in_relay)


def delete_sign_in(page: PageDep, sign_in: str) -> Response:
    """End a sign-in: at the provider, where that is possible, and here."""
    found = _find_sign_in(page, sign_in)
    require_confirmed(page)
    try:
        with _announced(page, found, Act.signed_out_relay) as line:
            done = end_sign_in(found, find_workspace(page).root)
            if done.was_there:
                _record_sign_in(page, line)
    except (OSError, ConfigurationError) as error:
        return _render_sign_in(page, found, [("", read_error(error))], status=409)
    return page.redirect(f"/settings/sign-ins/{sign_in}", Notice.signed_out_relay)


def _list_pending(page: StudioPage) -> PendingSignIns:
    return PendingSignIns(root=find_workspace(page).root)


def _find_sign_in(page: StudioPage, name: str) -> SignIn:
    try:
        found = next((one for one in list_sign_ins(find_workspace(page).settings) if one.name == name), None)
    except ConfigurationError:
        found = None
    if found is None:
        raise HTTPException(404)
    return found


@contextmanager
def _announced(page: StudioPage, found: SignIn, act: Act) -> Iterator[ActivityLine]:
    """Announce the line of a block that may keep a sign-in or end it, and then records the line."""
    line = make_line(page, act, subject=found.name)
    file = GrantStore(root=find_workspace(page).root).find_path(found.name)
    with announce_acts(page.state.workspace, [line], [file]):
        yield line


def _record_grant(page: StudioPage, line: ActivityLine, grant: Grant | None) -> None:
    if grant is not None:
        _record_sign_in(page, replace(line, detail=grant.account))


def _record_sign_in(page: StudioPage, line: ActivityLine) -> None:
    with page.state.write_session() as session:
        record_line(session, line)


def _render_sign_in(
    page: StudioPage, found: SignIn, errors: Sequence[tuple[str, str]], *, status: int | None = None
) -> Response:
    unreadable, grant = "", None
    try:
        grant = GrantStore(root=find_workspace(page).root).read(found.name)
    except (OAuthSignInRequiredError, ConfigurationError) as error:
        unreadable = read_error(error)
    return page.render(
        "settings_sign_in.html",
        status=(422 if errors else 200) if status is None else status,
        section="settings",
        sign_in=found,
        way=choose_way(found).value,
        grant=grant if grant is not None and grant.belongs_to(found) else None,
        unreadable=unreadable,
        pending=_list_pending(page).find(found, now=page.state.clock()),
        errors=errors,
        wrong=dict(errors),
    )
