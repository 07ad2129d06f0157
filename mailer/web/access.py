"""Who asks: host names, the client's address, and the key of a page on this machine.

A port on 127.0.0.1 is open to everybody on the machine, and the preview and the reports show subscribers'
addresses. So their address contains a secret, which a cookie then keeps.

Each proxy adds the address it was called from at the right end of that header. So the header is read from the
right, and only while the one who wrote the entry is trusted: what a stranger has put at the left is never
reached. No other header is believed.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mailer.atomic_write import write_atomically
from mailer.network import Network, parse_address
from mailer.site_proof import RequestOrigin

_PARAMETER = "token"
# Browsers send no cookie for the images of a frame without an origin of its own, such as our sandboxed email.
# An image is named by a hash of its content, so nobody finds it who has not seen it.
_OPEN_PATHS = ("/media/", "/static/", "/favicon.ico")
_HEADER = b"x-forwarded-for"
_PEER = "mailer.peer"
_UNKNOWN_PORT = 0


@dataclass(frozen=True)
class LocalAccess:
    """The secret of one run of a local app, and the path at which it opens."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    opening_path: str = "/"

    def make_url(self, base: str) -> str:
        return f"{base}{self.opening_path}?{urlencode({_PARAMETER: self.token})}"

    @property
    def cookie_name(self) -> str:
        """Its own for every run, because browsers keep one set of cookies for all ports of a machine."""
        return f"mailer_{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"

    def refuses(self, scope: Scope) -> bool:
        request = Request(scope)
        if request.url.path.startswith(_OPEN_PATHS):
            return False
        return not (self._is_token(request.cookies, self.cookie_name) or self._is_first_visit(request))

    def admit(self, scope: Scope) -> Response | None:
        """Answer the first visit: keep the secret in a cookie, and go on to the address without it, which may
        be seen and shared. None for every other request."""
        request = Request(scope)
        if not self._is_first_visit(request):
            return None
        rest = urlencode(
            [(name, value) for name, value in request.query_params.items() if name != _PARAMETER]
        )
        path = self.opening_path
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
        # Lax: the browser comes from a file or another program, which a strict cookie takes for another site.
        answer.set_cookie(self.cookie_name, self.token, httponly=True, samesite="lax")
        return answer

    def _is_first_visit(self, request: Request) -> bool:
        return request.url.path == self.opening_path and self._is_token(request.query_params, _PARAMETER)

    def _is_token(self, values: Mapping[str, str], name: str) -> bool:
        return hmac.compare_digest(values.get(name, "").encode(), self.token.encode())


def write_opening_page(folder: Path, url: str, *, title: str) -> Path:
    """Write a page, readable by its owner only, that leads to ``url``, and return its path.

    Every user of the machine sees the command line that starts a browser, so the secret must not be in it.
    ``title`` names what is opened, as in "the preview".
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"open-{title.rpartition(' ')[2]}.html"
    address = escape(url)
    page = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta http-equiv="refresh" content="0; url={address}">\n'
        f'<p><a href="{address}">Open {escape(title)}</a></p>\n</html>\n'
    )
    write_atomically(path, page.encode(), durable=False)
    return path


def find_client(peer: str, forwarded: Iterable[str], proxies: Sequence[Network]) -> str:
    """Return the visitor's address.

    ``peer`` is the address the connection comes from, and ``forwarded`` the values of the header in their
    order, of which those are believed that one of the ``proxies`` wrote. If such a proxy wrote something that
    is no address, its own address is returned: all of its visitors then share one, which is safe.
    """
    client = parse_address(peer)
    if client is None:
        return peer
    entries = ",".join(forwarded).split(",")
    while entries and any(client in network for network in proxies):
        before = parse_address(entries.pop())
        if before is None:
            break
        client = before
    return str(client)


class ClientAddressMiddleware:
    """ASGI middleware that puts the visitor's address into the scope, in place of the proxy's."""

    def __init__(self, app: ASGIApp, *, proxies: Sequence[Network]) -> None:
        self.app = app
        self.proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client"):
            peer, port = scope["client"]
            client = find_client(peer, _read_forwarded(scope), self.proxies)
            scope = {
                **scope,
                "client": (client, port if client == peer else _UNKNOWN_PORT),
                _PEER: peer,
            }
        await self.app(scope, receive, send)


def describe_origin(scope: Scope) -> RequestOrigin:
    """Describe where a request came from, for the doctor."""
    client = scope["client"][0] if scope.get("client") else ""
    entries = ",".join(_read_forwarded(scope)).split(",")
    forwarded = tuple(entry.strip() for entry in entries if entry.strip())
    return RequestOrigin(peer=scope.get(_PEER, client), client=client, forwarded=forwarded)


def _read_forwarded(scope: Scope) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER]


def parse_host(netloc: str) -> str:
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
