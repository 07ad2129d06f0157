"""Where a link really leads: as a browser reads it, and through the gateways that rewrite links in mail."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

_MAX_UNWRAPPED = 4
# Browsers leave these out, and take a backslash for a slash.
_LEFT_OUT = re.compile(r"[\x00-\x20\x7f]+")
_SCHEME = re.compile(r"(https?|ftp):[/\\]*(.*)", re.IGNORECASE | re.DOTALL)
# The names of vocabularies are written like links, and lead nowhere.
_VOCABULARIES = frozenset({"www.w3.org", "schemas.microsoft.com", "schemas.openxmlformats.org"})
_SCRIPTS = ("javascript:", "vbscript:", "data:text/html")


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """A link: the ``host`` it leads to, in small letters, and the path there, "" for none. The host of a link
    that runs a program is ``script``."""

    host: str
    path: str
    is_picture: bool = False


def read_link(url: str, *, is_picture: bool = False) -> LinkTarget | None:
    """Read where ``url`` leads; None if nowhere else than in the mail itself, or to an address of mail."""
    text = _LEFT_OUT.sub("", url)
    if text.lower().startswith(_SCRIPTS):
        return LinkTarget("script", "", is_picture)
    for _ in range(_MAX_UNWRAPPED):
        split = _split(text)
        if split is None:
            return None
        host, path, query, fragment = split
        inner = _unwrap(host, path, query, fragment)
        if inner is None:
            break
        text = _LEFT_OUT.sub("", inner)
    if host in _VOCABULARIES:
        return None
    return LinkTarget(host, path.rstrip("/"), is_picture)


def _split(text: str) -> tuple[str, str, str, str] | None:
    match = _SCHEME.match(text)
    if match:
        rest = match[2].replace("\\", "/")
    elif text.replace("\\", "/").startswith("//"):
        rest = text.replace("\\", "/").lstrip("/")
    else:
        return None
    try:
        parts = urlsplit(f"https://{rest}")
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return "unreadable", "", "", ""
    if not host:
        return None
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        host = host[:253]
    return host, unquote(parts.path), parts.query, parts.fragment


def _unwrap(host: str, path: str, query: str, fragment: str) -> str | None:
    """Return the link that a gateway has put inside its own; None if it is no such link."""
    if host.endswith(".safelinks.protection.outlook.com"):
        return _query_value(query, "url")
    if host in ("www.google.com", "google.com") and path == "/url":
        return _query_value(query, "q") or _query_value(query, "url")
    if host.endswith(".googleusercontent.com") and fragment:
        # Gmail keeps a picture's own address behind the #.
        return fragment
    if host == "ecp.yusercontent.com":
        return _query_value(query, "url")
    if host.endswith("urldefense.proofpoint.com") and path.startswith("/v2/"):
        value = _query_value(query, "u")
        return unquote(value.replace("-", "%").replace("_", "/")) if value else None
    if host.endswith("urldefense.com") and path.startswith("/v3/"):
        match = re.match(r"/v3/__(.+?)__;", path)
        return re.sub(r"^(https?:)/+", r"\1//", match[1]) if match and "*" not in match[1] else None
    return None


def _query_value(query: str, name: str) -> str | None:
    try:
        values = parse_qs(query, max_num_fields=50).get(name)
    except ValueError:
        return None
    return values[0] if values else None
