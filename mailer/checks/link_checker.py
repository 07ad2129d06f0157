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

_AT_ONCE = 8
_SECONDS = 10.0
_MOST_REDIRECTS = 5
# Sites that do not know HEAD answer it with one of these; then GET decides.
_NOT_FOR_HEAD = frozenset({400, 403, 404, 405, 429, 500, 501, 503})
_AGENT = "partner-mailer link check"


class Fate(StrEnum):
    """What became of asking a link; each but the first is a check's code."""

    fine = "fine"
    """The page answered."""

    broken = "link-broken"
    """The page answered with an error."""

    unreachable = "link-unreachable"
    """Nothing answered."""

    refused = "link-refused"
    """It leads to an address that we do not ask."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a link answered. ``detail`` is the status in digits, or why there is none."""

    link: str
    fate: Fate
    detail: str


class _RefusedAddressError(Exception):
    """A name leads to an address outside the public network."""


def is_public(address: Address) -> bool:
    """Whether readers everywhere can reach ``address``: it is neither private, nor this machine, nor set
    aside. An IPv4 address within an IPv6 one is judged by itself."""
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def check_links(
    links: Mapping[str, tuple[str, int]], *, rule: AddressRule = is_public, seconds: float = _SECONDS
) -> list[Problem]:
    """Ask every one of ``links``, each with the file and line it stands on; a problem for each that does not
    answer well."""
    problems = []
    for answer in ask_links(links, rule=rule, seconds=seconds):
        if answer.fate is not Fate.fine:
            path, line = links[answer.link]
            code = answer.fate.value
            message = _MESSAGES[answer.fate].format(link=answer.link, detail=answer.detail)
            problems.append(
                Problem(path=path, line=line, level=CHECKS[code].level, code=code, message=message)
            )
    return sorted(problems)


_MESSAGES = {
    Fate.broken: "{link} answers with {detail}, so readers see an error. Open it, and correct the link.",
    Fate.unreachable: "{link} does not answer ({detail}). Open it from elsewhere, and correct the link.",
    Fate.refused: "{link} leads to {detail}, which readers cannot reach. Use the public address.",
}


def ask_links(
    links: Iterable[str], *, rule: AddressRule = is_public, seconds: float = _SECONDS
) -> Iterator[Answer]:
    """Ask ``links``, some at a time, each step within ``seconds``; the answers in the order of the links."""
    with _open_client(rule, seconds) as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(lambda link: _ask(client, link), links)


def _ask(client: "httpx2.Client", link: str) -> Answer:
    # Kept out of the module's head: it takes a tenth of a second to load.
    import httpx2

    try:
        status = client.head(link).status_code
        if status in _NOT_FOR_HEAD:
            # Only the first bytes: some link to a film.
            with client.stream("GET", link) as response:
                status = response.status_code
    except _RefusedAddressError as error:
        return Answer(link=link, fate=Fate.refused, detail=str(error))
    except httpx2.TooManyRedirects:
        return Answer(link=link, fate=Fate.broken, detail="one redirect after the other")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
        return Answer(link=link, fate=Fate.unreachable, detail=_explain(error))
    fate = Fate.broken if status >= 400 else Fate.fine
    return Answer(link=link, fate=fate, detail=str(status))


def _explain(error: Exception) -> str:
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return str(error).strip() or type(error).__name__


def _open_client(rule: AddressRule, seconds: float) -> "httpx2.Client":
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
            url = request.url.copy_with(host=str(resolve(name, port, rule)))
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
        max_redirects=_MOST_REDIRECTS,
        timeout=seconds,
        trust_env=False,
        headers={"User-Agent": _AGENT, "Accept": "*/*"},
    )


def resolve(host: str, port: int, rule: AddressRule) -> Address:
    """The address to ask for ``host``. A name that has one forbidden address has none that is trusted.

    Raises:
        OSError: the name is not known.
        _RefusedAddressError: one of its addresses is not allowed.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not rule(address):
            raise _RefusedAddressError(f"{host} at {address}")
    return addresses[0]
