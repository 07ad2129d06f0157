"""Which compression a browser takes, and which answers may have it."""

import gzip
import re
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

# Shorter answers fit one packet anyhow.
LEAST_TO_COMPRESS = 1000

_FAST_LEVEL = 6


class Coding(StrEnum):
    """A content coding (RFC 9110 §8.4.1, RFC 7932)."""

    br = "br"
    """Brotli: smaller by an eighth. Browsers take it over https and from localhost."""

    gzip = "gzip"
    """What every browser takes."""


def accepts(accepted: str, coding: Coding) -> bool:
    """Whether an Accept-Encoding names ``coding``, and not only to refuse it (RFC 9110 §12.5.3)."""
    for choice in accepted.lower().split(","):
        name, _, weight = choice.replace(" ", "").partition(";")
        if name == coding:
            return not re.fullmatch(r"q=0(\.0*)?", weight)
    return False


def compress_own_page(request: Request, page: Response) -> Response:
    """Compress ``page`` by gzip if one of our own pages, or a person by the address bar, asks for it.

    The length of a compressed page tells what it has in common with its address (BREACH), to whoever may both
    choose the address and watch the line. Another site may choose it, but then the browser says so
    (Sec-Fetch-Site, W3C Fetch Metadata), and the page stays as it is; so it does if the browser says nothing.
    """
    page.headers.add_vary_header("accept-encoding")
    page.headers.add_vary_header("sec-fetch-site")
    is_own = request.headers.get("sec-fetch-site") in {"same-origin", "none"}
    takes_gzip = accepts(request.headers.get("accept-encoding", ""), Coding.gzip)
    if is_own and takes_gzip and len(page.body) >= LEAST_TO_COMPRESS:
        page.body = gzip.compress(bytes(page.body), compresslevel=_FAST_LEVEL, mtime=0)
        page.headers["content-encoding"] = Coding.gzip
        page.headers["content-length"] = str(len(page.body))
    return page
