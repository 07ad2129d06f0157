"""The links that are allowed in an email, and what is wrong with others."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from locales.phrase import Phrase

_MAILBOX = re.compile(r"[^@\s<>()]+@[^@\s<>()]+\.[^@\s<>()]+")
_NOT_IN_URL = re.compile(r"[\s\\<>\"{}|^`]")
_PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
# Link shorteners seen in newsletters of our field.
_SHORTENERS = frozenset(
    {"bit.ly", "buff.ly", "cutt.ly", "dwz.cn", "fb.me", "goo.gl", "is.gd", "ow.ly", "rb.gy", "rebrand.ly"}
    | {"shorturl.at", "suo.im", "t.cn", "t.co", "t.ly", "tiny.cc", "tinyurl.com", "url.cn"}
)
_SCHEMES = ("http", "https", "mailto")


@dataclass(frozen=True, kw_only=True)
class LinkFault:
    """Why a link is not allowed: a ``code``, and a ``reason`` that says what, why, and what to do."""

    code: str
    reason: str


def find_link_fault(url: str) -> LinkFault | None:
    """Return what is wrong with ``url`` as a link in an email; None if nothing is. Only absolute http, https
    and mailto links work there, and readers must be able to reach their host."""
    scheme, colon, rest = url.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return LinkFault(
            code="relative-link",
            reason=Phrase(
                "the link %(url)s is relative, and relative links do not work in an email. Write the "
                "whole address, beginning with https://.",
                url=repr(url),
            ),
        )
    if scheme.lower() not in _SCHEMES:
        return LinkFault(
            code="link-scheme",
            reason=Phrase(
                "email programs block links that begin with %(scheme)s:. Use https://, http:// or mailto:.",
                scheme=scheme,
            ),
        )
    if scheme.lower() == "mailto":
        return _find_mailto_fault(rest)
    return _find_url_fault(url)


def uses_link_shortener(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host.removeprefix("www.") in _SHORTENERS


def _find_mailto_fault(rest: str) -> LinkFault | None:
    if _MAILBOX.fullmatch(unquote(rest.partition("?")[0])):
        return None
    return LinkFault(
        code="broken-link",
        reason=Phrase(
            "'mailto:%(rest)s' has no valid email address. Write it as mailto:name@example.org.", rest=rest
        ),
    )


def _find_url_fault(url: str) -> LinkFault | None:
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        host = ""
    if not host or _NOT_IN_URL.search(url) or ".." in host:
        return LinkFault(
            code="broken-link",
            reason=Phrase(
                "the link %(url)s is not a valid web address. Copy it from the browser again; it begins "
                "with https://.",
                url=repr(url),
            ),
        )
    if parts.username is not None:
        return LinkFault(
            code="broken-link",
            reason=Phrase(
                "the link %(url)s has a name before an @, which phishing emails use to hide the real "
                "site. Remove the name.",
                url=repr(url),
            ),
        )
    if _is_ip_address(host):
        return LinkFault(
            code="numeric-link",
            reason=Phrase(
                "the link goes to the IP address %(host)s, which spam filters reject. Use the site's name.",
                host=host,
            ),
        )
    if host == "localhost" or host.endswith(_PRIVATE_ENDINGS) or "." not in host:
        return LinkFault(
            code="private-link",
            reason=Phrase(
                "the link goes to %(host)s, which readers outside your network cannot reach. Use the "
                "public address.",
                host=host,
            ),
        )
    return None


def _is_ip_address(host: str) -> bool:
    """Return whether browsers read ``host`` as an IP address, as they also do for 2130706433 and 0x7f.1."""
    if re.fullmatch(r"(0x[0-9a-f]*|\d+)", host.rpartition(".")[2], re.IGNORECASE):
        return True
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
