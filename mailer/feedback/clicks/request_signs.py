"""What a single request says of who made it: the signs that are stored instead of the request itself."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from mailer.feedback.clicks.click_request import ClickRequest
from mailer.feedback.clicks.known_sources import KnownNetwork, find_network, load_program_pattern


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

_PREFETCH_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH_WORDS: Final = ("prefetch", "prerender", "preview")
_BROWSER: Final = re.compile(r"(Chrome|Firefox)/(\d{1,4})|Version/(\d{1,4})[.\d]* (?:Mobile/\S+ )?(Safari)/")
_OLDEST: Final = 90
"""Chrome and Firefox of April 2021. Scanners of Microsoft named themselves Chrome 57, 79, 80 and 88 (gophish,
issues 973, 2115 and 2446)."""

_FIRST_WITH_METADATA: Final = {"Chrome": 80, "Firefox": 90, "Safari": 17}
"""The first versions of browsers that certainly send ``Sec-Fetch-Mode`` (W3C Fetch Metadata)."""


def find_signs(request: ClickRequest) -> tuple[Sign, ...]:
    """The signs of a request, in the order of :class:`Sign`."""
    network: KnownNetwork | None = find_network(request.address)
    found = {
        Sign.head: request.method == "HEAD",
        Sign.prefetch: _is_prefetch(request.headers),
        Sign.program: _is_program(request.user_agent),
        Sign.network: network is not None and network.certain,
        Sign.shared_network: network is not None and not network.certain,
        Sign.no_language: not request.headers.get("accept-language", "").strip(),
        Sign.unlike_browser: _is_unlike_browser(request),
    }
    return tuple(sign for sign in Sign if found[sign])


def _is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether a header of a browser says so: ``Sec-Purpose: prefetch`` (Fetch standard, §2.2.7), and what
    Chrome, Safari and Firefox sent before it.
    """
    said = " ".join(headers.get(name, "") for name in _PREFETCH_HEADERS).lower()
    return any(word in said for word in _PREFETCH_WORDS)


def _is_program(user_agent: str) -> bool:
    return not user_agent.strip() or load_program_pattern().search(user_agent) is not None


def _is_unlike_browser(request: ClickRequest) -> bool:
    claim = _BROWSER.search(request.user_agent)
    if claim is None:
        return False
    name, version = (claim[1], int(claim[2])) if claim[1] else (claim[4], int(claim[3]))
    is_ancient = name != "Safari" and version < _OLDEST
    sends_metadata = version >= _FIRST_WITH_METADATA[name]
    return is_ancient or (sends_metadata and "sec-fetch-mode" not in request.headers)
