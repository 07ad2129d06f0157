"""Reads a form with one large file while it arrives (multipart/form-data, RFC 7578), without keeping it in
memory.
"""

from collections.abc import Callable
from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from mailer.web.multipart_form import find_file_name, read_boundary

_MAX_HEAD: Final = 16 * 1024

Sink = Callable[[bytes], None]
"""Takes the next bytes of the file."""


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
        """Take the next bytes of the form.

        Raises:
            HTTPException: 400, it is no such form.
        """
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
    called in another thread.

    Raises:
        HTTPException: 415, it is no form with files; 400, it cannot be read.
    """
    boundary = read_boundary(request.headers.get("content-type", ""))
    if not boundary:
        raise HTTPException(415)
    reader = FileReader(boundary, sink)
    async for data in request.stream():
        await run_in_threadpool(reader.feed, data)
    return reader
