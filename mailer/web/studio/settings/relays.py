"""The pages of relays: their list, each one's form, and the trial of one."""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from fastapi import Depends
from starlette.responses import Response

from mailer.activity import deeds
from mailer.dispatch.sending_settings import (
    find_login,
    list_relays,
    make_smtp_options,
    merge_relay_settings,
)
from mailer.dispatch.waiting_mails import sign_and_send_mail
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.oauth.sign_in import find_relay_oauth
from mailer.selfservice.transactional_mails import MailText, build_letter
from mailer.settings import SETTINGS_FILE, InvalidSettingsError, RelaySettings, Settings
from mailer.settings.changes.secret_files import find_secret_place, remove_secret
from mailer.settings.changes.setting import Setting, describe_relay, list_settings
from mailer.settings.changes.settings_file import (
    add_relay,
    find_address_fault,
    find_relay_path,
    hide_password,
    read_settings_file,
    remove_relay,
)
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.smtp.interfaces import SmtpError
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import probe_server
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.settings.settings_form import NO_FORM, SettingsForm, SettingsPage, SettingsPageDep
from mailer.web.studio.sign_in.confirmation import require_confirmed

ROUTES = Routes()

_KEYS = ("url", "starttls", "priority", "weight", "rate", "messages_per_connection", "sending_addresses")
"""What a person sets of a relay, in this order; then the tables."""

_TABLES = ("oauth", "warm_up")
_BAD_NAME = gettext_noop("Write small letters, digits and hyphens, such as backup.")
_TAKEN_NAME = gettext_noop("There is a relay of this name already. Choose another name.")
_TEXT = MailText(
    subject=gettext_noop("A test of the relay"),
    body=gettext_noop("This mail was sent over the relay %(relay)s, to see whether it arrives."),
    button=gettext_noop("Open the relay"),
    after=gettext_noop("You asked for it in Studio. Nobody else got it."),
)


def _find_relay(page: SettingsPage, name: str) -> RelaySettings | None:
    return next((one for one in list_relays(page.workspace.settings.smtp) if one.name == name), None)


def _open_relay(page: SettingsPageDep, relay: str) -> RelaySettings:
    try:
        found = _find_relay(page, relay)
    except ConfigurationError:
        found = None
    return or_404(found)


RelayDep = Annotated[RelaySettings, Depends(_open_relay)]


@ROUTES.get_route("/settings/relays", Permission.manage)
def show_relays(page: SettingsPageDep) -> Response:
    relays, errors = [], []
    workspace = page.workspace
    try:
        listed = sorted(list_relays(workspace.settings.smtp), key=lambda one: one.priority)
        relays = [_describe(workspace.settings, one, workspace.root) for one in listed]
    except ConfigurationError as error:
        errors.append(("", str(error)))
    return page.render("settings_relays.html", status=200, relays=relays, errors=errors)


@ROUTES.get_route("/settings/relays/new", Permission.manage)
def show_new_relay(page: SettingsPageDep) -> Response:
    return page.render("settings_new_relay.html", name="", url="")


