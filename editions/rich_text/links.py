"""The addresses of links that the editor takes."""

import re
from functools import cache

from markdown_it import MarkdownIt

MAX_HREF_LENGTH = 4000

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
# What browsers leave out before they look for the scheme (URL Standard §4.4).
_IGNORED = re.compile(r"[\x00-\x20\x7f]")
# What may be opened by a click in the editor. What an email may have is another question, which the checks
# answer with words for the writer.
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "sms", "ftp", "ftps"})


def is_editable_link(href: str) -> bool:
    """Whether ``href`` runs nothing when it is opened: it has no scheme such as ``javascript:``.

    ``example.org:8080`` begins with the name of a host and no scheme.
    """
    found = _SCHEME.match(_IGNORED.sub("", href))
    return found is None or "." in found[1] or found[1].lower() in _SCHEMES


def normalise_href(href: str) -> str:
    """``href`` as the parser reads it: percent-encoded, with the host in ASCII."""
    return _parser().normalizeLink(href.strip())


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark")
