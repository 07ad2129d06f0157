"""Reads the one file of a form that sends files (multipart/form-data, RFC 7578), exactly as it was chosen."""

import re

from mailer.feedback.mime.headers import parse_parameters

_MAX_PARTS = 20
_NAME = re.compile(rb'content-disposition:[^\r\n]*[; ]name="([^"\r\n]{0,100})"', re.IGNORECASE)


def read_upload(body: bytes, content_type: str) -> dict[str, bytes] | None:
    """Return the values of the form's fields by name, the last of each; None if ``body`` is no such form.

    The body is in memory already, and limited. Nothing in it is decoded or changed.
    """
    kind, parameters = parse_parameters(content_type)
    boundary = parameters.get("boundary", "").encode("latin-1", "ignore")
    if kind != "multipart/form-data" or not boundary:
        return None
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, _MAX_PARTS)
    fields = {}
    for piece in pieces[1:]:
        head, gap, value = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if gap and name:
            fields[name[1].decode("utf-8", "replace")] = value
    return fields
