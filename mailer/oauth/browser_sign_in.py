"""Signs a person in with their browser, which comes back to this machine with a code (RFC 8252, RFC 7636)."""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.oauth.provider import GrantRefusedError, SignInFailedError, clean_words, explain_refusal
from mailer.oauth.token_client import TokenClient, TokenResponse

SIGN_IN_SECONDS = 600.0
"""How long a person has to sign in."""

_LOOPBACK = "127.0.0.1"
_REQUEST_SECONDS = 5.0
_POLL_SECONDS = 0.25
_VERIFIER_BYTES = 48  # RFC 7636 §4.1: 43 to 128 characters
_STATE_BYTES = 24
_PASTE_PORT = 8400
"""Where a browser on another machine looks for us in vain. Any port is allowed, and nothing listens on it."""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1.125rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto 0; padding: 0 1.5rem; }}
h1 {{ font-size: 1.75rem; line-height: 1.25; margin: 0 0 .5rem; }}
p {{ margin: 0; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
</main>
</body>
</html>
"""
_DONE = ("You have signed in", "Close this page and go back to the terminal.")
_DECLINED = ("You have not signed in", "Go back to the terminal, which says why.")
_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "Referrer-Policy": "no-referrer",
        "Connection": "close",
    }
)
_OTHER = ("Nothing here", "This page is only there while somebody signs in.")
Judgement = tuple[int, tuple[str, str]]
"""The status to answer, and the title and text of the page."""


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """Where a person signs in, and what we must remember until they come back."""

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    def is_answered_by(self, url: str) -> bool:
        state = parse_qs(urlsplit(url).query).get("state", [""])[0]
        return hmac.compare_digest(state.encode(), self.state.encode())

    def read_redirect(self, url: str) -> str:
        """Return the code in the address that the browser came back to. Raise SignInFailedError if the person
        declined, or it is the address of something else.
        """
        url = url.strip()
        values = {name: found[0] for name, found in parse_qs(urlsplit(url).query).items()}
        if not self.is_answered_by(url):
            raise SignInFailedError(
                gettext_noop(
                    "This address does not belong to this sign-in. Run the command again, open the "
                    "address that it shows, and copy the one that you end at."
                )
            )
        if error := values.get("error"):
            if error == "access_denied":
                raise SignInFailedError(
                    gettext_noop("The sign-in was declined. Run the command again to repeat it.")
                )
            words = explain_refusal(error, values.get("error_description", ""))
            raise SignInFailedError(
                Phrase(
                    "The provider did not sign you in (%(error)s): %(words)s",
                    error=clean_words(error),
                    words=words,
                )
            )
        if not values.get("code"):
            raise SignInFailedError(gettext_noop("The address has no code in it. Copy all of it."))
        return values["code"]


class RedirectListener:
    """Waits on a free port of this machine for the browser to come back. Use it in a ``with``."""

    def __init__(self) -> None:
        self._server = _LoopbackServer((_LOOPBACK, 0), _RedirectHandler)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def wait(
        self,
        request: AuthorizationRequest,
        *,
        seconds: float = SIGN_IN_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> str:
        """Return the code that the browser brings. Requests that are not the redirect are answered 404. Raise
        SignInFailedError if the person declined, or ``seconds`` have passed.
        """
        end = monotonic() + seconds
        outcome: list[str | SignInFailedError] = []

        def judge(path: str) -> Judgement:
            # Anybody on this machine can ask us; only the browser that we sent away knows the state.
            if outcome or not request.is_answered_by(path):
                return 404, _OTHER
            try:
                outcome.append(request.read_redirect(path))
            except SignInFailedError as error:
                outcome.append(error)
                return 200, _DECLINED
            return 200, _DONE

        self._server.judge = judge
        while not outcome:
            if monotonic() >= end:
                raise SignInFailedError(
                    Phrase(
                        "Nobody has signed in within %(seconds)s minutes. Run the command again.",
                        seconds=f"{seconds / 60:.0f}",
                    )
                )
            self._server.handle_request()
        if isinstance(outcome[0], SignInFailedError):
            raise outcome[0]
        return outcome[0]


class _LoopbackServer(HTTPServer):
    """Answers one request after another, as ``judge`` says."""

    timeout = _POLL_SECONDS
    judge: Callable[[str], Judgement] = staticmethod(lambda _: (404, _OTHER))

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no reason to fill the terminal."""


class _RedirectHandler(BaseHTTPRequestHandler):
    server: _LoopbackServer
    # A connection that says nothing must not keep the browser out.
    timeout = _REQUEST_SECONDS

    def do_GET(self) -> None:
        status, (title, text) = self.server.judge(self.path)
        body = _PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the path has the code in it."""


def make_authorization_request(
    client: TokenClient, scopes: tuple[str, ...], *, user: str, port: int = _PASTE_PORT
) -> AuthorizationRequest:
    """Return where a person signs in as ``user``, to come back to ``port`` of this machine."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    provider = client.provider
    redirect_uri = f"http://{provider.redirect_host}:{port}"
    state, verifier = secrets.token_urlsafe(_STATE_BYTES), secrets.token_urlsafe(_VERIFIER_BYTES)
    url = prepare_grant_uri(
        provider.authorization_url,
        client.client_id,
        "code",
        redirect_uri=redirect_uri,
        scope=" ".join(scopes),
        state=state,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
        login_hint=user,
        **provider.extra,
    )
    return AuthorizationRequest(url=url, redirect_uri=redirect_uri, state=state, verifier=verifier)


def sign_in_by_browser(
    client: TokenClient,
    scopes: tuple[str, ...],
    *,
    user: str,
    show: Callable[[str], None],
    seconds: float = SIGN_IN_SECONDS,
) -> TokenResponse:
    """``show`` the address to sign in at, and wait until the browser comes back. Raise SignInFailedError if
    the person declined, or was not back in time, and OAuthError if the provider gives no token.
    """
    with RedirectListener() as listener:
        request = make_authorization_request(client, scopes, user=user, port=listener.port)
        show(request.url)
        code = listener.wait(request, seconds=seconds)
    return _redeem(client, request, code)


def sign_in_by_paste(
    client: TokenClient,
    scopes: tuple[str, ...],
    *,
    user: str,
    ask: Callable[[str], str],
) -> TokenResponse:
    """Have the address to sign in at opened on another machine; ``ask`` for the one that its browser ends at.
    Raise SignInFailedError if the person declined, or pasted something else, and OAuthError if the provider
    gives no token.
    """
    request = make_authorization_request(client, scopes, user=user)
    return redeem_address(client, request, ask(request.url))


def redeem_address(client: TokenClient, request: AuthorizationRequest, address: str) -> TokenResponse:
    """Finish a sign-in with the ``address`` that a browser on any machine ended at. Raise SignInFailedError
    if the person declined, or it is the address of something else.
    """
    return _redeem(client, request, request.read_redirect(address))


def _redeem(client: TokenClient, request: AuthorizationRequest, code: str) -> TokenResponse:
    try:
        return client.redeem_code(code, redirect_uri=request.redirect_uri, verifier=request.verifier)
    except GrantRefusedError as error:
        raise SignInFailedError(
            Phrase(
                "%(provider)s does not take the code any more. Run the command again.",
                provider=client.provider.name,
            )
        ) from error
