"""A request for a link of a newsletter, as the page that answers it has read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

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


@dataclass(frozen=True, kw_only=True)
class ClickRequest:
    """One request for a link whose token was genuine.

    ``country`` is alpha-2, "" if unknown, and ``sectors`` the slugs that the reader follows, both as signed
    in the token. ``subscriber_id`` is set only if the token names the reader, which takes their consent.
    ``at`` is aware and in UTC. ``method`` is that of the request, in capitals. ``address`` is the visitor's
    network address, as far as proxies are trusted; ``headers`` are those of :data:`SIGN_HEADERS` that the
    request had. Neither the address nor the program's name is ever stored.
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