@ROUTES.post_route("/settings/relays/new", Permission.manage)
def create_relay(page: SettingsPageDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    name, url = form.get("name").strip(), form.get("url").strip()
    errors, status = [], 422
    try:
        file = read_settings_file(page.workspace.root)
        if _find_relay(page, name) is not None or find_relay_path(file, name) is not None:
            errors.append(("name", page.translate(_TAKEN_NAME)))
        if fault := find_address_fault(url):
            errors.append(("url", page.translate(fault)))
        if not errors:
            changes, was = add_relay(file, name, url)
            page.save(changes, was=was)
            return page.redirect(f"/settings/relays/{name}", Notice.settings_saved)
    except InvalidSettingsError as error:
        is_name = any(fault.place[-1:] == ("name",) for fault in error.faults)
        errors = [("name", page.translate(_BAD_NAME)) if is_name else ("", str(error))]
    except ConfigurationError as error:
        errors, status = [("", str(error))], 409
    shown = hide_password(url)
    return page.render("settings_new_relay.html", status=status, name=name, url=shown, errors=errors)


@ROUTES.get_route("/settings/relays/{relay}", Permission.manage)
def show_relay(page: SettingsPageDep, relay: RelayDep) -> Response:
    return _show(page, relay)


@ROUTES.post_route("/settings/relays/{relay}", Permission.manage)
def save_relay(page: SettingsPageDep, relay: RelayDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    path = _find_path(page, relay.name)
    sent = page.read_form(_list_settings(path), form)
    for name, one in sent.fields.items():
        is_ours = one.path[-1] == "url" and name not in sent.variables
        if is_ours and (fault := find_address_fault(sent.texts[name])):
            sent = sent.refuse(name, page.translate(fault))
    # The numbers of relays change when one goes: it is still this one.
    saved = page.save_form(sent, {(*path, "name"): relay.name} if len(path) > 1 else {})
    if saved.notice is not None:
        return page.redirect(f"/settings/relays/{relay.name}", saved.notice)
    return _render(page, relay, saved)


@ROUTES.post_route("/settings/relays/{relay}/remove", Permission.manage)
def delete_relay(page: SettingsPageDep, relay: RelayDep) -> Response:
    """Take a relay out of the list, with its password if we keep it."""
    require_confirmed(page)
    workspace = page.workspace
    secret = find_secret_place(workspace.settings, f"relay-{relay.name}")
    try:
        file = read_settings_file(workspace.root)
        path = or_404(find_relay_path(file, relay.name))
        or_404(len(path) > 1)
        changes, was = remove_relay(file, relay.name)
        page.save(changes, was=was)
    except ConfigurationError as error:
        return _render(page, relay, NO_FORM.refuse("", str(error), 409))
    if secret is not None:
        remove_secret(workspace.root, secret.file)
    return page.redirect("/settings/relays", Notice.relay_removed)


@ROUTES.post_route("/settings/relays/{relay}/try", Permission.manage)
def try_relay(page: SettingsPageDep, relay: RelayDep) -> Response:
    """Connect to a relay as for sending, and show what it answered. Nothing is sent."""
    require_confirmed(page)
    _record(page, relay)
    workspace = page.workspace
    merged = merge_relay_settings(workspace.settings.smtp, relay)
    try:
        probe = probe_server(make_smtp_options(merged, workspace.root, name=relay.name))
    except (SmtpError, ConfigurationError, ValueError) as error:
        return _show(page, relay, refusal=str(error))
    return _show(page, relay, probe=probe)


@ROUTES.post_route("/settings/relays/{relay}/test", Permission.manage)
def send_test_mail(page: SettingsPageDep, relay: RelayDep) -> Response:
    require_confirmed(page)
    _record(page, relay)
    workspace, now = page.workspace, page.state.clock()
    smtp = workspace.settings.smtp
    alone = smtp.model_copy(update={"relays": (relay,) if smtp.relays else ()})
    settings = workspace.settings.model_copy(update={"smtp": alone})
    try:
        message = build_letter(
            _TEXT,
            "studio-relay-test",
            envelope=page.member.email,
            url=f"{page.state.address}/settings/relays/{relay.name}",
            translator=page.translator,
            settings=workspace.settings,
            mail_id=secrets.randbelow(10**9),
            requested_at=now,
            now=now,
            values={"relay": relay.name},
        )
        outcome = sign_and_send_mail(
            settings, workspace.root, recipient=page.member.email, message=message, now=now
        )
    except (MailerError, ConfigurationError, SmtpError, ValueError) as error:
        return _show(page, relay, refusal=str(error))
    if outcome.verdict is not Verdict.sent:
        return _show(page, relay, refusal=outcome.reason)
    return _show(page, relay, sent=page.member.email)


def _record(page: SettingsPage, relay: RelaySettings) -> None:
    with page.writing() as session:
        page.record(session, deeds.tried_relay(relay.name))


def _show(page: SettingsPage, relay: RelaySettings, **found: object) -> Response:
    form = page.open_form(_list_settings(_find_path(page, relay.name)))
    return _render(page, relay, form, **found)


def _find_path(page: SettingsPage, name: str) -> TomlPath:
    """Where the file has a relay; () if it has it nowhere, or cannot be read."""
    try:
        return find_relay_path(read_settings_file(page.workspace.root), name) or ()
    except ConfigurationError:
        return ()


def _list_settings(path: TomlPath) -> list[Setting]:
    """What can be set of the relay at ``path``: what people look for first, then the tables."""
    if not path:
        return []
    known = list_settings("smtp") if len(path) == 1 else describe_relay(path)
    by_key = {one.path[len(path) :]: one for one in known}
    chosen = [by_key[(key,)] for key in _KEYS if (key,) in by_key]
    return [*chosen, *(one for keys, one in by_key.items() if keys[0] in _TABLES)]


def _render(page: SettingsPage, relay: RelaySettings, form: SettingsForm, **found: object) -> Response:
    workspace = page.workspace
    form = _hide_passwords(form)
    shown: Mapping[str, Any] = {"probe": None, "refusal": "", "sent": "", **found}
    return page.render(
        "settings_relay.html",
        relay=_describe(workspace.settings, relay, workspace.root),
        is_listed=bool(workspace.settings.smtp.relays),
        secret=find_secret_place(workspace.settings, f"relay-{relay.name}"),
        has_sign_in=find_relay_oauth(workspace.settings.smtp, relay) is not None,
        form=form,
        special=[one for one in form.fields.values() if one.path[-2] in _TABLES],
        **shown,
    )


def _describe(settings: Settings, relay: RelaySettings, root: Path) -> Mapping[str, Any]:
    """What pages show of a relay. ``place`` is its host and port, or its folder."""
    parts = urlsplit(relay.url)
    login, since = find_login(settings.smtp, relay, root)
    return {
        "name": relay.name,
        "place": parts.netloc.rpartition("@")[2] or parts.path,
        "user": unquote(parts.username or ""),
        "is_folder": parts.scheme == "maildir",
        "priority": relay.priority,
        "weight": relay.weight,
        "login": login,
        "since": since,
        "has_password_in_address": bool(parts.password),
    }


def _hide_passwords(form: SettingsForm) -> SettingsForm:
    """The form without the password that stands in an address; such an address is changed in the file."""
    for name, one in form.fields.items():
        shown = hide_password(form.texts[name]) if one.path[-1] == "url" else form.texts[name]
        if shown != form.texts[name]:
            form = replace(
                form,
                texts={**form.texts, name: shown},
                variables={name: SETTINGS_FILE, **form.variables},
            )
    return form
