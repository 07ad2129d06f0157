"""Passwords and other secrets: put in, replaced and removed, and never shown again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
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
from mailer.web.studio.settings.settings_save import find_fault, find_workspace, save_changes
from mailer.web.studio.sign_in.confirmation import require_confirmed

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
    return _render(page, _find(page, secret), [])


def keep_secret(page: PageDep, secret: str, form: OwnFormDep) -> Response:
    """Put a secret in, or replace it."""
    place = _find(page, secret)
    require_confirmed(page)
    text = form.get("password")
    if not text.strip() or not text.isprintable():
        return _render(page, place, [("password", page.translator.translate(_EMPTY))])
    root = find_workspace(page).root
    had = place.file is not None and is_own_secret(root, place.file)
    _record(page, place)
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
        return _render(page, place, [("", str(error))], status=409)
    return page.redirect("/settings/secrets", Notice.secret_kept)


def delete_secret(page: PageDep, secret: str) -> Response:
    """Remove a secret: its key from the settings, and its file if that is ours."""
    place = _find(page, secret)
    require_confirmed(page)
    root = find_workspace(page).root
    _record(page, place)
    try:
        if place.file is not None:
            save_changes(page, {place.path: None}, was={place.path: str(place.file)})
            remove_secret(root, place.file)
    except ConfigurationError as error:
        return _render(page, place, [("", str(error))], status=409)
    return page.redirect("/settings/secrets", Notice.secret_removed)


def _find(page: StudioPage, name: str) -> SecretPlace:
    place = find_secret_place(find_workspace(page).settings, name)
    if place is None:
        raise HTTPException(404)
    return place


def _record(page: StudioPage, place: SecretPlace) -> None:
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


def _render(
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
