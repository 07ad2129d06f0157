"""What stands at the beginning of a form that sends files, and of each of its parts (RFC 7578)."""

import re
from typing import Final

from mailer.feedback.mime_headers import parse_parameters

_MAX_FILE_NAME: Final = 200
_FILE_NAME: Final = re.compile(
    rb'content-disposition:[^\r\n]*[; ]filename="([^"\r\n]{0,1000})"', re.IGNORECASE
)


def read_boundary(content_type: str) -> bytes:
    """The boundary between the parts of a form with this Content-Type; empty if it is no such form."""
    kind, parameters = parse_parameters(content_type)
    is_form = kind == "multipart/form-data"
    return parameters.get("boundary", "").encode("latin-1", "ignore") if is_form else b""


def find_file_name(head: bytes) -> str | None:
    """The name of the file in a part with these header lines: without its folder, and the last 200 characters
    of it, which have its ending. None if the part has no file.
    """
    found = _FILE_NAME.search(head)
    if found is None:
        return None
    shown = found[1].decode("utf-8", "replace").replace("\\", "/")
    return shown.rpartition("/")[2][-_MAX_FILE_NAME:]
