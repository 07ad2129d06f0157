"""Asks a provider's endpoints for tokens (RFC 6749, RFC 7009, RFC 7636, RFC 8628)."""

import base64
import binascii
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode

from locales.phrase import Phrase
from mailer.oauth.provider import (
    GRANT_ERRORS,
    PASSING_ERRORS,
    ApplicationRefusedError,
    GrantRefusedError,
    OAuthError,
    ProviderUnavailableError,
    SignInFailedError,
    SignInProvider,
    clean_words,
    explain_end,
    explain_refusal,
)

_TIMEOUT_SECONDS = 10.0
_MAX_BYTES = 256 * 1024
_USUAL_LIFETIME = 3600.0
_SECRET_PARAMETERS = frozenset(
    {"client_secret", "refresh_token", "token", "code", "code_verifier", "device_code"}
)
_TOKEN = re.compile(r"[\x21-\x7e]+")
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_SECONDS = 5.0  # RFC 8628 §3.5
_MAX_INTERVAL = 60.0


@dataclass(frozen=True, kw_only=True)
class TokenResponse:
    """What a provider gave. ``lifetime`` is in seconds; ``account`` is who signed in, "" if it was not said.

    ``refresh_token`` is "" if there is none, or none in place of the one that was used.
    """

    access_token: str = field(repr=False)
    lifetime: float
    refresh_token: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    account: str = ""


@dataclass(frozen=True, kw_only=True)
class DeviceCode:
    """A code for a person to type in at ``url``. ``lifetime`` and ``interval`` are in seconds."""

    code: str = field(repr=False)
    user_code: str
    url: str
    lifetime: float
    interval: float


class DevicePendingError(OAuthError):
    """The person has not finished yet. ``slow_down`` asks to ask less often (RFC 8628 §3.5)."""

    def __init__(self, *, slow_down: bool) -> None:
        super().__init__("The code has not been used yet.")
        self.slow_down = slow_down


class DeviceEndedError(OAuthError):
    """The person declined, or the code has expired; the text says which."""


