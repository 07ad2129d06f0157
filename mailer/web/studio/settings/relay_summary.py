"""What pages show of a relay: where it is, how it is encrypted, and how we log in."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from mailer.dispatch.sending_settings import list_relays, merge_relay_settings
from mailer.errors import ConfigurationError
from mailer.oauth.grant_store import GrantStore
from mailer.oauth.provider import SignInRequiredError
from mailer.settings import RelaySettings, Settings
from mailer.settings.changes.secret_files import find_secret_time
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
    except (SignInRequiredError, ConfigurationError):
        return None
    return grant.signed_in_at if grant is not None and not grant.refused else None
