"""Check 39: whether the pages that a mail leads to answer. The only check that uses the network, and only
when it is asked for.

A link is somebody's text, so where it leads is not trusted: a name is resolved once, every address it has
must be public, and the connection goes to that very address. This holds for every redirect, because each is
a request of its own here.
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
"""Says which addresses may be asked."""

_MAX_CONCURRENT = 8
_TIMEOUT = 10.0
_MAX_REDIRECTS = 5
# Sites that do not know HEAD answer it with one of these; then GET decides.
_RETRY_WITH_GET = frozenset({400, 403, 404, 405, 429, 500, 501, 503})
_USER_AGENT = "partner-mailer link check"


class LinkStatus(StrEnum):
    """What became of asking a link; each but the first is a check's code."""

    ok = "fine"
    """The page answered."""

    broken = "link-broken"
    """The page answered with an error."""

    unreachable = "link-unreachable"
    """Nothing answered."""

    refused = "link-refused"
    """It leads to an address that we do not ask."""


@dataclass(frozen=True, kw_only=True)
class LinkResult:
    """What a link answered. ``detail`` is the status in digits, or why there is none."""

    link: str
    status: LinkStatus
    detail: str


class _ForbiddenAddressError(Exception):
    """A name leads to an address outside the public network."""


def is_public(address: Address) -> bool:
    """Whether readers everywhere can reach ``address``: it is neither private, nor this machine, nor set
    aside. An IPv4 address within an IPv6 one is judged by itself."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def check_links(
    links: Mapping[str, tuple[str, int]], *, is_allowed: AddressRule = is_public, timeout: float = _TIMEOUT
) -> list[Problem]:
    """Ask every one of ``links``, each with the file and line it stands on; a problem for each that does not
    answer well."""
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
    LinkStatus.broken: "{link} answers with {detail}, so readers see an error. Open it, and correct the link.",
    LinkStatus.unreachable: "{link} does not answer ({detail}). Open it from elsewhere, and correct the link.",
    LinkStatus.refused: "{link} leads to {detail}, which readers cannot reach. Use the public address.",
}


def probe_links(
    links: Iterable[str], *, is_allowed: AddressRule = is_public, timeout: float = _TIMEOUT
) -> Iterator[LinkResult]:
    """Ask ``links``, some at a time, each step within ``seconds``; the answers in the order of the links."""
    with _open_client(is_allowed, timeout) as client, ThreadPoolExecutor(_MAX_CONCURRENT) as pool:
        yield from pool.map(lambda link: _probe_link(client, link), links)


def _probe_link(client: "httpx2.Client", link: str) -> LinkResult:
    # Kept out of the module's head: it takes a tenth of a second to load.
    import httpx2

    try:
        status = client.head(link).status_code
        if status in _RETRY_WITH_GET:
            # Only the first bytes: some link to a film.
            with client.stream("GET", link) as response:
                status = response.status_code
    except _ForbiddenAddressError as error:
        return LinkResult(link=link, status=LinkStatus.refused, detail=str(error))
    except httpx2.TooManyRedirects:
        return LinkResult(link=link, status=LinkStatus.broken, detail="one redirect after the other")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
        return LinkResult(link=link, status=LinkStatus.unreachable, detail=_explain(error))
    fate = LinkStatus.broken if status >= 400 else LinkStatus.ok
    return LinkResult(link=link, status=fate, detail=str(status))


def _explain(error: Exception) -> str:
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return str(error).strip() or type(error).__name__


def _open_client(is_allowed: AddressRule, timeout: float) -> "httpx2.Client":
    import httpx2

    class GuardedTransport(httpx2.BaseTransport):
        """Sends every request, also those that follow a redirect, to the address that was judged."""

        def __init__(self) -> None:
            # A connection kept for one name must not serve another name at the same address.
            self._inner = httpx2.HTTPTransport(
                trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
            )

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            name = request.url.host
            port = request.url.port or (443 if request.url.scheme == "https" else 80)
            url = request.url.copy_with(host=str(resolve(name, port, is_allowed)))
            # The name stays in the Host header, and is what the certificate is held to.
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
    """The address to ask for ``host``. A name that has one forbidden address has none that is trusted.

    Raises:
        OSError: the name is not known.
        _RefusedAddressError: one of its addresses is not allowed.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not is_allowed(address):
            raise _ForbiddenAddressError(f"{host} at {address}")
    return addresses[0]
