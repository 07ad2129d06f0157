"""The page to go on to after signing in: always one of Studio's own."""

import re
from urllib.parse import unquote, urlsplit

_MAX_LENGTH = 1000
_PLAIN = re.compile(r"/[\x21-\x5b\x5d-\x7e]*")


def check_next_path(text: str) -> str:
    """Return ``text`` if it is the path of a page below Studio, with or without a query; "" otherwise."""
    if len(text) > _MAX_LENGTH or text.startswith("//") or not _PLAIN.fullmatch(text):
        return ""
    try:
        path = unquote(urlsplit(text).path)
    except ValueError:
        return ""
    if any(part in {"..", "."} for part in path.split("/")) or "\\" in path:
        return ""
    return text
