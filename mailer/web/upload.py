"""Reading forms that send files (RFC 7578), from memory or as they arrive."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from editions.unsafe_characters import remove_unsafe_characters
from mailer.feedback.mime_headers import parse_parameters
from mailer.web.dependencies import BodyDep
from mailer.web.forms import parse_form

_MAX_FILE_NAME: Final = 200
_FILE_NAME: Final = re.compile(
    rb'content-disposition:[^\r\n]*[; ]filename="([^"\r\n]{0,1000})"', re.IGNORECASE
)
_MAX_PARTS = 60
_NAME = re.compile(rb'content-disposition:[^\r\n]*[; ]name="([^"\r\n]{0,100})"', re.IGNORECASE)
_MAX_NAME_BYTES: Final = 120
"""Most file systems take 255 bytes."""
_MAX_HEAD: Final = 16 * 1024
Sink = Callable[[bytes], None]
"""Takes the next bytes of the file."""


def read_boundary(content_type: str) -> bytes:
    """Return the boundary between the parts of a form with this Content-Type; empty if it is no such form."""
    kind, parameters = parse_parameters(content_type)
    is_form = kind == "multipart/form-data"
    return parameters.get("boundary", "").encode("latin-1", "ignore") if is_form else b""


def find_file_name(head: bytes) -> str | None:
    """Return the name of the file in a part with these header lines: without its folder, and the last 200
    characters of it, which have its ending. None if the part has no file."""
    found = _FILE_NAME.search(head)
    if found is None:
        return None
    shown = found[1].decode("utf-8", "replace").replace("\\", "/")
    return shown.rpartition("/")[2][-_MAX_FILE_NAME:]


@dataclass(frozen=True, kw_only=True)
class UploadedForm:
    """A form with files. ``values`` are by the names of its fields, the last of each; ``file_names`` has the
    names of the files that were chosen, without their folders."""

    values: Mapping[str, bytes]
    file_names: Mapping[str, str]

    def text(self, name: str) -> str:
        """Return the text in a field, "" if it is missing. Browsers end lines with CRLF, which becomes LF."""
        return self.values.get(name, b"").decode("utf-8", "replace").replace("\r\n", "\n")


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


def _read_sent_form(request: Request, body: BodyDep) -> UploadedForm:
    kind = request.headers.get("content-type", "")
    form = read_uploaded_form(body, kind)
    if form is not None:
        return form
    if not kind.startswith("application/x-www-form-urlencoded"):
        raise HTTPException(415)
    values = {name: text.encode("utf-8", "replace") for name, text in parse_form(body).fields}
    return UploadedForm(values=values, file_names={})


SentFormDep = Annotated[UploadedForm, Depends(_read_sent_form)]
"""A form that only our own pages send, with files or without."""


def clean_file_name(name: str) -> str:
    """Return the name of an uploaded file without its folders and without what no name may have."""
    plain = remove_unsafe_characters(re.sub(r"[\x00-\x1f/\\]", " ", name)).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if not dot:
        stem, ending = plain, ""
    ending = ending[:10]
    short = stem.encode("utf-8")[:_MAX_NAME_BYTES].decode("utf-8", "ignore").strip() or "document"
    return f"{short}.{ending}" if ending else short


class FileReader:
    """Finds the first file of a form in the bytes that are fed to it, and passes its content to ``sink``.

    ``file_name`` is what the browser calls it, without its folder; "" if no file was chosen. ``size`` counts
    its bytes, and ``is_complete`` says whether its end was seen.
    """

    def __init__(self, boundary: bytes, sink: Sink) -> None:
        # The first boundary begins the body, all others begin a line.
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")
        self._sink = sink
        self._is_in_head = False
        self._is_in_file = False
        self.file_name = ""
        self.size = 0
        self.is_complete = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the form. Raise HTTPException 400 if it is no such form."""
        self._buffer += data
        while self._read_head() if self._is_in_head else self._read_content():
            pass

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise HTTPException(400)
            return False
        name = find_file_name(bytes(self._buffer[:end]))
        if name is not None and not self.is_complete:
            self.file_name, self._is_in_file = name, True
        del self._buffer[: end + 4]
        self._is_in_head = False
        return True

    def _read_content(self) -> bool:
        end = self._buffer.find(self._delimiter)
        # A boundary may have arrived in part.
        ready = end if end >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
        if self._is_in_file and ready:
            self._sink(bytes(self._buffer[:ready]))
            self.size += ready
        del self._buffer[:ready]
        if end < 0:
            return False
        if self._is_in_file:
            self._is_in_file, self.is_complete = False, True
        del self._buffer[: len(self._delimiter)]
        self._is_in_head = True
        return True


async def read_streamed_file(request: Request, sink: Sink) -> FileReader:
    """Read the form that ``request`` sends to its end, and pass the first file in it to ``sink``, which is
    called in another thread. Raise HTTPException 415 if it is no form with files, and 400 if it cannot be
    read."""
    boundary = read_boundary(request.headers.get("content-type", ""))
    if not boundary:
        raise HTTPException(415)
    reader = FileReader(boundary, sink)
    async for data in request.stream():
        await run_in_threadpool(reader.feed, data)
    return reader
