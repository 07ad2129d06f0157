"""The providers that sign people in: their addresses, and what mail needs to be asked for.

Microsoft: learn.microsoft.com, "Authenticate an IMAP, POP or SMTP connection using OAuth". Google:
developers.google.com, "OAuth 2.0 for mobile and desktop apps" and "IMAP, POP, and SMTP". Its page "OAuth 2.0
for TV and limited-input devices" lists the scopes that a device may ask for, and that of mail is not among
them. Read in November 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from mailer.settings import OAuthSettings

_MICROSOFT = "https://login.microsoftonline.com"
_ANY_TENANT = "organizations"
_IDENTITY = ("openid", "profile", "email")


class Protocol(StrEnum):
    """What a token is for."""

    smtp = "smtp"
    """Sending over a relay."""

    imap = "imap"
    """Reading a mailbox."""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A provider as the settings name it.

    ``redirect_host`` is the name of this machine that it accepts in a redirect (RFC 8252 §7.3).
    ``extra`` are parameters that it needs where a person signs in. ``unused_for`` is how long a sign-in lasts
    that is not used, and ``lasts`` how long any lasts; None if it has no such end.
    """

    name: str
    authorization_url: str
    device_url: str
    token_url: str
    revocation_url: str
    scopes: Mapping[Protocol, tuple[str, ...]]
    application_scopes: tuple[str, ...] = ()
    redirect_host: str = "127.0.0.1"
    extra: Mapping[str, str] = field(default_factory=dict)
    account_page: str = ""
    unused_for: timedelta | None = None
    lasts: timedelta | None = None

    @property
    def host(self) -> str:
        """Where tokens are asked for, as shown to people."""
        return urlsplit(self.token_url).netloc


def find_provider(settings: OAuthSettings) -> Provider:
    """The provider that ``settings`` name, with the addresses they set in place of the usual ones."""
    match settings.provider:
        case "microsoft":
            return _make_microsoft(settings)
        case "google":
            return _make_google(settings)
        case _:
            return Provider(
                name=urlsplit(settings.token_url).hostname or "the provider",
                authorization_url=settings.authorization_url,
                device_url=settings.device_url,
                token_url=settings.token_url,
                revocation_url=settings.revocation_url,
                scopes=dict.fromkeys(Protocol, settings.scopes),
                application_scopes=settings.scopes,
            )


def _make_microsoft(settings: OAuthSettings) -> Provider:
    base = f"{_MICROSOFT}/{settings.tenant or _ANY_TENANT}/oauth2/v2.0"
    # Without offline_access it gives no refresh token.
    always = ("offline_access", *_IDENTITY)
    return Provider(
        name="Microsoft",
        authorization_url=settings.authorization_url or f"{base}/authorize",
        device_url=settings.device_url or f"{base}/devicecode",
        token_url=settings.token_url or f"{base}/token",
        # It has no address where a single sign-in could be revoked.
        revocation_url=settings.revocation_url,
        scopes=MappingProxyType(
            {
                Protocol.smtp: settings.scopes or ("https://outlook.office.com/SMTP.Send", *always),
                Protocol.imap: settings.scopes
                or ("https://outlook.office.com/IMAP.AccessAsUser.All", *always),
            }
        ),
        application_scopes=settings.scopes or ("https://outlook.office365.com/.default",),
        # Any port is accepted for http://localhost; 127.0.0.1 would need an edited manifest.
        redirect_host="localhost",
        # A browser with several accounts would silently take the one that was used last.
        extra=MappingProxyType({"prompt": "select_account"}),
        account_page="https://myapps.microsoft.com",
        unused_for=timedelta(days=90),
    )


def _make_google(settings: OAuthSettings) -> Provider:
    scopes = settings.scopes or ("https://mail.google.com/", "openid", "email")
    return Provider(
        name="Google",
        authorization_url=settings.authorization_url or "https://accounts.google.com/o/oauth2/v2/auth",
        device_url=settings.device_url or "https://oauth2.googleapis.com/device/code",
        token_url=settings.token_url or "https://oauth2.googleapis.com/token",
        revocation_url=settings.revocation_url or "https://oauth2.googleapis.com/revoke",
        scopes=dict.fromkeys(Protocol, scopes),
        # Without both it gives a refresh token the first time only.
        extra=MappingProxyType({"access_type": "offline", "prompt": "consent"}),
        account_page="https://myaccount.google.com/connections",
        unused_for=timedelta(days=180),
        lasts=timedelta(days=7) if settings.testing else None,
    )
