"""The host names in request headers, and which of them mean this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def parse_host(netloc: str) -> str:
    """Return the host name in a ``Host`` header, without its port; empty if there is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Return whether a host name or an address means this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
