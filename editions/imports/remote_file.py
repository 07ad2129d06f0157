"""A file at an address. Who imports says how it is fetched, because this package does not use the network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """What an address answered. ``address`` is where redirects led; ``charset`` is empty if none was sent."""

    address: str
    data: bytes
    charset: str = ""


class FetchError(Exception):
    """There is no such file, or it is not fetched; the message says why and what to do."""


Fetch: TypeAlias = Callable[[str, int], RemoteFile]
"""Fetches an address, up to so many bytes. Raises a FetchError."""
