"""Who may see a page that is served on somebody's own machine: who started it, and no other user of it.

A port on 127.0.0.1 is open to everybody on the machine, and the preview and the reports show subscribers'
addresses. So their address contains a secret, which a cookie then keeps.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from mailer.atomic_write import write_atomically

_PARAMETER = "token"
# Browsers send no cookie for the images of a frame without an origin of its own, such as our sandboxed email.
# An image is named by a hash of its content, so nobody finds it who has not seen it.
_OPEN_PATHS = ("/media/", "/static/", "/favicon.ico")


@dataclass(frozen=True)
class LocalAccess:
    """The secret of one run of a local app, and the path at which it opens."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    opening_path: str = "/"

    def make_url(self, base: str) -> str:
        """The address to open: the app at ``base``, with the secret."""
        return f"{base}{self.opening_path}?{urlencode({_PARAMETER: self.token})}"

    @property
    def cookie_name(self) -> str:
        """Its own for every run, because browsers keep one set of cookies for all ports of a machine."""
        return f"mailer_{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"

    def refuses(self, scope: Scope) -> bool:
        """Whether a request comes without the secret and needs it."""
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
        """Whether a request is for the address that was printed."""
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
