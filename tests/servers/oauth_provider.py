"""A provider that signs people in as Microsoft and Google do: device codes, redirects, tokens, revocation.

It runs on loopback in a thread of its own, speaks the dialect it is told to, and fails on command.
"""

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

ACCOUNT = "news@example.org"
CLIENT_ID = "11112222-aaaa-bbbb-cccc-333344445555"
CLIENT_SECRET = "s3cret~of-the.application"
_TRACE = (
    " Trace ID: 0c4a8c7c-0000-4f1b-8c2f-0d5ac0a10100 Correlation ID: 7f8f2a35-1111-43a4-9d2f-61b4f6a2a1f0 "
    "Timestamp: 2026-11-27 02:00:00Z"
)


class Dialect(StrEnum):
    """Whose words it uses."""

    microsoft = "microsoft"
    """Errors with AADSTS codes and trace IDs; refresh tokens are replaced."""

    google = "google"
    """Short errors; refresh tokens are kept; ``verification_url``; 428 while a code is not used."""


MICROSOFT_ERRORS: Mapping[str, tuple[int, str, int, str]] = {
    "revoked": (
        400,
        "invalid_grant",
        50173,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user "
        "might have changed or reset their password. The grant was issued on '2026-09-01T08:00:00.0000000Z' "
        "and the TokensValidFrom date (before which tokens are not valid) for this user is "
        "'2026-11-20T08:00:00.0000000Z'.",
    ),
    "unused": (
        400,
        "invalid_grant",
        700082,
        "The refresh token has expired due to inactivity. The token was issued on "
        "2026-05-03T12:11:26.5799126Z and was inactive for 90.00:00:00.",
    ),
    "secret expired": (
        401,
        "invalid_client",
        7000222,
        "The provided client secret keys for app '11112222-aaaa-bbbb-cccc-333344445555' are expired. Visit "
        "the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret.",
    ),
    "wrong secret": (
        401,
        "invalid_client",
        7000215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
        "value, not the client secret ID, for a secret added to app "
        "'11112222-aaaa-bbbb-cccc-333344445555'.",
    ),
    "pending": (
        400,
        "authorization_pending",
        70016,
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    "declined": (
        400,
        "authorization_declined",
        70017,
        "The end user denied the authorization request.",
    ),
    "code expired": (
        400,
        "expired_token",
        70020,
        "The provided value for the input parameter 'device_code' is not valid. This device code has "
        "expired.",
    ),
    "bad code": (
        400,
        "invalid_grant",
        70000,
        "The provided value for the 'code' parameter is not valid. The code has expired.",
    ),
    "busy": (503, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again."),
}

GOOGLE_ERRORS: Mapping[str, tuple[int, str, str]] = {
    "revoked": (400, "invalid_grant", "Token has been expired or revoked."),
    "unused": (400, "invalid_grant", "Token has been expired or revoked."),
    "secret expired": (401, "invalid_client", "The provided client secret is invalid."),
    "wrong secret": (401, "invalid_client", "The provided client secret is invalid."),
    "pending": (428, "authorization_pending", "Precondition Required"),
    "slow down": (403, "slow_down", "Forbidden"),
    "declined": (403, "access_denied", "Forbidden"),
    "code expired": (400, "expired_token", "Bad Request"),
    "bad code": (400, "invalid_grant", "Malformed auth code."),
    "device scope": (400, "invalid_scope", "Invalid device flow scope: https://mail.google.com/"),
    "busy": (503, "temporarily_unavailable", "The service is currently unavailable."),
}


@dataclass
class _PendingCode:
    """A device code that waits for a person, or a code on its way back in a redirect."""

    challenge: str = ""
    redirect_uri: str = ""
    is_approved: bool = False


@dataclass(kw_only=True, eq=False)
class OAuthProvider:
    """A provider on a free port of loopback. Use it in a ``with``.

    Tokens last ``lifetime`` seconds by what it says. ``rotates`` replaces the refresh token at each renewal;
    with ``takes_once``, the one that was replaced is refused from then on. ``refusal`` is the name of the
    error it answers to each request for a token; ``page`` is a page without JSON and its status in place of
    any answer. With ``holds`` set, it answers only once that is cleared. ``account`` is who signs in.
    """

    dialect: Dialect = Dialect.microsoft
    lifetime: int = 3600
    rotates: bool = True
    takes_once: bool = False
    refusal: str = ""
    page: tuple[int, str] | None = None
    pages_sent: int = 0
    account: str = ACCOUNT
    gives_refresh_token: bool = True
    leaves_out_scope: str = ""
    delay: float = 0.0
    quotes_secrets: bool = False
    device_lifetime: int = 900
    slows_down: int = 0
    """How many times it asks to be asked less often for a device's token."""

    tls: ssl.SSLContext | None = None
    port: int = 0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    """Every access token it ever gave."""

    valid: set[str] = field(default_factory=set)
    """The access tokens that a mail server takes now."""

    refresh_tokens: set[str] = field(default_factory=set)
    """The refresh tokens that it takes now."""

    every_secret: set[str] = field(default_factory=lambda: {CLIENT_SECRET})
    """Every token and code it ever gave, to look for where none may be."""

    revoked: list[str] = field(default_factory=list)

    asked: threading.Event = field(default_factory=threading.Event, repr=False)
    """Set when a request has come."""

    released: threading.Event = field(default_factory=threading.Event, repr=False)
    """While it is not set, no request is answered."""

    _codes: dict[str, _PendingCode] = field(default_factory=dict, repr=False)
    _devices: dict[str, _PendingCode] = field(default_factory=dict, repr=False)
    _user_codes: dict[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        self.released.set()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, Any]:
        """``oauth`` for mailer.toml: this provider in place of the one whose dialect it speaks."""
        return {
            "provider": self.dialect.value,
            "client_id": CLIENT_ID,
            "authorization_url": f"{self.url}/authorize",
            "device_url": f"{self.url}/devicecode",
            "token_url": f"{self.url}/token",
            "revocation_url": f"{self.url}/revoke",
        }

    @property
    def renewals(self) -> int:
        """How many requests to renew it has had."""
        return sum(1 for _, values in self.requests if values.get("grant_type") == "refresh_token")

    def end_access_tokens(self) -> None:
        """From now on, mail servers take none of the access tokens given so far."""
        with self._lock:
            self.valid.clear()

    def end_sign_in(self) -> None:
        """From now on, it renews no sign-in, as after a change of the password."""
        with self._lock:
            self.refresh_tokens.clear()
            self.refusal = ""

    def approve(self, user_code: str = "") -> None:
        """What a person does who types in the code; by default, the last one."""
        with self._lock:
            name = user_code or list(self._user_codes)[-1]
            self._devices[self._user_codes[name]].is_approved = True

    def visit(self, url: str) -> str:
        """What a browser does at ``url`` when the person consents: the page it ends on."""
        with urllib.request.urlopen(url, timeout=10) as response:
            return str(response.read().decode())

    def make_grant(self) -> tuple[str, str]:
        """An access token and a refresh token, as if somebody had just signed in."""
        with self._lock:
            values = self._make_tokens("")
        return values["access_token"], values["refresh_token"]

    def __enter__(self) -> "OAuthProvider":
        owner = self

        class Handler(_Handler):
            provider = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    # --- endpoints

    def answer(self, path: str, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The status and the JSON that a POST is answered."""
        with self._lock:
            self.requests.append((path, values))
            match path:
                case "/devicecode":
                    return self._give_device_code(values)
                case "/token":
                    return self._give_token(values)
                case "/revoke":
                    return self._revoke(values)
        return 404, {"error": "not_found"}

    def redirect(self, values: dict[str, str]) -> str:
        """Where the browser is sent when the person has consented."""
        with self._lock:
            self.requests.append(("/authorize", values))
            if self.refusal == "declined":
                answer = {"error": "access_denied", "state": values.get("state", "")}
            else:
                code = self._make_secret("code")
                self._codes[code] = _PendingCode(
                    challenge=values.get("code_challenge", ""), redirect_uri=values.get("redirect_uri", "")
                )
                answer = {"code": code, "state": values.get("state", ""), "session_state": "x"}
        return f"{values['redirect_uri']}?{urlencode(answer)}"

    def _give_device_code(self, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.dialect is Dialect.google and "mail.google.com" in values.get("scope", ""):
            return self._refuse("device scope")
        code, user_code = self._make_secret("device"), secrets.token_hex(4).upper()
        self._devices[code] = _PendingCode()
        self._user_codes[user_code] = code
        key = "verification_url" if self.dialect is Dialect.google else "verification_uri"
        return 200, {
            "device_code": code,
            "user_code": user_code,
            key: f"{self.url}/device",
            "expires_in": self.device_lifetime,
            "interval": 1,
            "message": f"To sign in, open {self.url}/device and enter the code {user_code}.",
        }

    def _give_token(self, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.refusal and self.refusal not in {"pending", "declined"}:
            return self._refuse(self.refusal, values)
        if values.get("client_id") != CLIENT_ID:
            return self._refuse("wrong secret")
        scope = values.get("scope", "")
        match values.get("grant_type"):
            case "refresh_token":
                used = values.get("refresh_token", "")
                if used not in self.refresh_tokens:
                    return self._refuse("revoked", values)
                return 200, self._make_tokens(scope, used=used)
            case "authorization_code":
                return self._redeem_code(values)
            case "client_credentials":
                if values.get("client_secret") != CLIENT_SECRET:
                    return self._refuse("wrong secret", values)
                made = self._make_tokens(scope)
                return 200, {name: made[name] for name in ("token_type", "expires_in", "access_token")}
            case _:
                return self._redeem_device(values)

    def _redeem_code(self, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        found = self._codes.pop(values.get("code", ""), None)
        digest = hashlib.sha256(values.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if found is None or found.challenge != challenge or found.redirect_uri != values.get("redirect_uri"):
            return self._refuse("bad code")
        return 200, self._make_tokens("")

    def _redeem_device(self, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        found = self._devices.get(values.get("device_code", ""))
        if found is None:
            return self._refuse("code expired")
        if self.refusal == "declined":
            return self._refuse("declined")
        if self.slows_down:
            self.slows_down -= 1
            return 400, {"error": "slow_down"}
        if not found.is_approved:
            return self._refuse("pending")
        del self._devices[values["device_code"]]
        return 200, self._make_tokens("")

    def _revoke(self, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        token = values.get("token", "")
        self.revoked.append(token)
        if token not in self.refresh_tokens and self.dialect is Dialect.google:
            return 400, {"error": "invalid_token", "error_description": "Token expired or revoked"}
        self.refresh_tokens.discard(token)
        return 200, {}

    def _make_tokens(self, scope: str, *, used: str = "") -> dict[str, Any]:
        token = self._make_secret("access")
        self.issued.append(token)
        self.valid.add(token)
        asked = scope or self._last_scope()
        granted = " ".join(word for word in asked.split() if word != self.leaves_out_scope)
        values: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": granted,
            "expires_in": self.lifetime,
            "access_token": token,
            "id_token": _make_id_token(self.account, self.dialect),
        }
        if self.dialect is Dialect.microsoft:
            values["ext_expires_in"] = self.lifetime
        if self.gives_refresh_token and (not used or self.rotates):
            values["refresh_token"] = self._make_secret("refresh")
            self.refresh_tokens.add(values["refresh_token"])
            if used and self.takes_once:
                self.refresh_tokens.discard(used)
        return values

    def _last_scope(self) -> str:
        asked = (values["scope"] for _, values in reversed(self.requests) if "scope" in values)
        return next(asked, "")

    def _make_secret(self, kind: str) -> str:
        secret = f"{kind}-{secrets.token_urlsafe(24)}"
        self.every_secret.add(secret)
        return secret

    def _refuse(self, name: str, values: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        quoted = ""
        if self.quotes_secrets and values is not None:
            quoted = f" You sent {values.get('refresh_token', '')} {values.get('client_secret', '')}."
        if self.dialect is Dialect.google:
            status, error, words = GOOGLE_ERRORS[name]
            return status, {"error": error, "error_description": words + quoted}
        status, error, code, words = MICROSOFT_ERRORS[name]
        return status, {
            "error": error,
            "error_description": f"AADSTS{code}: {words}{quoted}{_TRACE}",
            "error_codes": [code],
            "timestamp": "2026-11-27 02:00:00Z",
            "trace_id": "0c4a8c7c-0000-4f1b-8c2f-0d5ac0a10100",
            "correlation_id": "7f8f2a35-1111-43a4-9d2f-61b4f6a2a1f0",
            "error_uri": f"https://login.microsoftonline.com/error?code={code}",
        }


class _Handler(BaseHTTPRequestHandler):
    """One request to the provider."""

    provider: OAuthProvider
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        values = dict(parse_qsl(urlsplit(self.path).query))
        self.send_response(302)
        self.send_header("Location", self.provider.redirect(values))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self.provider.asked.set()
        self.provider.released.wait(30)
        if self.provider.delay:
            time.sleep(self.provider.delay)
        if self.provider.page is not None:
            self.provider.pages_sent += 1
            status, page = self.provider.page
            self._send(status, "text/html", page.encode())
            return
        status, values = self.provider.answer(urlsplit(self.path).path, dict(parse_qsl(body)))
        self._send(status, "application/json; charset=utf-8", json.dumps(values).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # The client gave up waiting.
            self.close_connection = True
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _make_id_token(account: str, dialect: Dialect) -> str:
    claims = {"sub": "1", "preferred_username" if dialect is Dialect.microsoft else "email": account}
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "signature"])


def find_secrets(provider: OAuthProvider, *paths: Path) -> list[str]:
    """The secrets of ``provider`` that stand in files or below folders, as they are or in base64."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    found = []
    for file in files:
        if file.is_file():
            found += [f"{file}: {secret}" for secret in find_in_text(provider, file.read_bytes())]
    return found


def find_in_text(provider: OAuthProvider, text: bytes | str) -> list[str]:
    """The secrets of ``provider`` that stand in ``text``, as they are or in base64."""
    data = text.encode() if isinstance(text, str) else text
    found = []
    for secret in provider.every_secret:
        # Three ways, depending on where it begins in what was encoded.
        forms = [secret.encode()]
        forms += [base64.b64encode(b"x" * n + secret.encode())[4:-4] for n in (0, 1, 2)]
        if any(form in data for form in forms):
            found.append(secret)
    return found
