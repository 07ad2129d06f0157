"""The address of the visitor, read from ``X-Forwarded-For`` as far as proxies are trusted.

Each proxy adds the address it was called from at the right end of that header. So the header is read from the
right, and only while the one who wrote the entry is trusted: what a stranger has put at the left is never
reached. No other header is believed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from mailer.network import Address, Network, parse_address
from mailer.site_proof import RequestOrigin

_HEADER = b"x-forwarded-for"
_PEER = "mailer.peer"
_UNKNOWN_PORT = 0


@dataclass(frozen=True, kw_only=True)
class TrustedProxies:
    """The networks whose ``X-Forwarded-For`` is believed."""

    networks: tuple[Network, ...]

    def find_client(self, peer: str, forwarded: Iterable[str]) -> str:
        """Return the visitor's address.

        ``peer`` is the address the connection comes from, and ``forwarded`` the values of the header in their
        order. If a trusted proxy wrote something that is no address, its own address is returned: all of its
        visitors then share one, which is safe.
        """
        client = parse_address(peer)
        if client is None:
            return peer
        entries = ",".join(forwarded).split(",")
        while entries and self.trusts(client):
            before = parse_address(entries.pop())
            if before is None:
                break
            client = before
        return str(client)

    def trusts(self, address: Address) -> bool:
        """Return whether an address belongs to a trusted proxy."""
        return any(address in network for network in self.networks)


class ClientAddressMiddleware:
    """ASGI middleware that puts the visitor's address into the scope, in place of the proxy's."""

    def __init__(self, app: ASGIApp, *, proxies: TrustedProxies) -> None:
        self.app = app
        self.proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client"):
            peer, port = scope["client"]
            client = self.proxies.find_client(peer, _read_forwarded(scope))
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