@dataclass(frozen=True, kw_only=True)
class TokenClient:
    """Asks ``provider`` for tokens as the application ``client_id``. Every request takes ten seconds at most.

    What a method raises: :class:`ProviderUnavailableError` if there is no answer that means anything,
    :class:`ApplicationRefusedError` if the settings must change, :class:`GrantRefusedError` if a person must
    sign in again. No text contains a token.
    """

    provider: SignInProvider
    client_id: str
    client_secret: str = field(default="", repr=False)
    timeout: float = _TIMEOUT_SECONDS

    def request_device_code(self, scopes: tuple[str, ...]) -> DeviceCode:
        """Ask for a code to type in (RFC 8628 §3.1)."""
        body = urlencode({"client_id": self.client_id, "scope": " ".join(scopes)})
        values = self._request(self.provider.device_url, body)
        # Google says verification_url, from before the RFC.
        url = values.get("verification_uri") or values.get("verification_url")
        if not (_is_text(url) and _is_text(values.get("device_code")) and _is_text(values.get("user_code"))):
            raise self._unintelligible("gives no code")
        return DeviceCode(
            code=values["device_code"],
            user_code=values["user_code"],
            url=str(url),
            lifetime=_read_seconds(values.get("expires_in"), 900.0),
            interval=_read_seconds(values.get("interval"), 5.0),
        )

    def redeem_device_code(self, code: DeviceCode) -> TokenResponse:
        """Ask whether the person has finished (RFC 8628 §3.4). Raise DevicePendingError if they have not, and
        DeviceEndedError if they declined, or it took too long.
        """
        return self._request_token(_DEVICE_GRANT, device_code=code.code)

    def redeem_code(self, code: str, *, redirect_uri: str, verifier: str) -> TokenResponse:
        """Turn the code of a redirect into tokens (RFC 6749 §4.1.3, RFC 7636 §4.5)."""
        return self._request_token(
            "authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=verifier
        )

    def renew(self, refresh_token: str, scopes: tuple[str, ...]) -> TokenResponse:
        """Get a new access token (RFC 6749 §6); the answer may have a new refresh token, too."""
        return self._request_token("refresh_token", refresh_token=refresh_token, scope=" ".join(scopes))

    def request_application_token(self, scopes: tuple[str, ...]) -> TokenResponse:
        """Sign in as the application itself (RFC 6749 §4.4)."""
        return self._request_token("client_credentials", scope=" ".join(scopes))

    def revoke(self, token: str) -> None:
        """End a sign-in at the provider (RFC 7009)."""
        from authlib.oauth2.rfc7009 import prepare_revoke_token_request

        body, _ = prepare_revoke_token_request(token, "refresh_token", self._describe_application())
        try:
            self._request(self.provider.revocation_url, body, accepts_nothing=True)
        except GrantRefusedError:
            # Google calls a token that has ended already an error; RFC 7009 §2.2 does not.
            return
        except ApplicationRefusedError as error:
            if "invalid_token" not in str(error):
                raise

    def _request_token(self, grant_type: str, **parameters: str) -> TokenResponse:
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        body = prepare_token_request(grant_type, self._describe_application(), **parameters)
        return self._read_token(self._request(self.provider.token_url, body))

    def _describe_application(self) -> str:
        """Our name in the body, as Microsoft and Google document it (``client_secret_post``)."""
        values = {"client_id": self.client_id}
        if self.client_secret:
            values["client_secret"] = self.client_secret
        return urlencode(values)

    def _read_token(self, values: Mapping[str, Any]) -> TokenResponse:
        token = values.get("access_token")
        kind = values.get("token_type", "Bearer")
        # RFC 6750 §2.1. Anything else would end up in a command of SMTP or IMAP.
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise self._unintelligible("gives no token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise self._unintelligible("gives a token of an unknown kind")
        refresh_token = values.get("refresh_token")
        scopes = values.get("scope")
        return TokenResponse(
            access_token=token,
            lifetime=_read_seconds(values.get("expires_in"), _USUAL_LIFETIME),
            refresh_token=refresh_token if isinstance(refresh_token, str) else "",
            scopes=tuple(scopes.split()) if isinstance(scopes, str) else (),
            account=_read_account(values.get("id_token")),
        )

    def _request(self, url: str, body: str, *, accepts_nothing: bool = False) -> dict[str, Any]:
        # Not imported at the top: it takes a tenth of a second to load.
        import httpx2

        try:
            # A client for each request: they are an hour apart, and none keeps a connection open.
            with (
                httpx2.Client(timeout=self.timeout, trust_env=False, verify=self._context) as client,
                client.stream(
                    "POST",
                    url,
                    content=body,
                    headers={
                        "Accept": "application/json",
                        "Content-Type": "application/x-www-form-urlencoded",
                    },
                ) as response,
            ):
                text = _read_limited(response, self.timeout)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ssl.SSLError) as error:
            raise ProviderUnavailableError(
                Phrase(
                    "%(provider)s does not answer at %(host)s (%(error)s).",
                    provider=self.provider.name,
                    host=self.provider.host,
                    error=clean_words(str(error)) or type(error).__name__,
                )
            ) from None
        if accepts_nothing and response.is_success:
            return {}
        shown = _hide_secrets(text.decode("utf-8", "replace"), body)
        retry_after = response.headers.get("Retry-After", "")
        return self._read_answer(response.status_code, text if response.is_success else shown, retry_after)

    def _read_answer(self, status: int, text: str | bytes, retry_after: str) -> dict[str, Any]:
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = None
        # A proxy's page of 403 or 502 says nothing about us.
        if status >= 500 or status == 429 or not isinstance(values, dict):
            raise self._unintelligible(f"answers {status}", retry_after=retry_after)
        error = values.get("error")
        if 200 <= status <= 299 and not error:
            return values
        description = values.get("error_description")
        raise self._explain_refusal(
            str(error or status), description if isinstance(description, str) else "", retry_after
        )

    def _explain_refusal(self, error: str, description: str, retry_after: str) -> OAuthError:
        name = self.provider.name
        match error:
            case "authorization_pending" | "slow_down":
                return DevicePendingError(slow_down=error == "slow_down")
            case "authorization_declined" | "access_denied":
                return DeviceEndedError(Phrase("%(name)s says that the sign-in was declined.", name=name))
            case "expired_token" | "code_expired" | "bad_verification_code":
                return DeviceEndedError(Phrase("%(name)s says that the code has expired.", name=name))
            case _ if error in PASSING_ERRORS:
                return self._unintelligible(
                    f"says {clean_words(description) or error}", retry_after=retry_after
                )
            case _ if error in GRANT_ERRORS:
                return GrantRefusedError(
                    Phrase(
                        "%(name)s has ended it: %(error)s.",
                        name=name,
                        error=explain_end(error, description),
                    )
                )
            case _:
                return ApplicationRefusedError(
                    Phrase(
                        "%(name)s refuses the application (%(error)s): %(words)s",
                        name=name,
                        error=clean_words(error),
                        words=explain_refusal(error, description),
                    )
                )

    def _unintelligible(self, words: str, *, retry_after: str = "") -> ProviderUnavailableError:
        return ProviderUnavailableError(
            f"{self.provider.name} {words} at {self.provider.host}.",
            retry_after=float(retry_after) if retry_after.isdecimal() else 0.0,
        )

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """Made once: reading the machine's authorities takes tens of milliseconds."""
        return ssl.create_default_context()


