"""An organisation's sign-in of the tests' own (OpenID Connect): it signs its tokens, and lies on command."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT_ID = "studio app"
CLIENT_SECRET = "s3cret:with%signs"


@dataclass
class OpenIdServer:
    """A provider on loopback. ``claims`` are added to its tokens, or replace what it would say; None leaves
    a claim out. ``key`` signs; ``published`` are the keys that it shows. ``status`` and ``text`` answer in
    place of everything but the page of signing in."""

    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=lambda: {"alg": "RS256"})
    issuer_said: str = ""
    takes_secret_in_body: bool = False
    status: int = 200
    text: str = ""
    token: str = ""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key: RSAKey | ECKey = RSAKey.generate_key(2048, {"kid": "1"})
        self.published: list[RSAKey | ECKey] = [self.key]
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "OpenIdServer":
        owner = self

        class Handler(_Handler):
            provider = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def describe(self) -> dict[str, Any]:
        known: dict[str, Any] = {
            "issuer": self.issuer_said or self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        if self.takes_secret_in_body:
            known["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        return known

    def authorize(self, values: dict[str, str]) -> str:
        """Where the browser is sent when the person has signed in."""
        self.requests.append(("/authorize", values))
        code = secrets.token_urlsafe(16)
        self._codes[code] = values
        return f"{values['redirect_uri']}?{urlencode({'code': code, 'state': values['state']})}"

    def redeem(self, values: dict[str, str], auth: str) -> tuple[int, dict[str, Any]]:
        self.requests.append(("/token", values))
        asked = self._codes.pop(values.get("code", ""), None)
        if not self._is_client(values, auth):
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(values.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.make_token(asked["nonce"])}

    def make_token(self, nonce: str) -> str:
        if self.token:
            return self.token
        now = int(time.time())
        usual = {
            "iss": self.url,
            "sub": "subject-1",
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
            "email": "ann@example.org",
            "email_verified": True,
        }
        claims = {name: value for name, value in {**usual, **self.claims}.items() if value is not None}
        return jwt.encode({"kid": str(self.key.kid), **self.header}, claims, self.key)

    def _is_client(self, values: Mapping[str, str], auth: str) -> bool:
        if self.takes_secret_in_body:
            return (values.get("client_id"), values.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        name, _, secret = base64.b64decode(auth.removeprefix("Basic ")).decode().partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)


class _Handler(BaseHTTPRequestHandler):
    """One request to the provider."""

    provider: OpenIdServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/authorize":
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(dict(parse_qsl(parts.query))))
            self.end_headers()
        elif parts.path == "/.well-known/openid-configuration":
            self._send(200, self.provider.describe())
        elif parts.path == "/keys":
            keys = KeySet(self.provider.published)
            self._send(200, keys.as_dict(private=False))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self._send(*self.provider.redeem(dict(parse_qsl(body)), self.headers.get("Authorization", "")))

    def _send(self, status: int, values: Mapping[str, Any]) -> None:
        provider = self.provider
        data = provider.text.encode() if provider.text else json.dumps(values).encode()
        self.send_response(provider.status if provider.status != 200 else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
