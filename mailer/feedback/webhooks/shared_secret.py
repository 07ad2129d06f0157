"""The secrets of webhooks: where they are kept, and how a request shows that its sender knows one."""

import base64
import binascii
import hmac
from pathlib import Path

from locales.phrase import Phrase, gettext_noop
from mailer.feedback.webhooks.request import ForgedRequestError, UnverifiableRequestError, WebhookRequest
from mailer.smtp.auth import read_first_line

_LEAST_CHARACTERS = 16


def read_secret(path: Path) -> str:
    """The secret on the first line of a file. It is read for every request, so that it can be changed while
    the program runs.

    Raises:
        UnverifiableRequestError: the file cannot be read, or the secret could be guessed.
    """
    try:
        secret = read_first_line(path)
    except (OSError, ValueError) as error:
        raise UnverifiableRequestError(
            Phrase(
                gettext_noop(
                    "%(path)s cannot be read or is empty. Its first line must be the webhook's secret."
                ),
                path=path,
            )
        ) from error
    if len(secret) < _LEAST_CHARACTERS:
        raise UnverifiableRequestError(
            Phrase(
                gettext_noop(
                    "the secret in %(path)s has fewer than %(least_characters)s characters, so it could be "
                    "guessed. Make a longer one, for example with: openssl rand -hex 32"
                ),
                path=path,
                least_characters=_LEAST_CHARACTERS,
            )
        )
    return secret


def check_authorization(request: WebhookRequest, secret: str) -> None:
    """Check the secret in the Authorization header: as the password of any user (RFC 7617), or as a bearer
    token (RFC 6750).

    Raises:
        ForgedRequestError: it is not there, or another one.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    shown = value.strip()
    if scheme.lower() == "basic":
        shown = _read_password(shown)
    elif scheme.lower() != "bearer":
        raise ForgedRequestError("no secret")
    if not hmac.compare_digest(shown.encode("utf-8", "replace"), secret.encode()):
        raise ForgedRequestError("a wrong secret")


def _read_password(credentials: str) -> str:
    try:
        user_and_password = base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise ForgedRequestError("credentials that are not base64") from error
    return user_and_password.partition(":")[2]


def is_hmac(key: bytes, signed: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is the HMAC-SHA256 of ``signed``, in a time that tells nothing of it."""
    return hmac.compare_digest(hmac.digest(key, signed, "sha256"), signature)
