"""What a single request says of who made it: the signs that are stored instead of the request itself."""

from collections.abc import Mapping
from enum import StrEnum

from mailer.feedback.clicks.click_request import ClickRequest


class Sign(StrEnum):
    """Something about a request that tells a program from a person."""

    head = "head"
    """It asked for the headers alone (HEAD), which no browser does when a person follows a link."""

    prefetch = "prefetch"
    """It said itself that it loads the page before anybody asked for it."""


_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCH_WORDS = ("prefetch", "prerender", "preview")


def find_signs(request: ClickRequest) -> tuple[Sign, ...]:
    """The signs of a request, in the order of :class:`Sign`."""
    found = {Sign.head: request.method == "HEAD", Sign.prefetch: _is_prefetch(request.headers)}
    return tuple(sign for sign in Sign if found[sign])


def _is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether a header of a browser says so: ``Sec-Purpose: prefetch`` (Fetch standard, §2.2.7), and what
    Chrome, Safari and Firefox sent before it.
    """
    said = " ".join(headers.get(name, "") for name in _PREFETCH_HEADERS).lower()
    return any(word in said for word in _PREFETCH_WORDS)
