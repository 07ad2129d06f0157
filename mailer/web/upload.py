"""Reads a form that sends files (multipart/form-data, RFC 7578), each exactly as it was chosen."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailer.web.multipart_form import find_file_name, read_boundary

_MAX_PARTS = 60
_NAME = re.compile(rb'content-disposition:[^\r\n]*[; ]name="([^"\r\n]{0,100})"', re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class UploadedForm:
    """A form with files. ``values`` are by the names of its fields, the last of each; ``file_names`` has the
    names of the files that were chosen, without their folders."""

    values: Mapping[str, bytes]
    file_names: Mapping[str, str]

    def text(self, name: str) -> str:
        """The text in a field, "" if it is missing. Browsers end lines with CRLF, which becomes LF."""
        return self.values.get(name, b"").decode("utf-8", "replace").replace("\r\n", "\n")


def read_upload(body: bytes, content_type: str) -> Mapping[str, bytes] | None:
    """Return the values of the form's fields by name, the last of each; None if ``body`` is no such form."""
    form = read_uploaded_form(body, content_type)
    return None if form is None else form.values


def read_uploaded_form(body: bytes, content_type: str) -> UploadedForm | None:
    """Read a form with files; None if ``body`` is no such form.

    The body is in memory already, and limited. Nothing in a file is decoded or changed.
    """
    boundary = read_boundary(content_type)
    if not boundary:
        return None
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, _MAX_PARTS)
    values, file_names = {}, {}
    for piece in pieces[1:]:
        head, gap, value = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not gap or name is None:
            continue
        field = name[1].decode("utf-8", "replace")
        values[field] = value
        if (chosen := find_file_name(head)) is not None:
            file_names[field] = chosen
    return UploadedForm(values=values, file_names=file_names)
