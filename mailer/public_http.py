"""An HTTP client that contacts public addresses only, for addresses that other people wrote.

A host name is resolved once, all of its addresses must be public, and the connection goes to the address that
was judged. That also applies to every redirect, because each is a request of its own here.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import httpx2

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressRule: TypeAlias = Callable[[Address], bool]
"""Decides which addresses may be contacted."""

_MAX_REDIRECTS = 5
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out (RFC 4291, section 2.4). Outside, Python calls addresses global that are
nobody's, and some of them lead back to a host's own IPv4."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""How a network without IPv4 writes IPv4 addresses (RFC 6052): its gateway contacts the last 32 bits."""


class ForbiddenAddressError(Exception):
    """A host name resolves to an address outside the public network; the message names both."""


def is_public(address: Address) -> bool:
    """Whether ``address`` is reachable from everywhere: not private, not loopback, not reserved. An IPv4
    address embedded in an IPv6 one is judged by itself."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(address.packed[-4:])
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast


def resolve(host: str, port: int, is_allowed: AddressRule) -> Address:
    """The address to contact for ``host``. A host with one forbidden address is refused altogether. Raise
    OSError if the host name cannot be resolved, and ForbiddenAddressError if one of its addresses is not
    allowed.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not is_allowed(address):
            name = host.strip("[]")
            raise ForbiddenAddressError(name if name == str(address) else f"{name} at {address}")
    return addresses[0]


def open_public_client(is_allowed: AddressRule, *, timeout: float, user_agent: str) -> "httpx2.Client":
    """A client that follows a few redirects, each step within ``timeout`` seconds. Its requests raise a
    :class:`ForbiddenAddressError` for an address that is not allowed."""
    # Not imported at the top: it takes a tenth of a second to load.
    import httpx2

    class GuardedTransport(httpx2.BaseTransport):
        """Sends every request, also those that follow a redirect, to the address that was judged."""

        def __init__(self) -> None:
            # A connection kept open for one host must not be reused for another host at the same address.
            self._inner = httpx2.HTTPTransport(
                trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
            )

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.scheme not in {"http", "https"}:
                raise httpx2.UnsupportedProtocol(f"an address that begins with {request.url.scheme}:")
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
        headers={"User-Agent": user_agent, "Accept": "*/*"},
    )
