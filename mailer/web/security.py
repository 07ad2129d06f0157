"""The guard around every page: who may ask, how much they may send, what a browser may do with the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY_BYTES = 64 * 1024
"""More than any of our forms can fill; a one-click POST has 26."""

_MAX_LENGTH_DIGITS = 9

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""A readers' page: our own style sheet and pictures, forms to ourselves, no script at all."""

PREVIEW_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The preview's own page: one script file that watches for changes, and frames with the mail."""


def make_mail_policy(*, images: str, ancestors: str) -> str:
    """The policy of a page that shows a mail: an origin of its own, no script, no form; links may open.

    ``images`` and ``ancestors`` are CSP source lists. Mail is styled in place, so inline style is allowed,
    here and nowhere else.
    """
    return (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; script-src 'none'; "
        f"style-src 'unsafe-inline'; img-src {images}; form-action 'none'; frame-ancestors {ancestors}; "
        "base-uri 'none'"
    )


ErrorPage = Callable[[int, Scope], Response]
"""Makes the page that says no, of an HTTP status and the request it answers."""


@dataclass(frozen=True, kw_only=True)
class SecurityRules:
    """What one application allows.

    ``policy`` is the Content-Security-Policy of a page that sets none itself. ``hosts`` are the only names
    the application answers to (empty: any). ``public_hosts`` are the public names a form may come from besides
    the Host of the request. ``cross_site_post_paths`` are path prefixes that take a POST from anywhere.
    ``https_only`` says whether the public address is HTTPS.
    """

    policy: str
    error_page: ErrorPage
    allowed_hosts: frozenset[str] = frozenset()
    public_hosts: frozenset[str] = frozenset()
    cross_site_post_paths: tuple[str, ...] = ()
    https_only: bool = False


class SecurityMiddleware:
    """ASGI middleware that holds the rules for every request, whichever route it reaches."""

    def __init__(self, app: ASGIApp, *, rules: SecurityRules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        status = check_request(scope, self.rules)
        answer = self.app if status is None else self.rules.error_page(status, scope)
        await answer(
            scope, _limit_body(receive, Headers(scope=scope)), self._with_security_headers(scope, send)
        )

    def _with_security_headers(self, scope: Scope, send: Send) -> Send:
        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_security_headers(MutableHeaders(scope=message), scope["path"], self.rules)
            await send(message)

        return send_dressed


def check_request(scope: Scope, rules: SecurityRules) -> int | None:
    """The HTTP status to refuse a request with, or None where it may pass."""
    headers = Headers(scope=scope)
    if (
        rules.allowed_hosts
        and _parse_host(headers.get("host", ""), with_port=False) not in rules.allowed_hosts
    ):
        return 421
    if has_encoded_separator(scope.get("raw_path") or b""):
        return 404
    if scope["method"] in _SAFE_METHODS or scope["path"].startswith(rules.cross_site_post_paths):
        return None
    return None if is_same_origin(headers, rules.public_hosts) else 403


def has_encoded_separator(raw_path: bytes) -> bool:
    """Whether a path hides a separator behind an escape.

    ``/u%2fTOKEN`` decodes to ``/u/TOKEN``: one page would have two names, and a proxy's rule knows one.
    """
    lowered = raw_path.lower()
    return any(escape in lowered for escape in (b"%2f", b"%5c", b"%00"))


def is_same_origin(headers: Mapping[str, str], own_hosts: frozenset[str]) -> bool:
    """Whether a browser says that our own page sent this request.

    Every current browser sends Sec-Fetch-Site; older ones send at least Origin with a form.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    host = _parse_host(headers.get("origin", "").partition("://")[2])
    return bool(host) and (host == headers.get("host") or host in own_hosts)


def _parse_host(netloc: str, *, with_port: bool = True) -> str:
    """The host a ``Host`` header or an origin names; empty where it names none."""
    try:
        parts = urlsplit(f"//{netloc}")
    except ValueError:
        return ""
    return parts.netloc if with_port else parts.hostname or ""


def _limit_body(receive: Receive, headers: Headers) -> Receive:
    """``receive`` that raises HTTPException 413 once the body is, or says it is, larger than allowed."""
    declared = headers.get("content-length", "0")
    seen = 0

    async def receive_limited() -> Message:
        nonlocal seen
        if declared.isdecimal() and (len(declared) > _MAX_LENGTH_DIGITS or int(declared) > MAX_BODY_BYTES):
            raise HTTPException(413)
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY_BYTES:
            raise HTTPException(413)
        return message

    return receive_limited


def add_security_headers(headers: MutableHeaders, path: str, rules: SecurityRules) -> None:
    """Add the headers that every answer carries; what a route has set itself stays."""
    for name, value in _COMMON_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("content-security-policy", rules.policy)
    if path.startswith(_TOKEN_PATHS):
        headers.setdefault("x-robots-tag", "noindex, nofollow")
    # The path of a page is a key, and must not travel in Referer. Under no-referrer a browser sends
    # "Origin: null" even with our own form, and one without Sec-Fetch-Site could then save no preferences.
    headers.setdefault(
        "referrer-policy", "same-origin" if path.startswith(_TOKEN_FORM_PATHS) else "no-referrer"
    )
    if rules.https_only:
        headers.setdefault("strict-transport-security", "max-age=31536000")


_TOKEN_FORM_PATHS = ("/p/", "/d/", "/confirm/", "/subscribe", "/link")
"""Pages with a form that is taken from our own pages alone."""

_TOKEN_PATHS = ("/u/", *_TOKEN_FORM_PATHS)
"""Pages for one reader, or for nobody's shelf."""

_COMMON_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
