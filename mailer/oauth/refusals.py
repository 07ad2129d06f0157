"""What providers answer in place of a token, and what to do about it.

Codes of Microsoft (AADSTS…): learn.microsoft.com/entra/identity-platform/reference-error-codes. Words of
Google: developers.google.com/identity/protocols/oauth2/native-app#errors. Read in November 2026.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from locales.phrase import FULL_STOP, Phrase, gettext_noop, join_sentences

# RFC 6749 §5.2, and OpenID Connect's words for "a person must look at this".
_GRANT_ERRORS: Final = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
_PASSING_ERRORS: Final = frozenset({"temporarily_unavailable", "server_error", "rate_limit_exceeded"})
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


def is_end_of_grant(error: str) -> bool:
    """Whether ``error`` says that a person must sign in again."""
    return error in _GRANT_ERRORS


def is_passing(error: str) -> bool:
    """Whether ``error`` says that the provider is in trouble."""
    return error in _PASSING_ERRORS


def explain_end(error: str, description: str) -> str:
    """Why a sign-in has ended: our words for a known code, otherwise the provider's own."""
    found = _CODE.search(description)
    if found and found[1] in _REASONS:
        return Phrase(_REASONS[found[1]], code=found[1])
    return clean_words(description) or error


def explain_refusal(error: str, description: str) -> str:
    """Why the provider refuses the application, and what to do about it."""
    found = _CODE.search(description)
    advice = _ADVICE.get(found[1] if found else "") or _ADVICE.get(
        error, gettext_noop("Check the settings in oauth.")
    )
    return join_sentences([Phrase(FULL_STOP, words=clean_words(description) or error), advice])


def clean_words(text: str) -> str:
    """A provider's words on one line, without what is there for its own support."""
    line = "".join(letter if letter.isprintable() else " " for letter in _NOISE.sub("", text))
    return " ".join(line.split())[:_MAX_WORDS].rstrip(".")
