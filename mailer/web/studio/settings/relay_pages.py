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
from mailer.settings.changes.settings_file import OvertakenError, SettingsFile, read_settings_file
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.fields import Field, find_changes, read_fields, read_form, write_json
from mailer.web.studio.settings.relay_summary import (
    find_relay,
    hide_password,
    list_relay_summaries,
    summarise_relay,
)
from mailer.web.studio.settings.saving import find_fault, find_workspace, save_changes
from mailer.web.studio.settings.section_page import CHANGED, list_choices, list_faults
from mailer.web.studio.settings.words import WORDS, Words, describe_fault
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
    found = open_relay(page, relay)
    try:
        file = read_settings_file(find_workspace(page).root)
    except ConfigurationError as error:
        return render_relay(page, found, [], [("", str(error))], status=409)
    return render_relay(page, found, list_relay_fields(page, found, file), [])


def save_relay(page: PageDep, relay: str, form: OwnFormDep) -> Response:
    """Save what was changed of a relay."""
    found = open_relay(page, relay)
    require_confirmed(page)
    sent: Sequence[Field] = []
    try:
        file = read_settings_file(find_workspace(page).root)
        sent = read_form(list_relay_fields(page, found, file), form)
        asked = find_changes(sent)
        errors = [(name, describe_fault(page.translator, kind)) for name, kind in asked.faults.items()]
        errors += [
            (one.name, page.translator.translate(fault))
            for one in sent
            if one.setting.path[-1] == "url" and (fault := _find_address_fault(one.text))
        ]
        if errors:
            return render_relay(page, found, sent, errors)
        if not asked.changes:
            return page.redirect(f"/settings/relays/{relay}", Notice.settings_unchanged)
        # The numbers of relays change when one goes: it is still this one.
        path = find_relay_path(file, relay)
        named = {(*path, "name"): relay} if path and len(path) > 1 else {}
        save_changes(page, asked.changes, was={**asked.was, **named})
    except OvertakenError as error:
        known = [replace(one, was=write_json(error.current.get(one.setting.path))) for one in sent]
        words = [
            (one.name, page.translator.translate(CHANGED, theirs=one.setting.format(theirs)))
            for one in sent
            if (theirs := error.current.get(one.setting.path)) is not None
        ]
        return render_relay(page, found, known, words or [("", str(error))], status=409)
    except InvalidSettingsError as error:
        return render_relay(page, found, sent, list_faults(page, error, [one.setting for one in sent]))
    except ConfigurationError as error:
        return render_relay(page, found, sent, [("", str(error))], status=409)
    return page.redirect(f"/settings/relays/{relay}", Notice.settings_saved)


def show_new_relay(page: PageDep) -> Response:
    """Show the form for another relay."""
    return _render_new(page, "", "", [])


def create_relay(page: PageDep, form: OwnFormDep) -> Response:
    """Add another relay."""
    require_confirmed(page)
    name, url = form.get("name").strip(), form.get("url").strip()
    settings = list_settings("smtp")
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
        fault_words = [words for _, words in list_faults(page, error, settings)]
        is_name = any(fault.place[-1:] == ("name",) for fault in error.faults)
        words = (
            [("name", page.translator.translate(_BAD_NAME))] if is_name else [("", w) for w in fault_words]
        )
        return _render_new(page, name, url, words)
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
        return render_relay(page, found, [], [("", str(error))], status=409)
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


def list_relay_fields(page: StudioPage, relay: RelaySettings, file: SettingsFile) -> list[Field]:
    """The fields of a relay as they are in the file, the address without a password."""
    path = find_relay_path(file, relay.name)
    if path is None:
        return []
    known = list_settings("smtp") if len(path) == 1 else describe_model(path, RelaySettings)
    by_key = {one.path[len(path) :]: one for one in known}
    chosen = [by_key[(key,)] for key in _KEYS if (key,) in by_key]
    chosen += [one for keys, one in by_key.items() if keys[0] in _TABLES]
    workspace = find_workspace(page)
    fields = read_fields(chosen, file, workspace.settings, workspace.environ)
    return [_protect(one) for one in fields]


def find_relay_words(setting: Setting) -> Words | None:
    """What the team calls a setting of a relay, whichever relay it is."""
    keys = [str(key) for key in setting.path if isinstance(key, str) and key not in {"smtp", "relays"}]
    return WORDS.get(f"smtp.{'.'.join(keys)}")


def render_relay(
    page: StudioPage,
    relay: RelaySettings,
    fields: Sequence[Field],
    errors: Sequence[tuple[str, str]],
    *,
    status: int | None = None,
    found: Mapping[str, object] = MappingProxyType({}),
) -> Response:
    """Render the page of a relay; ``found`` is what trying it has found."""
    workspace = find_workspace(page)
    secret = find_secret_place(workspace.settings, f"relay-{relay.name}")
    oauth = find_relay_oauth(workspace.settings.smtp, relay)
    shown = {"probe": None, "refusal": "", "sent": "", **found}
    return page.render(
        "settings_relay.html",
        status=(422 if errors else 200) if status is None else status,
        section="settings",
        relay=summarise_relay(workspace.settings, relay, workspace.root),
        is_listed=bool(workspace.settings.smtp.relays),
        secret=secret,
        has_sign_in=oauth is not None,
        fields=[one for one in fields if not _is_special(one)],
        special=[one for one in fields if _is_special(one)],
        words={one.name: find_relay_words(one.setting) for one in fields},
        choices={one.name: list_choices(one.setting) for one in fields},
        errors=errors,
        wrong=dict(errors),
        fault=find_fault(page),
        **shown,
    )


def _is_special(one: Field) -> bool:
    return one.setting.path[-2] in _TABLES


def _protect(one: Field) -> Field:
    """A field without the password that stands in an address; such an address cannot be changed here."""
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
