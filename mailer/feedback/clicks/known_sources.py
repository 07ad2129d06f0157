"""Programs and networks that are known to follow the links of mails: ``known_programs.toml`` and
``known_networks.toml``, each entry with its source and date.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from mailer.network import Address, Network, parse_address

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class KnownNetwork:
    """A network from which links are followed. ``certain`` says that nobody reads their mail from it."""

    name: str
    certain: bool
    ranges: tuple[Network, ...]
    source: str

    def __contains__(self, address: object) -> bool:
        return any(address in network for network in self.ranges)


@cache
def load_networks() -> tuple[KnownNetwork, ...]:
    """The known networks; those that are certain come first."""
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
    """A pattern that finds the word of a known program in a User-Agent."""
    words = [word for entry in _read("known_programs.toml")["program"] for word in entry["words"]]
    # CUBOT makes phones.
    return re.compile(f"(?<!cu)(?:{'|'.join(map(re.escape, words))})", re.IGNORECASE)


def find_network(address: str) -> KnownNetwork | None:
    """The known network that an address is in; None if it is in none, or is no address."""
    parsed: Address | None = parse_address(address)
    if parsed is None:
        return None
    return next((network for network in load_networks() if parsed in network), None)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / name).read_text(encoding="utf-8"))
