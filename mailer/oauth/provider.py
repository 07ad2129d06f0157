"""The providers of sign-ins: where they answer, and what their refusals mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from locales.phrase import FULL_STOP, Phrase, gettext_noop, join_sentences
from mailer.errors import MailerError
from mailer.settings import OAuthSettings

_MICROSOFT = "https://login.microsoftonline.com"
_ANY_TENANT = "organizations"
_IDENTITY = ("openid", "profile", "email")
GRANT_ERRORS: Final = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
"""The errors by which a person must sign in again: RFC 6749 §5.2, and OpenID Connect's."""

PASSING_ERRORS: Final = frozenset({"temporarily_unavailable", "server_error", "rate_limit_exceeded"})
"""The errors of a provider in trouble."""

_CODE = re.compile(r"AADSTS(\d+)")
_NOISE = re.compile(r"\s*(?:Trace ID|Correlation ID|Timestamp):.*", re.DOTALL)
_MAX_WORDS = 300
_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "700082": gettext_noop("it was not used for 90 days (AADSTS%(code)s)"),
        "70008": gettext_noop("it is too old (AADSTS%(code)s)"),
        "700084": gettext_noop("it is too old (AADSTS%(code)s)"),
        "70043": gettext_noop("your organisation asks to sign in again from time to time (AADSTS%(code)s)"),
        "50173": gettext_noop(
            "the password was changed, or an administrator ended all sign-ins (AADSTS%(code)s)"
        ),
        "50132": gettext_noop(
            "the password was changed, or an administrator ended all sign-ins (AADSTS%(code)s)"
        ),
        "50133": gettext_noop(
            "the password was changed, or an administrator ended all sign-ins (AADSTS%(code)s)"
        ),
        "65001": gettext_noop("the permission was taken back (AADSTS%(code)s)"),
        "50076": gettext_noop("your organisation now asks for a second factor (AADSTS%(code)s)"),
        "50079": gettext_noop("your organisation now asks for a second factor (AADSTS%(code)s)"),
        "50158": gettext_noop("your organisation now asks for a second factor (AADSTS%(code)s)"),
        "53003": gettext_noop("a rule of your organisation (Conditional Access) forbids it (AADSTS%(code)s)"),
        "53000": gettext_noop("a rule of your organisation (Conditional Access) forbids it (AADSTS%(code)s)"),
        "50057": gettext_noop("the account is disabled (AADSTS%(code)s)"),
        "50034": gettext_noop("there is no such account any more (AADSTS%(code)s)"),
    }
)
_ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "7000222": gettext_noop(
            "The application's secret has expired. Make a new one at Microsoft and put it into the "
            "client_secret_file."
        ),
        "7000215": gettext_noop(
            "The application's secret is wrong. Put its value, not its ID, into the client_secret_file."
        ),
        "7000218": gettext_noop(
            "Microsoft asks for the application's secret. Set client_secret_file, or allow public "
            "client flows for the application."
        ),
        "700016": gettext_noop("Microsoft does not know the application. Check client_id and tenant."),
        "90002": gettext_noop("Microsoft does not know the directory. Check tenant."),
        "65001": gettext_noop(
            "Nobody has consented to the application. An administrator must grant it the permission."
        ),
        "50194": gettext_noop("The application is registered for your directory only. Set tenant to its ID."),
        "700038": gettext_noop("The client_id is not an ID of an application. Check it."),
        "70011": gettext_noop(
            "Microsoft does not know what is asked for. Check the permissions of the application, and scopes."
        ),
        "invalid_client": gettext_noop("Check client_id, and what the client_secret_file contains."),
        "unauthorized_client": gettext_noop(
            "The application may not sign in this way. Check its registration, and grant."
        ),
        "deleted_client": gettext_noop(
            "The application was deleted at the provider. Register another, and set client_id."
        ),
        "disabled_client": gettext_noop("The application is disabled at the provider."),
        "invalid_scope": gettext_noop(
            "The provider does not give what is asked for. Check the permissions of the application, "
            "and scopes."
        ),
        "org_internal": gettext_noop(
            "Only accounts of the organisation that owns the application may sign in."
        ),
        "admin_policy_enforced": gettext_noop("An administrator must allow the application first."),
        "redirect_uri_mismatch": gettext_noop("Register the application as a desktop application."),
    }
)


class OAuthError(MailerError):
    """A token cannot be had."""


class OAuthSignInRequiredError(OAuthError):
    """A person must sign in: nobody has, or the provider has ended the sign-in."""


class ApplicationRefusedError(OAuthError):
    """The provider refuses the application as it is registered, so that the settings must change."""


class ProviderUnavailableError(OAuthError):
    """The provider does not answer now. Nothing is lost; the same request may work later.

    ``retry_after`` is the wait that it asked for, in seconds; 0 if none.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GrantRefusedError(OAuthError):
    """The provider does not renew a sign-in any more (``invalid_grant``); the text says why."""


class SignInFailedError(OAuthError):
    """The person did not finish signing in."""


class Protocol(StrEnum):
    """What a token is for."""

    smtp = "smtp"
    """Sending over a relay."""

    imap = "imap"
    """Reading a mailbox."""


@dataclass(frozen=True, kw_only=True)
class SignInProvider:
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


def find_provider(settings: OAuthSettings) -> SignInProvider:
    """Return the provider that ``settings`` name, with the addresses they set in place of the usual ones."""
    match settings.provider:
        case "microsoft":
            return _make_microsoft(settings)
        case "google":
            return _make_google(settings)
        case _:
            return SignInProvider(
                name=urlsplit(settings.token_url).hostname or "the provider",
                authorization_url=settings.authorization_url,
                device_url=settings.device_url,
                token_url=settings.token_url,
                revocation_url=settings.revocation_url,
                scopes=dict.fromkeys(Protocol, settings.scopes),
                application_scopes=settings.scopes,
            )


def _make_microsoft(settings: OAuthSettings) -> SignInProvider:
    base = f"{_MICROSOFT}/{settings.tenant or _ANY_TENANT}/oauth2/v2.0"
    # Without offline_access it gives no refresh token.
    always = ("offline_access", *_IDENTITY)
    return SignInProvider(
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


def _make_google(settings: OAuthSettings) -> SignInProvider:
    scopes = settings.scopes or ("https://mail.google.com/", "openid", "email")
    return SignInProvider(
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


def explain_end(error: str, description: str) -> str:
    """Return why a sign-in has ended: our words for a known code, otherwise the provider's own."""
    found = _CODE.search(description)
    if found and found[1] in _REASONS:
        return Phrase(_REASONS[found[1]], code=found[1])
    return clean_words(description) or error


def explain_refusal(error: str, description: str) -> str:
    """Return why the provider refuses the application, and what to do about it."""
    found = _CODE.search(description)
    advice = _ADVICE.get(found[1] if found else "") or _ADVICE.get(
        error, gettext_noop("Check the settings in oauth.")
    )
    return join_sentences([Phrase(FULL_STOP, words=clean_words(description) or error), advice])


def clean_words(text: str) -> str:
    """Return a provider's words on one line, without what is there for its own support."""
    line = "".join(letter if letter.isprintable() else " " for letter in _NOISE.sub("", text))
    return " ".join(line.split())[:_MAX_WORDS].rstrip(".")
