"""The relays: which there are, the settings of one, another one, and one less."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.oauth.sign_in import find_relay_oauth
from mailer.settings import SETTINGS_FILE, InvalidSettingsError, RelaySettings
from mailer.settings.changes.relay_changes import add_relay, find_relay_path, remove_relay
from mailer.settings.changes.secret_files import remove_secret
from mailer.settings.changes.secret_places import find_secret_place
from mailer.settings.changes.setting import Setting, describe_model, list_settings
from mailer.settings.changes.settings_file import read_settings_file
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.field_form import Errors, FieldForm
from mailer.web.studio.settings.fields import Field
from mailer.web.studio.settings.relay_summary import (
    find_relay,
    hide_password,
    list_relay_summaries,
    summarise_relay,
)
from mailer.web.studio.settings.settings_save import find_fault, find_workspace, save_changes
from mailer.web.studio.settings.words import find_words, list_choices
from mailer.web.studio.sign_in.confirmation import require_confirmed

_KEYS = ("url", "starttls", "priority", "weight", "rate", "messages_per_connection", "sending_addresses")
"""What a person sets of a relay, in this order; then the tables."""

_TABLES = ("oauth", "warm_up")
_BAD_NAME = gettext_noop("Write small letters, digits and hyphens, such as backup.")
_TAKEN_NAME = gettext_noop("There is a relay of this name already. Choose another name.")
_BAD_ADDRESS = gettext_noop(
    "Write the address as smtp://host:587, smtps://host:465, or with the user who logs in: "
    "smtp://user@host:587."
)
_PASSWORD_IN_ADDRESS = gettext_noop(
    "Leave the password out of the address. You can put it in when the relay is there."
)


def show_relays(page: PageDep) -> Response:
    """Show all relays."""
    relays, errors = [], []
    try:
        relays = list_relay_summaries(find_workspace(page))
    except ConfigurationError as error:
        errors.append(("", str(error)))
    return page.render(
        "settings_relays.html", section="settings", relays=relays, errors=errors, fault=find_fault(page)
    )


def show_relay(page: PageDep, relay: str) -> Response:
    """Show one relay with its settings."""
    return make_relay_form(page, open_relay(page, relay)).open()


def save_relay(page: PageDep, relay: str, form: OwnFormDep) -> Response:
    """Save what was changed of a relay."""
    found = make_relay_form(page, open_relay(page, relay))
    require_confirmed(page)
    return found.save(form)


def make_relay_form(
    page: StudioPage, relay: RelaySettings, found: Mapping[str, object] = MappingProxyType({})
) -> FieldForm:
    """The form of a relay; ``found`` is what trying it has found."""
    path = _find_path(page, relay.name)
    return FieldForm(
        page=page,
        settings=list_relay_settings(path) if path else (),
        show=lambda fields, errors, status: _render(page, relay, fields, errors, status, found),
        path=f"/settings/relays/{relay.name}",
        check=lambda sent: _find_faults(page, sent),
        # The numbers of relays change when one goes: it is still this one.
        was={(*path, "name"): relay.name} if path and len(path) > 1 else {},
    )


def show_new_relay(page: PageDep) -> Response:
    """Show the form for another relay."""
    return _render_new(page, "", "", [])


def create_relay(page: PageDep, form: OwnFormDep) -> Response:
    """Add another relay."""
    require_confirmed(page)
    name, url = form.get("name").strip(), form.get("url").strip()
    try:
        file = read_settings_file(find_workspace(page).root)
        errors = []
        if (
            find_relay(find_workspace(page).settings, name) is not None
            or find_relay_path(file, name) is not None
        ):
            errors.append(("name", page.translator.translate(_TAKEN_NAME)))
        if fault := _find_address_fault(url):
            errors.append(("url", page.translator.translate(fault)))
        if errors:
            return _render_new(page, name, url, errors)
        changes, was = add_relay(file, name, url)
        save_changes(page, changes, was=was)
    except InvalidSettingsError as error:
        is_name = any(fault.place[-1:] == ("name",) for fault in error.faults)
        words = ("name", page.translator.translate(_BAD_NAME)) if is_name else ("", str(error))
        return _render_new(page, name, url, [words])
    except ConfigurationError as error:
        return _render_new(page, name, url, [("", str(error))], status=409)
    return page.redirect(f"/settings/relays/{name}", Notice.settings_saved)


def delete_relay(page: PageDep, relay: str) -> Response:
    """Take a relay out of the list, with its password if we keep it."""
    found = open_relay(page, relay)
    require_confirmed(page)
    workspace = find_workspace(page)
    secret = find_secret_place(workspace.settings, f"relay-{relay}")
    try:
        file = read_settings_file(workspace.root)
        path = find_relay_path(file, relay)
        if path is None or len(path) == 1:
            raise HTTPException(404)
        changes, was = remove_relay(file, relay)
        save_changes(page, changes, was=was)
    except ConfigurationError as error:
        return _render(page, found, [], [("", str(error))], 409, {})
    if secret is not None:
        remove_secret(workspace.root, secret.file)
    return page.redirect("/settings/relays", Notice.relay_removed)


def open_relay(page: StudioPage, name: str) -> RelaySettings:
    """The relay of a page.

    Raises:
        HTTPException: 404, there is none of this name.
    """
    try:
        found = find_relay(find_workspace(page).settings, name)
    except ConfigurationError:
        found = None
    if found is None:
        raise HTTPException(404)
    return found


def list_relay_settings(path: TomlPath) -> tuple[Setting, ...]:
    """What can be set of the relay at ``path``: what people look for first, then the tables."""
    known = list_settings("smtp") if len(path) == 1 else describe_model(path, RelaySettings)
    by_key = {one.path[len(path) :]: one for one in known}
    chosen = [by_key[(key,)] for key in _KEYS if (key,) in by_key]
    return (*chosen, *(one for keys, one in by_key.items() if keys[0] in _TABLES))


def _find_path(page: StudioPage, name: str) -> TomlPath | None:
    try:
        return find_relay_path(read_settings_file(find_workspace(page).root), name)
    except ConfigurationError:
        return None


def _find_faults(page: StudioPage, sent: Sequence[Field]) -> Errors:
    urls = [one for one in sent if one.setting.path[-1] == "url" and not one.variable]
    return [
        (one.name, page.translator.translate(fault))
        for one in urls
        if (fault := _find_address_fault(one.text))
    ]


def _render(
    page: StudioPage,
    relay: RelaySettings,
    given: Sequence[Field],
    errors: Errors,
    status: int,
    found: Mapping[str, object],
) -> Response:
    workspace = find_workspace(page)
    fields = [_protect(one) for one in given]
    shown = {"probe": None, "refusal": "", "sent": "", **found}
    return page.render(
        "settings_relay.html",
        status=status,
        section="settings",
        relay=summarise_relay(workspace.settings, relay, workspace.root),
        is_listed=bool(workspace.settings.smtp.relays),
        secret=find_secret_place(workspace.settings, f"relay-{relay.name}"),
        has_sign_in=find_relay_oauth(workspace.settings.smtp, relay) is not None,
        fields=[one for one in fields if not _is_special(one)],
        special=[one for one in fields if _is_special(one)],
        words={one.name: find_words(one.setting) for one in fields},
        choices={one.name: list_choices(one.setting) for one in fields},
        errors=errors,
        wrong=dict(errors),
        fault=find_fault(page),
        **shown,
    )


def _is_special(one: Field) -> bool:
    return one.setting.path[-2] in _TABLES


def _protect(one: Field) -> Field:
    """A field without the password that stands in an address; such an address is changed in the file."""
    if one.setting.path[-1] != "url" or hide_password(one.text) == one.text:
        return one
    return replace(one, text=hide_password(one.text), was="", variable=one.variable or SETTINGS_FILE)


def _find_address_fault(url: str) -> str:
    """What is wrong with the address of a relay, in words to translate; empty if nothing is."""
    try:
        parts = urlsplit(url)
        is_server = parts.scheme in {"smtp", "smtps"} and parts.hostname and parts.port != 0
    except ValueError:
        return _BAD_ADDRESS
    if parts.password:
        return _PASSWORD_IN_ADDRESS
    return "" if is_server or (parts.scheme == "maildir" and parts.path) else _BAD_ADDRESS


def _render_new(
    page: StudioPage, name: str, url: str, errors: Sequence[tuple[str, str]], *, status: int | None = None
) -> Response:
    return page.render(
        "settings_new_relay.html",
        status=(422 if errors else 200) if status is None else status,
        section="settings",
        name=name,
        url=hide_password(url),
        errors=errors,
        wrong=dict(errors),
    )
