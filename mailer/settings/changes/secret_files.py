"""The secrets that settings ask for, each in a file of its own that only its owner can read.

The files are in the folder ``secrets`` of the workspace; the settings name them. A secret that was put
elsewhere, such as by systemd, is never overwritten or removed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from locales.phrase import Phrase, WordedEnum, gettext_noop
from mailer.atomic_write import sync_folder, write_atomically
from mailer.errors import ConfigurationError
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.mailer_toml import Settings
from mailer.settings.oauth import OAuthSettings
from mailer.settings.smtp import MAIN_RELAY, RelaySettings, SmtpSettings

SECRETS_FOLDER = "secrets"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_MAX_LENGTH = 4096
# Whoever keeps the workspace in Git must not publish them by an `add .`.
_IGNORE = b"*\n"


class SecretUse(WordedEnum):
    """What a secret is for."""

    relay = ("relay", gettext_noop("Password of the relay %(of)s"))
    mailbox = ("mailbox", gettext_noop("Password of the mailbox for what comes back"))
    application = ("application", gettext_noop("Secret of the application that signs in to %(of)s"))
    team = ("team", gettext_noop("Secret of the application by which the team signs in"))
    webhook = ("webhook", gettext_noop("Secret of the webhook %(of)s"))


@dataclass(frozen=True, kw_only=True)
class SecretPlace:
    """A secret that may be there. ``name`` is that of its file and its page, ``of`` whose it is: a relay's
    name, or a webhook's. ``path`` is the key that names the file, and ``file`` what it says now."""

    name: str
    use: SecretUse
    path: TomlPath
    file: Path | None
    of: str = ""
    is_needed: bool = False


def list_secret_places(settings: Settings) -> tuple[SecretPlace, ...]:
    """Return the secrets that ``settings`` ask for or could use."""
    return (
        *_list_relays(settings),
        *_list_mailbox(settings),
        *_list_team(settings),
        *_list_webhooks(settings),
    )


def find_secret_place(settings: Settings, name: str) -> SecretPlace | None:
    """Return the secret called ``name``; None if the settings have no use for one."""
    return next((place for place in list_secret_places(settings) if place.name == name), None)


def _list_relays(settings: Settings) -> Iterator[SecretPlace]:
    smtp = settings.smtp
    shared: TomlPath = ("smtp",)
    relays: list[tuple[TomlPath, str, str, RelaySettings | SmtpSettings]] = [
        ((*shared, "relays", number), one.name, one.url, one) for number, one in enumerate(smtp.relays)
    ]
    for path, name, url, holder in relays or [(shared, MAIN_RELAY, smtp.url, smtp)]:
        if holder.oauth is None and urlsplit(url).username:
            yield SecretPlace(
                name=f"relay-{name}",
                use=SecretUse.relay,
                of=name,
                path=(*path, "password_file"),
                file=holder.password_file,
                is_needed=holder.token_file is None and not urlsplit(url).password,
            )
        if holder.oauth is not None:
            yield _make_application(f"relay-{name}", name, path, holder.oauth)


def _list_mailbox(settings: Settings) -> Iterator[SecretPlace]:
    feedback = settings.feedback
    if feedback.imap and feedback.oauth is None:
        yield SecretPlace(
            name="mailbox",
            use=SecretUse.mailbox,
            path=("feedback", "password_file"),
            file=feedback.password_file,
            is_needed=feedback.token_file is None,
        )
    if feedback.oauth is not None:
        yield _make_application("mailbox", "feedback", ("feedback",), feedback.oauth)


def _make_application(prefix: str, of: str, path: TomlPath, oauth: OAuthSettings) -> SecretPlace:
    return SecretPlace(
        name=f"{prefix}-application",
        use=SecretUse.application,
        of=of,
        path=(*path, "oauth", "client_secret_file"),
        file=oauth.client_secret_file,
        is_needed=oauth.provider == "google" or oauth.grant == "client_credentials",
    )


def _list_team(settings: Settings) -> Iterator[SecretPlace]:
    if settings.studio.oidc is not None:
        yield SecretPlace(
            name="team",
            use=SecretUse.team,
            path=("studio", "oidc", "client_secret_file"),
            file=settings.studio.oidc.client_secret_file,
        )


def _list_webhooks(settings: Settings) -> Iterator[SecretPlace]:
    for name, file in settings.feedback.webhooks.list_secret_files().items():
        yield SecretPlace(
            name=f"webhook-{name}",
            use=SecretUse.webhook,
            of=name,
            path=("feedback", "webhooks", name, "secret_file"),
            file=file,
            is_needed=True,
        )


def write_secret(root: Path, name: str, secret: str) -> Path:
    """Keep ``secret`` in place of an older one of this name, and return its file, relative to ``root``. Raise
    ConfigurationError if it is empty or more than one line, or cannot be written.
    """
    assert _NAME.fullmatch(name), name  # noqa: S101 - names are made by the program
    if not secret.strip() or len(secret) > _MAX_LENGTH or not secret.isprintable():
        raise ConfigurationError(
            gettext_noop("This is empty, too long, or has characters that cannot be typed.")
        )
    folder = root / SECRETS_FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not (folder / ".gitignore").exists():
            write_atomically(folder / ".gitignore", _IGNORE)
        write_atomically(folder / name, f"{secret}\n".encode())
        sync_folder(folder)
    except OSError as error:
        raise ConfigurationError(
            Phrase(
                "%(path)s could not be written (%(why)s). Nothing was changed.",
                path=folder,
                why=error.strerror,
            )
        ) from error
    return Path(SECRETS_FOLDER, name)


def remove_secret(root: Path, path: Path | None) -> bool:
    """Remove the file of a secret, if it is one of ours; return whether there was one."""
    if path is None or not is_own_secret(root, path):
        return False
    place = root / path
    was_there = place.is_file()
    place.unlink(missing_ok=True)
    return was_there


def is_own_secret(root: Path, path: Path) -> bool:
    place = Path(root / path)
    return place.parent == root / SECRETS_FOLDER and _NAME.fullmatch(place.name) is not None


def find_secret_time(root: Path, path: Path | None) -> datetime | None:
    """Return when the file of a secret was written; None if it is not there."""
    if path is None:
        return None
    try:
        return datetime.fromtimestamp((root / path).stat().st_mtime, UTC)
    except OSError:
        return None
