"""The secrets that settings ask for, each with the key that names its file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from locales.phrase import WordedEnum, gettext_noop
from mailer.settings.changes.toml_nodes import TomlPath
from mailer.settings.mailer_toml import Settings
from mailer.settings.oauth import OAuthSettings
from mailer.settings.smtp import MAIN_RELAY, RelaySettings, SmtpSettings


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
    """All secrets that ``settings`` ask for or could use."""
    return (
        *_list_relays(settings),
        *_list_mailbox(settings),
        *_list_team(settings),
        *_list_webhooks(settings),
    )


def find_secret_place(settings: Settings, name: str) -> SecretPlace | None:
    """The secret called ``name``; None if the settings have no use for one."""
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
