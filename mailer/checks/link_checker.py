"""Check 39: whether the pages that an email links to respond. It is the only check that uses the network, and
it only runs on request.

Links are not trusted: a host name is resolved once, all of its addresses must be public, and the connection
goes to the resolved address. That also applies to every redirect, because each is a request of its own here.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from editions.problem import Problem
from mailer.checks.registry import CHECKS

if TYPE_CHECKING:
    import httpx2

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressRule: TypeAlias = Callable[[Address], bool]
"""Decides which addresses may be contacted."""

_MAX_CONCURRENT = 8
_TIMEOUT = 10.0
_MAX_REDIRECTS = 5
# Servers that do not support HEAD return one of these; then GET decides.
_RETRY_WITH_GET = frozenset({400, 403, 404, 405, 429, 500, 501, 503})
_USER_AGENT = "partner-mailer link check"


class LinkStatus(StrEnum):
    """The result of testing a link; each value except the first is the code of a check."""

    ok = "fine"
    """The page responded."""

    broken = "link-broken"
    """The page returned an error."""

    unreachable = "link-unreachable"
    """There was no response."""

    refused = "link-refused"
    """Its address is not one that we contact."""


@dataclass(frozen=True, kw_only=True)
class LinkResult:
    """The result for one link. ``detail`` is the status code, or why there is none."""

    link: str
    status: LinkStatus
    detail: str


class _ForbiddenAddressError(Exception):
    """A host name resolves to an address outside the public network."""


def is_public(address: Address) -> bool:
    """Whether ``address`` is reachable from everywhere: not private, not loopback, not reserved. An IPv4
    address embedded in an IPv6 one is judged by itself."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def check_links(
    links: Mapping[str, tuple[str, int]], *, is_allowed: AddressRule = is_public, timeout: float = _TIMEOUT
) -> list[Problem]:
    """Test all ``links``, each with the file and line it comes from; return a problem for each that does not
    work."""
    problems = []
    for answer in probe_links(links, is_allowed=is_allowed, timeout=timeout):
        if answer.status is not LinkStatus.ok:
            path, line = links[answer.link]
            code = answer.status.value
            message = _MESSAGES[answer.status].format(link=answer.link, detail=answer.detail)
            problems.append(
                Problem(path=path, line=line, level=CHECKS[code].level, code=code, message=message)
            )
    return sorted(problems)


_MESSAGES = {
    LinkStatus.broken: "{link} returns {detail}, so readers see an error. Open it, and correct the link.",
    LinkStatus.unreachable: (
        "{link} does not respond ({detail}). Open it from another network, and correct the link if the "
        "page is gone."
    ),
    LinkStatus.refused: "{link} points to {detail}, which readers cannot reach. Use the public address.",
}


def probe_links(
    links: Iterable[str], *, is_allowed: AddressRule = is_public, timeout: float = _TIMEOUT
) -> Iterator[LinkResult]:
    """Test ``links``, several at a time, each step within ``timeout`` seconds; the results are in the order
    of the links."""
    with _open_client(is_allowed, timeout) as client, ThreadPoolExecutor(_MAX_CONCURRENT) as pool:
        yield from pool.map(lambda link: _probe_link(client, link), links)


def _probe_link(client: "httpx2.Client", link: str) -> LinkResult:
    # Not imported at the top: it takes a tenth of a second to load.
    import httpx2

    try:
        status = client.head(link).status_code
        if status in _RETRY_WITH_GET:
            # The body is not read: some links lead to a film.
            with client.stream("GET", link) as response:
                status = response.status_code
    except _ForbiddenAddressError as error:
        return LinkResult(link=link, status=LinkStatus.refused, detail=str(error))
    except httpx2.TooManyRedirects:
        return LinkResult(link=link, status=LinkStatus.broken, detail="too many redirects")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
        return LinkResult(link=link, status=LinkStatus.unreachable, detail=_explain(error))
    fate = LinkStatus.broken if status >= 400 else LinkStatus.ok
    return LinkResult(link=link, status=fate, detail=str(status))


def _explain(error: Exception) -> str:
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        return "timed out"
    return str(error).strip() or type(error).__name__


def _open_client(is_allowed: AddressRule, timeout: float) -> "httpx2.Client":
    import httpx2

    class GuardedTransport(httpx2.BaseTransport):
        """Sends every request, also those that follow a redirect, to the address that was judged."""

        def __init__(self) -> None:
            # A connection kept open for one host must not be reused for another host at the same address.
            self._inner = httpx2.HTTPTransport(
                trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
            )

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            name = request.url.host
            port = request.url.port or (443 if request.url.scheme == "https" else 80)
            url = request.url.copy_with(host=str(resolve(name, port, is_allowed)))
            # The name stays in the Host header, and the certificate is verified against it.
            extensions = {**request.extensions, "sni_hostname": name}
            return self._inner.handle_request(
                httpx2.Request(
                    request.method, url, headers=request.headers, stream=request.stream, extensions=extensions
                )
            )

        def close(self) -> None:
            self._inner.close()

    return httpx2.Client(
        transport=GuardedTransport(),
        follow_redirects=True,
        max_redirects=_MAX_REDIRECTS,
        timeout=timeout,
        trust_env=False,
        headers={"User-Agent": _USER_AGENT, "Accept": "*/*"},
    )


def resolve(host: str, port: int, is_allowed: AddressRule) -> Address:
    """The address to contact for ``host``. A host with one forbidden address is refused altogether.

    Raises:
        OSError: the host name cannot be resolved.
        _ForbiddenAddressError: one of its addresses is not allowed.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not is_allowed(address):
            raise _ForbiddenAddressError(f"{host} at {address}")
    return addresses[0]
