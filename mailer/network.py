"""Addresses as people and proxies write them: of a visitor, of a trusted network, of a place to listen on."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")
_MAX_PORT = 65535
RESERVED_DOMAINS = ("example", "example.com", "example.net", "example.org", "invalid", "localhost", "test")
"""Reserved for examples and tests, so that they are nobody's (RFC 2606, RFC 6761)."""


def parse_address(text: str) -> Address | None:
    """Parse an address as proxies write it: with or without a port, brackets or a zone; None if it is none.

    An IPv4 address inside an IPv6 one (``::ffff:192.0.2.1``, from a socket for both) is the IPv4 address.
    """
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_reserved_domain(domain: str) -> bool:
    """Whether a domain is one of ``RESERVED_DOMAINS``, or below one."""
    return f".{domain.casefold().rstrip('.')}".endswith(tuple(f".{name}" for name in RESERVED_DOMAINS))


def is_public_host(host: str) -> bool:
    """Whether others may be able to open a host: it is no private address, no example, and no bare name."""
    if (address := parse_address(host)) is not None:
        return address.is_global
    return "." in host and not is_reserved_domain(host)


def parse_network(text: str) -> Network:
    """Parse an address or a network such as ``10.0.0.0/8``. Raise ValueError if it is neither, or it contains
    every address; the message says what to write instead.
    """
    try:
        loose = ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not an address or a network. Write, for example, 192.0.2.1, 10.0.0.0/8 or "
            "2001:db8::/32"
        ) from error
    if "/" in text and str(loose.network_address) != str(ip_address(text.strip().partition("/")[0])):
        raise ValueError(f"{text!r} is an address within a network. Write {loose} or only the address")
    if loose.prefixlen == 0:
        raise ValueError(
            f"{text!r} is every address: any visitor could choose the address we see. Name your proxies only"
        )
    if isinstance(loose, IPv6Network) and loose.subnet_of(_MAPPED):
        address = loose.network_address.ipv4_mapped
        return IPv4Network((int(address or 0), loose.prefixlen - _MAPPED.prefixlen))
    return loose


@dataclass(frozen=True, kw_only=True)
class ListenAddress:
    """Where a server listens: a host and a port, or a Unix socket at ``path``."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every address of this machine."""
        address = parse_address(self.host)
        return address is not None and address.is_unspecified

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen_address(text: str) -> ListenAddress:
    """Parse ``127.0.0.1:9464``, ``[::1]:9464`` or the path of a Unix socket, which contains a slash. Raise
    ValueError if it is none of them."""
    if "/" in text:
        return ListenAddress(path=Path(text))
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host.startswith("[") and host.endswith("]")
    is_port = port.isascii() and port.isdecimal() and 0 < int(port) <= _MAX_PORT
    if not (colon and bare and is_port) or bracketed != (":" in bare):
        raise ValueError(
            f"{text!r} is not a place to listen on. Write, for example, 127.0.0.1:9464, [::1]:9464 or "
            "/run/mailer/metrics.sock"
        )
    return ListenAddress(host=bare, port=int(port))
