"""The pages of relays: their list, each one's form, and the trial of one."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.dispatch.sending_settings import list_relays, make_smtp_options, merge_relay_settings
from mailer.dispatch.waiting_mails import sign_and_send_mail
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.oauth.grant_store import GrantStore
from mailer.oauth.provider import OAuthSignInRequiredError
from mailer.oauth.sign_in import find_relay_oauth
from mailer.selfservice.transactional_mails import MailText, build_letter
from mailer.settings import SETTINGS_FILE, InvalidSettingsError, RelaySettings, Settings
from mailer.settings.changes.relay_changes import add_relay, find_relay_path, remove_relay
from mailer.settings.changes.secret_files import find_secret_time, remove_secret
from mailer.settings.changes.secret_places import find_secret_place
from mailer.settings.changes.setting import Setting, describe_model, list_settings
from mailer.settings.changes.settings_file import read_settings_file
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.smtp.interfaces import SmtpError
from mailer.smtp.reply_classifier import Verdict
from mailer.smtp.transport import probe_server
from mailer.web.forms import OwnFormDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.settings.fields import (
    Errors,
    Field,
    FieldForm,
    find_fault,
    find_workspace,
    save_changes,
)
from mailer.web.studio.settings.words import find_words, list_choices
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class RelaySummary:
    """A relay as the list shows it. ``place`` is its host and port, or its folder. ``login`` is one of
    "none", "password", "token", "oauth" and "missing"; ``since`` is when its password was put in, or somebody
    signed in."""

    name: str
    place: str
    user: str
    is_folder: bool
    priority: int
    weight: int
    login: str
    since: datetime | None
    has_password_in_address: bool


def list_relay_summaries(workspace: Workspace) -> list[RelaySummary]:
    """All relays, in the order in which they are used."""
    settings = workspace.settings
    relays = sorted(list_relays(settings.smtp), key=lambda one: one.priority)
    return [summarise_relay(settings, one, workspace.root) for one in relays]


def find_relay(settings: Settings, name: str) -> RelaySettings | None:
    """The relay called ``name``; None if there is none."""
    return next((one for one in list_relays(settings.smtp) if one.name == name), None)


def summarise_relay(settings: Settings, relay: RelaySettings, root: Path) -> RelaySummary:
    """What the list shows of ``relay``."""
    merged = merge_relay_settings(settings.smtp, relay)
    parts = urlsplit(relay.url)
    login, since = "none", None
    if parts.username:
        login = "missing"
        if merged.oauth is not None:
            login, since = "oauth", _find_sign_in_time(root, relay.name)
        elif merged.token_file is not None:
            login = "token"
        elif merged.password_file is not None:
            login, since = "password", find_secret_time(root, merged.password_file)
        elif parts.password:
            login = "password"
    return RelaySummary(
        name=relay.name,
        place=show_place(parts),
        user=unquote(parts.username or ""),
        is_folder=parts.scheme == "maildir",
        priority=relay.priority,
        weight=relay.weight,
        login=login,
        since=since,
        has_password_in_address=bool(parts.password),
    )


def show_place(parts: SplitResult) -> str:
    """A relay's host and port, or its folder; never its password."""
    return parts.netloc.rpartition("@")[2] or parts.path


def hide_password(url: str) -> str:
    """The address of a relay without the password in it."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    user = (parts.username or "") + "@"
    return parts._replace(netloc=user + parts.netloc.rpartition("@")[2]).geturl()


def _find_sign_in_time(root: Path, name: str) -> datetime | None:
    try:
        grant = GrantStore(root=root).read(name)
    except (OAuthSignInRequiredError, ConfigurationError):
        return None
    return grant.signed_in_at if grant is not None and not grant.refused else None


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


_TEXT = MailText(
    subject=gettext_noop("A test of the relay"),
    body=gettext_noop("This mail was sent over the relay %(relay)s, to see whether it arrives."),
    button=gettext_noop("Open the relay"),
    after=gettext_noop("You asked for it in Studio. Nobody else got it."),
)


def try_relay(page: PageDep, relay: str) -> Response:
    """Connect to a relay as for sending, and show what it answered. Nothing is sent."""
    found = open_relay(page, relay)
    require_confirmed(page)
    _record(page, relay)
    workspace = find_workspace(page)
    merged = merge_relay_settings(workspace.settings.smtp, found)
    try:
        probe = probe_server(make_smtp_options(merged, workspace.root, name=relay))
    except (SmtpError, ConfigurationError, ValueError) as error:
        return _show(page, found, refusal=str(error))
    return _show(page, found, probe=probe)


def send_test_mail(page: PageDep, relay: str) -> Response:
    """Send the member a mail over this relay alone."""
    found = open_relay(page, relay)
    require_confirmed(page)
    _record(page, relay)
    workspace, now = find_workspace(page), page.state.clock()
    smtp = workspace.settings.smtp
    alone = smtp.model_copy(update={"relays": (found,) if smtp.relays else ()})
    try:
        message = build_letter(
            _TEXT,
            "studio-relay-test",
            envelope=page.member.email,
            url=f"{page.state.address}/settings/relays/{relay}",
            translator=page.translator,
            settings=workspace.settings,
            mail_id=secrets.randbelow(10**9),
            requested_at=now,
            now=now,
            values={"relay": relay},
        )
        settings = workspace.settings.model_copy(update={"smtp": alone})
        outcome = sign_and_send_mail(
            settings, workspace.root, recipient=page.member.email, message=message, now=now
        )
    except (MailerError, ConfigurationError, SmtpError, ValueError) as error:
        return _show(page, found, refusal=str(error))
    if outcome.verdict is not Verdict.sent:
        return _show(page, found, refusal=outcome.reason)
    return _show(page, found, sent=page.member.email)


def _record(page: StudioPage, relay: str) -> None:
    with page.state.write_session() as session:
        record_activity(session, page.actor, Act.tried_relay, subject=relay, now=page.state.clock())


def _show(page: StudioPage, relay: RelaySettings, **found: object) -> Response:
    return make_relay_form(page, relay, found).open()
