"""What a single request says of who made it: the signs that are stored instead of the request itself."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from mailer.network import Address, Network, parse_address

SIGN_HEADERS = (
    "accept",
    "accept-language",
    "purpose",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sec-purpose",
    "x-moz",
    "x-purpose",
)
"""The request headers, in lower case, that help to tell a person from a program. Pass these and no others."""
_FOLDER: Final = Path(__file__).parent
_PREFETCH_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH_WORDS: Final = ("prefetch", "prerender", "preview")
_BROWSER: Final = re.compile(r"(Chrome|Firefox)/(\d{1,4})|Version/(\d{1,4})[.\d]* (?:Mobile/\S+ )?(Safari)/")
_OLDEST: Final = 90
"""Chrome and Firefox of April 2021. Scanners of Microsoft named themselves Chrome 57, 79, 80 and 88 (gophish,
issues 973, 2115 and 2446)."""
_FIRST_WITH_METADATA: Final = {"Chrome": 80, "Firefox": 90, "Safari": 17}
"""The first versions of browsers that certainly send ``Sec-Fetch-Mode`` (W3C Fetch Metadata)."""


@dataclass(frozen=True, kw_only=True)
class ClickRequest:
    """One request for a link whose token was genuine.

    ``country`` (alpha-2, "" if unknown) and ``sectors`` are as signed in the token, which names the reader
    only with their consent. ``at`` is aware and in UTC, ``method`` in capitals. ``address`` is the visitor's,
    as far as proxies are trusted; ``headers`` are those of :data:`SIGN_HEADERS` that the request had. Neither
    the address nor the program's name is ever stored.
    """

    campaign_id: int
    link_number: int
    country: str
    sectors: tuple[str, ...]
    at: datetime
    method: str
    address: str
    user_agent: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    subscriber_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class KnownNetwork:
    """A network from which links are followed. ``certain`` says that nobody reads their mail from it."""

    name: str
    certain: bool
    ranges: tuple[Network, ...]
    source: str

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self.ranges)


@cache
def load_networks() -> tuple[KnownNetwork, ...]:
    """Return the known networks; those that are certain come first."""
    networks = [
        KnownNetwork(
            name=entry["name"],
            certain=entry.get("certain", False),
            ranges=tuple(ip_network(text) for text in entry["ranges"]),
            source=entry["source"],
        )
        for entry in _read("known_networks.toml")["network"]
    ]
    return tuple(sorted(networks, key=lambda network: not network.certain))


@cache
def load_program_pattern() -> re.Pattern[str]:
    """Return a pattern that finds the word of a known program in a User-Agent."""
    words = [word for entry in _read("known_programs.toml")["program"] for word in entry["words"]]
    # CUBOT makes phones.
    return re.compile(f"(?<!cu)(?:{'|'.join(map(re.escape, words))})", re.IGNORECASE)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / name).read_text(encoding="utf-8"))


class Sign(StrEnum):
    """Something about a request that tells a program from a person."""

    head = "head"
    """It asked for the headers alone (HEAD), which no browser does when a person follows a link."""

    prefetch = "prefetch"
    """It said itself that it loads the page before anybody asked for it."""

    program = "program"
    """It named itself as a known program, or nothing at all."""

    network = "network"
    """It came from a network that only filters mail."""

    shared_network = "shared_network"
    """It came from the network of a filter or a cloud that people are in, too."""

    no_language = "no_language"
    """It asked for no language, and every browser does."""

    unlike_browser = "unlike_browser"
    """It called itself a browser of the last years without what those send (Fetch Metadata), or one so old
    that hardly anybody has it any more."""


CERTAIN_SIGNS: Final = frozenset({Sign.head, Sign.prefetch, Sign.program, Sign.network})
"""Each of these is enough. Of the others, it takes two."""


def find_signs(request: ClickRequest) -> tuple[Sign, ...]:
    """Return the signs of a request, in the order of :class:`Sign`."""
    address = parse_address(request.address)
    network = next((one for one in load_networks() if address in one), None) if address else None
    found = {
        Sign.head: request.method == "HEAD",
        Sign.prefetch: _is_prefetch(request.headers),
        Sign.program: not request.user_agent.strip()
        or load_program_pattern().search(request.user_agent) is not None,
        Sign.network: network is not None and network.certain,
        Sign.shared_network: network is not None and not network.certain,
        Sign.no_language: not request.headers.get("accept-language", "").strip(),
        Sign.unlike_browser: _is_unlike_browser(request),
    }
    return tuple(sign for sign in Sign if found[sign])


def _is_prefetch(headers: Mapping[str, str]) -> bool:
    """Return whether a header of a browser says so: ``Sec-Purpose: prefetch`` (Fetch standard, §2.2.7), and
    what Chrome, Safari and Firefox sent before it."""
    said = " ".join(headers.get(name, "") for name in _PREFETCH_HEADERS).lower()
    return any(word in said for word in _PREFETCH_WORDS)


def _is_unlike_browser(request: ClickRequest) -> bool:
    claim = _BROWSER.search(request.user_agent)
    if claim is None:
        return False
    name, version = (claim[1], int(claim[2])) if claim[1] else (claim[4], int(claim[3]))
    is_ancient = name != "Safari" and version < _OLDEST
    sends_metadata = version >= _FIRST_WITH_METADATA[name]
    return is_ancient or (sends_metadata and "sec-fetch-mode" not in request.headers)
