"""The security middleware: which requests are allowed, how large they may be, and response headers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailer.web.access import is_loopback, parse_host

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY_BYTES = 64 * 1024
"""More than any of our forms can fill; a one-click POST has 26 bytes."""

_MAX_LENGTH_DIGITS = 9

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""A readers' page: our own style sheet and images, forms to our own site, and no scripts."""

READING_POLICY = f"{PAGE_POLICY}; style-src-attr 'unsafe-inline'; connect-src 'self'"
"""A page of the web edition: like every readers' page, but elements may have a style, which has the colours
of the theme and what Markdown says about a cell, a list or a word; and what judges a page from inside, as
Lighthouse does, may fetch robots.txt."""

PREVIEW_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The preview page: one script that watches for changes, and frames with the email."""

STUDIO_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""A page of Studio: our own scripts and style sheets, frames with the email, pictures as they are chosen."""
ErrorPage = Callable[[int, Scope], Response]
"""Makes the error page for an HTTP status and the request's scope."""
_TOKEN_FORM_PATHS = ("/p/", "/d/", "/confirm/", "/subscribe", "/link", "/verify", "/studio/")
"""Pages with a form that is accepted only from our own pages."""
_TOKEN_PATHS = ("/u/", "/c/", "/hooks/", *_TOKEN_FORM_PATHS)
"""Pages that search engines must not index."""
_COMMON_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def make_mail_policy(*, images: str, ancestors: str, own_origin: bool = False) -> str:
    """Make the policy of a page that shows an email: an origin of its own, no scripts, no forms; links work.

    ``images`` and ``ancestors`` are CSP source lists. With ``own_origin`` the email has the origin of its
    address, so that its pictures may need a cookie. Emails use inline styles, so these are allowed here and
    nowhere else.
    """
    sandbox = (
        f"sandbox allow-popups allow-popups-to-escape-sandbox{' allow-same-origin' if own_origin else ''}"
    )
    return (
        f"{sandbox}; default-src 'none'; script-src 'none'; "
        f"style-src 'unsafe-inline'; img-src {images}; form-action 'none'; frame-ancestors {ancestors}; "
        "base-uri 'none'"
    )


@dataclass(frozen=True, kw_only=True)
class SecurityRules:
    """The security rules of one app.

    ``policy`` is the Content-Security-Policy of a page that sets none itself. ``public_hosts`` are the hosts
    a form may come from, beside the Host of the request. ``cross_site_post_paths`` are path prefixes that
    accept a POST from any site, ``large_bodies`` those with a limit of their own, in bytes. ``local_only``
    refuses a Host that does not mean this machine: another site's name may resolve to 127.0.0.1 (DNS
    rebinding). ``refuses`` says whether a request lacks a secret that it needs; ``admit`` may answer an
    allowed one in place of the app, as the first visit with a secret in the address.
    """

    policy: str
    error_page: ErrorPage
    public_hosts: frozenset[str] = frozenset()
    cross_site_post_paths: tuple[str, ...] = ()
    large_bodies: Mapping[str, int] = field(default_factory=dict)
    https_only: bool = False
    local_only: bool = False
    refuses: Callable[[Scope], bool] | None = None
    admit: Callable[[Scope], Response | None] | None = None


class SecurityMiddleware:
    """ASGI middleware that applies the rules to every request, whichever route it reaches."""

    def __init__(self, app: ASGIApp, *, rules: SecurityRules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        status = check_request(scope, self.rules)
        answer: ASGIApp = self._admit(scope) if status is None else self.rules.error_page(status, scope)
        limited = _limit_body(receive, Headers(scope=scope), find_body_limit(scope["path"], self.rules))
        await answer(scope, limited, self._with_security_headers(scope, send))

    def _admit(self, scope: Scope) -> ASGIApp:
        admitted = self.rules.admit(scope) if self.rules.admit is not None else None
        return self.app if admitted is None else admitted

    def _with_security_headers(self, scope: Scope, send: Send) -> Send:
        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_security_headers(MutableHeaders(scope=message), scope["path"], self.rules)
            await send(message)

        return send_dressed


def check_request(scope: Scope, rules: SecurityRules) -> int | None:
    """Return the HTTP status to refuse a request with, or None if it is allowed."""
    headers = Headers(scope=scope)
    if rules.local_only and not is_loopback(parse_host(headers.get("host", ""))):
        return 421
    if has_encoded_separator(scope.get("raw_path") or b""):
        return 404
    if rules.refuses is not None and rules.refuses(scope):
        return 403
    if scope["method"] in _SAFE_METHODS or scope["path"].startswith(rules.cross_site_post_paths):
        return None
    return None if is_same_origin(headers, rules.public_hosts) else 403


def has_encoded_separator(raw_path: bytes) -> bool:
    """Return whether a path contains an encoded separator.

    ``/u%2fTOKEN`` decodes to ``/u/TOKEN``: a page would have two paths, and a proxy's rule covers only one.
    """
    lowered = raw_path.lower()
    return any(escape in lowered for escape in (b"%2f", b"%5c", b"%00"))


def is_same_origin(headers: Mapping[str, str], public_hosts: frozenset[str]) -> bool:
    """Return whether the browser says that this request comes from our own page.

    Every current browser sends Sec-Fetch-Site; older ones at least send Origin with a form.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    host = _parse_origin(headers.get("origin", ""))
    return bool(host) and (host == headers.get("host") or host in public_hosts)


def _parse_origin(origin: str) -> str:
    """Return the host and port of an ``Origin`` header; empty if there are none."""
    try:
        return urlsplit(f"//{origin.partition('://')[2]}").netloc
    except ValueError:
        return ""


def find_body_limit(path: str, rules: SecurityRules) -> int:
    """Return how many bytes the body of a request to ``path`` may have."""
    limits = (limit for prefix, limit in rules.large_bodies.items() if path.startswith(prefix))
    return next(limits, MAX_BODY_BYTES)


def _limit_body(receive: Receive, headers: Headers, limit: int) -> Receive:
    """Wrap ``receive`` to raise HTTPException 413 if the body is, or is declared, larger than allowed."""
    declared = headers.get("content-length", "0")
    seen = 0

    async def receive_limited() -> Message:
        nonlocal seen
        if declared.isdecimal() and (len(declared) > _MAX_LENGTH_DIGITS or int(declared) > limit):
            raise HTTPException(413)
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413)
        return message

    return receive_limited


def add_security_headers(headers: MutableHeaders, path: str, rules: SecurityRules) -> None:
    """Add the headers that every response carries, unless a route has set them itself."""
    for name, value in _COMMON_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("content-security-policy", rules.policy)
    if path.startswith(_TOKEN_PATHS):
        headers.setdefault("x-robots-tag", "noindex, nofollow")
    # The path of a page contains a token, which must not leak in Referer. With no-referrer a browser sends
    # "Origin: null" even with our own form, so a browser without Sec-Fetch-Site could not submit it.
    headers.setdefault(
        "referrer-policy", "same-origin" if path.startswith(_TOKEN_FORM_PATHS) else "no-referrer"
    )
    if rules.https_only:
        headers.setdefault("strict-transport-security", "max-age=31536000")
