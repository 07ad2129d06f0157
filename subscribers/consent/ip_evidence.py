"""Where a choice came from: the network address of whoever pressed the button, as evidence keeps it."""

import hmac
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from subscribers.consent.suppression import SuppressionKey

_DIGEST_LENGTH = 32


class IpRetention(StrEnum):
    """What is kept of an address of origin. It is personal data, and a proof that few ever ask for."""

    hashed = "hashed"
    """A keyed hash: it can be compared with an address that somebody names, and tells nothing by itself."""

    plain = "plain"
    """The address itself."""

    nothing = "nothing"
    """Nothing."""


def describe_ip_address(
    address: str, *, key: SuppressionKey, retention: IpRetention = IpRetention.hashed
) -> str:
    """The words of a consent record's ``evidence`` about the network address; empty where there is none.

    ``key`` is the workspace's own that never changes, so that the same address has the same hash in all
    records. It is used for another purpose here, and no hash of an e-mail address equals one of these.
    """
    origin = _parse_ip_address(address)
    if origin is None or retention is IpRetention.nothing:
        return ""
    if retention is IpRetention.plain:
        return f"from {origin}"
    digest = hmac.digest(key.key, b"origin\0" + str(origin).encode("ascii"), "sha256").hex()[:_DIGEST_LENGTH]
    return f"from hmac-sha256:{digest}"


def _parse_ip_address(address: str) -> IPv4Address | IPv6Address | None:
    """The address in one spelling; a zone (``%eth0``) is no part of it."""
    try:
        origin = ip_address(address.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = origin.ipv4_mapped if isinstance(origin, IPv6Address) else None
    return mapped or origin
