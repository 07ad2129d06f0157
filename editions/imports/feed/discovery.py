"""Finding the feed of a page, which names it for browsers and feed readers."""

from urllib.parse import urljoin

from editions.errors import DocumentError
from editions.imports.feed.parser import Feed, parse_feed
from editions.imports.remote_file import Fetch, FetchError, RemoteFile
from editions.imports.web_page.parser import decode_page, parse_page
from locales.phrase import Phrase, gettext_noop, read_error

_MAX_FEED_BYTES = 20_000_000
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/rdf+xml"})


def find_feed(address: str, fetch: Fetch) -> Feed:
    """The feed at ``address``, or the first one that the page there names.

    Raises:
        DocumentError: it cannot be fetched, or is neither.
    """
    found = _fetch(address, fetch)
    if feed := parse_feed(found.data, address=found.address, charset=found.charset):
        return feed
    named = _named_feed(found)
    if not named:
        raise DocumentError(
            address,
            "not-a-document",
            gettext_noop(
                "this is not a feed, and it names none. Look for an address that ends in feed, rss or atom; "
                "or save the page with a browser and import that file."
            ),
        )
    found = _fetch(named, fetch)
    if feed := parse_feed(found.data, address=found.address, charset=found.charset):
        return feed
    raise DocumentError(
        address,
        "not-a-document",
        Phrase(
            gettext_noop("it names %(named)s as its feed, but that is none. Tell the site’s office."),
            named=named,
        ),
    )


def _fetch(address: str, fetch: Fetch) -> RemoteFile:
    try:
        return fetch(address, _MAX_FEED_BYTES)
    except FetchError as error:
        raise DocumentError(address, "not-fetched", read_error(error)) from error


def _named_feed(found: RemoteFile) -> str:
    if b"<" not in found.data:
        return ""
    root = parse_page(decode_page(found.data, charset=found.charset), name=found.address)
    for link in root.iter("link"):
        kinds = (link.get("rel") or "").lower().split()
        href = (link.get("href") or "").strip()
        if "alternate" in kinds and (link.get("type") or "").lower() in _FEED_TYPES and href:
            return urljoin(found.address, href)
    return ""