def _read_limited(response: Any, seconds: float) -> bytes:
    """Return the body; nothing of one that is too long, or comes too slowly."""
    text = b""
    end = time.monotonic() + seconds
    for piece in response.iter_bytes():
        text += piece
        if len(text) > _MAX_BYTES or time.monotonic() > end:
            return b""
    return text


def _hide_secrets(text: str, body: str) -> str:
    """``text`` without the secrets in the request's ``body``: a provider may quote what it refuses."""
    for name, value in parse_qsl(body):
        if name in _SECRET_PARAMETERS and value:
            text = text.replace(value, "…")
    return text


def _read_seconds(value: object, usual: float) -> float:
    """Return a number of seconds; Azure's older endpoints write it as text."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return usual
    return seconds if 0 < seconds < 10**9 else usual


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _read_account(token: object) -> str:
    """Return the address in an ID token; "" if there is none. Its signature is not verified: it came from the
    provider itself over TLS (OpenID Connect Core §3.1.3.7), and is only shown.
    """
    if not isinstance(token, str) or token.count(".") != 2:
        return ""
    part = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        account = claims.get("preferred_username") or claims.get("email") or ""
    except (binascii.Error, ValueError, AttributeError):
        return ""
    return clean_words(account) if isinstance(account, str) else ""


def sign_in_by_device(
    client: TokenClient,
    scopes: tuple[str, ...],
    *,
    show: Callable[[DeviceCode], None],
    wait: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> TokenResponse:
    """Ask for a code, ``show`` it, and wait until the person has typed it in. Raise SignInFailedError if they
    declined, or the code has expired, and OAuthError if the provider gives no code or no token.
    """
    code = client.request_device_code(scopes)
    show(code)
    end, interval = monotonic() + code.lifetime, code.interval
    while monotonic() < end:
        wait(interval)
        try:
            return client.redeem_device_code(code)
        except DevicePendingError as pending:
            interval += _SLOWER_SECONDS if pending.slow_down else 0
        except ProviderUnavailableError:
            # RFC 8628 §3.5: ask less often after a timeout. The code stays good meanwhile.
            interval = min(2 * interval, _MAX_INTERVAL)
        except DeviceEndedError as error:
            raise SignInFailedError(
                Phrase("%(error)s Run the command again for a new code.", error=error)
            ) from error
    raise SignInFailedError(
        Phrase(
            "Nobody has typed in the code within %(lifetime)s minutes. Run the command again for a new one.",
            lifetime=f"{code.lifetime / 60:.0f}",
        )
    )
