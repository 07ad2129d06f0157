"""The IP address a request came from, as stored in the evidence of a consent record."""

import hmac
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from subscribers.consent.suppression import SuppressionKey

_DIGEST_LENGTH = 32


class IpRetention(StrEnum):
    """What to keep of an IP address. It is personal data, and rarely needed as evidence."""

    hashed = "hashed"
    """A keyed hash: it can be compared with a known address, and reveals nothing by itself."""

    plain = "plain"
    """The address itself."""

    nothing = "nothing"
    """Nothing."""


def describe_ip_address(
    address: str, *, key: SuppressionKey, retention: IpRetention = IpRetention.hashed
) -> str:
    """Return the text about the IP address for a consent record's ``evidence``; empty if there is none.

    ``key`` is the workspace's key that never changes, so that an address has the same hash in all records.
    The prefix keeps these hashes distinct from those of email addresses.
    """
    origin = _parse_ip_address(address)
    if origin is None or retention is IpRetention.nothing:
        return ""
    if retention is IpRetention.plain:
        return f"from {origin}"
    digest = hmac.digest(key.key, b"origin\0" + str(origin).encode("ascii"), "sha256").hex()[:_DIGEST_LENGTH]
    return f"from hmac-sha256:{digest}"


def _parse_ip_address(address: str) -> IPv4Address | IPv6Address | None:
    """Parse the address into its canonical form, without a zone (``%eth0``)."""
    try:
        origin = ip_address(address.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = origin.ipv4_mapped if isinstance(origin, IPv6Address) else None
    return mapped or origin
