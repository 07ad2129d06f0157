"""The sign-ins that the settings ask for: one for each relay and one for the mailbox."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.errors import ConfigurationError
from mailer.oauth.provider import Protocol, SignInProvider, find_provider
from mailer.settings import MAIN_RELAY, OAuthSettings, RelaySettings, Settings, SmtpSettings

FEEDBACK = "feedback"
"""The name of the mailbox of ``[feedback] imap``."""


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """One sign-in. ``name`` is the relay's, or "feedback"; ``user`` is whose mailbox it is for."""

    name: str
    user: str
    protocol: Protocol
    settings: OAuthSettings

    @property
    def provider(self) -> SignInProvider:
        return find_provider(self.settings)

    @property
    def is_by_application(self) -> bool:
        """Whether the application signs in by itself, without a person."""
        return self.settings.grant == "client_credentials"

    @property
    def scopes(self) -> tuple[str, ...]:
        provider = self.provider
        return provider.application_scopes if self.is_by_application else provider.scopes[self.protocol]

    @property
    def command(self) -> str:
        """The command that signs in, as shown to people."""
        return f"mailer login {self.name}"


def list_sign_ins(settings: Settings) -> tuple[SignIn, ...]:
    """Return the sign-ins that ``settings`` ask for, relays first."""
    found, smtp = [], settings.smtp
    for relay in smtp.relays or (RelaySettings(name=MAIN_RELAY, url=smtp.url),):
        oauth = find_relay_oauth(smtp, relay)
        if oauth is not None:
            found.append(make_relay_sign_in(relay.name, relay.url, oauth))
    mailbox = make_mailbox_sign_in(settings)
    return (*found, mailbox) if mailbox is not None else tuple(found)


def find_sign_in(settings: Settings, name: str) -> SignIn:
    """Return the sign-in called ``name``. Raise ConfigurationError if the settings have none of this name."""
    known = {sign_in.name: sign_in for sign_in in list_sign_ins(settings)}
    if name in known:
        return known[name]
    if not known:
        raise ConfigurationError(
            gettext_noop(
                "No relay and no mailbox signs in by OAuth. Set [smtp.oauth] or [feedback.oauth], as "
                "docs/sign-in.md says."
            )
        )
    raise ConfigurationError(
        Phrase(
            "There is no sign-in %(name)s. Choose from: %(known)s.",
            name=name,
            known=", ".join(known),
        )
    )


def find_relay_oauth(smtp: SmtpSettings, relay: RelaySettings) -> OAuthSettings | None:
    """Return how to sign in to ``relay``: its own way, or that of ``[smtp]`` unless it has its own secret."""
    has_own_secret = relay.password_file or relay.token_file or urlsplit(relay.url).password
    return relay.oauth or (None if has_own_secret else smtp.oauth)


def make_relay_sign_in(name: str, url: str, settings: OAuthSettings) -> SignIn:
    """Return the sign-in of the relay ``name``. Raise ConfigurationError if the address names no user, or the
    name is that of the mailbox.
    """
    user = unquote(urlsplit(url).username or "")
    if not user:
        raise ConfigurationError(
            gettext_noop(
                "[smtp] url names no user, and oauth needs one. Write the mailbox that sends, as in "
                "smtp://news%40example.org@smtp.office365.com:587."
            )
        )
    if name == FEEDBACK:
        raise ConfigurationError(
            Phrase(
                "[[smtp.relays]] %(name)s: a relay that signs in by OAuth cannot have this name, which "
                "is that of the mailbox. Give the relay another one.",
                name=name,
            )
        )
    return SignIn(name=name, user=user, protocol=Protocol.smtp, settings=settings)


def make_mailbox_sign_in(settings: Settings) -> SignIn | None:
    """Return the sign-in of the mailbox of ``[feedback] imap``; None if it does not sign in by OAuth."""
    feedback = settings.feedback
    if not feedback.imap or feedback.oauth is None:
        return None
    user = unquote(urlsplit(feedback.imap).username or "")
    return SignIn(name=FEEDBACK, user=user, protocol=Protocol.imap, settings=feedback.oauth)


def read_client_secret(settings: OAuthSettings, root: Path) -> str:
    """Return the application's secret, "" if it has none. Relative paths are under ``root``. Raise
    ConfigurationError if the file cannot be read, or its first line is empty.
    """
    if settings.client_secret_file is None:
        return ""
    path = root / settings.client_secret_file
    try:
        first, *_ = [*path.read_text(encoding="utf-8").splitlines(), ""]
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            Phrase(
                "client_secret_file: %(path)s cannot be read. Its first line must be the application's "
                "secret.",
                path=path,
            )
        ) from error
    if not first.strip():
        raise ConfigurationError(
            Phrase(
                "client_secret_file: %(path)s is empty. Its first line must be the application's secret.",
                path=path,
            )
        )
    return first.strip()
