"""Check 39: whether the pages that an email links to respond. It is the only check that uses the network, and
it only runs on request.

Links are not trusted: they are requested by a client that contacts public addresses only.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import TYPE_CHECKING

from editions.errors import Problem
from mailer.checks.registry import CHECKS
from mailer.public_http import AddressRule, ForbiddenAddressError, is_public, open_public_client

if TYPE_CHECKING:
    import httpx2

_MAX_CONCURRENT = 8
_TIMEOUT = 10.0
# Servers that do not support HEAD return one of these; then GET decides.
_RETRY_WITH_GET = frozenset({400, 403, 404, 405, 429, 500, 501, 503})
_USER_AGENT = "partner-mailer link check"


class LinkStatus(StrEnum):
    """The result of testing a link; each value except the first is the code of a check."""

    ok = "fine"
    broken = "link-broken"
    unreachable = "link-unreachable"
    refused = "link-refused"
    """Its address is not one that we contact."""


def check_links(
    links: Mapping[str, tuple[str, int]], *, is_allowed: AddressRule = is_public, timeout: float = _TIMEOUT
) -> list[Problem]:
    """Test all ``links``, each with its file and line; return a problem for each that does not work."""
    problems = []
    answers = probe_links(links, is_allowed=is_allowed, timeout=timeout)
    for (link, (path, line)), (status, detail) in zip(links.items(), answers, strict=True):
        if status is not LinkStatus.ok:
            code = status.value
            message = _MESSAGES[status].format(link=link, detail=detail)
            problems.append(
                Problem(path=path, line=line, level=CHECKS[code].level, code=code, message=message)
            )
    return sorted(problems)


_MESSAGES = {
    LinkStatus.broken: "{link} returns {detail}, so readers see an error. Open it, and correct the link.",
    LinkStatus.unreachable: (
        "{link} does not respond ({detail}). Open it from another network, and correct the link if the "
        "page is gone."
    ),
    LinkStatus.refused: "{link} points to {detail}, which readers cannot reach. Use the public address.",
}


def probe_links(
    links: Iterable[str], *, is_allowed: AddressRule = is_public, timeout: float = _TIMEOUT
) -> Iterator[tuple[LinkStatus, str]]:
    """Test ``links``, several at a time; yield in order how each is, and its status code or the reason."""
    with (
        open_public_client(is_allowed, timeout=timeout, user_agent=_USER_AGENT) as client,
        ThreadPoolExecutor(_MAX_CONCURRENT) as pool,
    ):
        yield from pool.map(lambda link: _probe_link(client, link), links)


def _probe_link(client: "httpx2.Client", link: str) -> tuple[LinkStatus, str]:
    # Not imported at the top: it takes a tenth of a second to load.
    import httpx2

    try:
        status = client.head(link).status_code
        if status in _RETRY_WITH_GET:
            # The body is not read: some links lead to a film.
            with client.stream("GET", link) as response:
                status = response.status_code
    except ForbiddenAddressError as error:
        return LinkStatus.refused, str(error)
    except httpx2.TooManyRedirects:
        return LinkStatus.broken, "too many redirects"
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
        return LinkStatus.unreachable, _explain(error)
    fate = LinkStatus.broken if status >= 400 else LinkStatus.ok
    return fate, str(status)


def _explain(error: Exception) -> str:
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        return "timed out"
    return str(error).strip() or type(error).__name__
