"""The protocol between the program and its render process, over one socket.

Requests are pickled: the process has fewer rights than the program, so it gains nothing from a forged one.
Replies are length-prefixed texts: once a template has run in the process, its replies cannot be trusted.
"""

import socket
import struct
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The worker is started before the program has imported this, so that both import at the same time.
    from mailer.rendering.template_context.page import Page

_LENGTH_PREFIX = struct.Struct(">I")
_MEBIBYTE = 1024 * 1024
# The least that is asked of the socket at a time, so that a whole reply usually comes at once.
_PIECE_BYTES = 65_536
_MAX_REQUEST_BYTES = 256 * _MEBIBYTE
_MAX_KIND_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class RenderLimits:
    """Limits for rendering one page; a thousand stories take 0.9 seconds and 40 MiB. ``wall_seconds`` is time
    on the clock, which a busy machine may need. ``memory_bytes`` comes on top of what the libraries use."""

    cpu_seconds: int = 2
    wall_seconds: float = 30.0
    memory_bytes: int = 256 * _MEBIBYTE
    reply_bytes: int = 32 * _MEBIBYTE


@dataclass(frozen=True, kw_only=True)
class RenderRequest:
    """A page to render, and the limits for it. ``readable`` is the only folder outside the program that the
    process may read from the first request on; ``overrides`` is in it. ``inline_css`` is as in
    :func:`mailer.rendering.worker.main.render_page`."""

    page: "Page"
    template: str
    overrides: Path | None
    inline_css: str | None
    readable: Path | None
    limits: RenderLimits


class ReplyKind(StrEnum):
    """The kind of a reply. Any number of ``progress`` replies come before one of the others."""

    progress = "progress"
    """Rendering has reached a template: its name."""

    rendered = "rendered"
    """The page was rendered, each story mentioned only in its own fragments: MJML, HTML, text, the beginning
    of the HTML, the rules for style attributes."""

    rendered_mixed = "rendered_mixed"
    """Like ``rendered``, but stories are mentioned elsewhere too."""

    template_error = "template_error"
    """A template is wrong: the message of the TemplateError."""

    mjml_error = "mjml_error"
    """The MJML of a template is wrong: the message of the MjmlError."""

    out_of_memory = "out_of_memory"
    failed = "failed"
    """An unexpected error: the traceback."""


_TEXT_COUNTS = {
    ReplyKind.progress: 1,
    ReplyKind.rendered: 5,
    ReplyKind.rendered_mixed: 5,
    ReplyKind.template_error: 1,
    ReplyKind.mjml_error: 1,
    ReplyKind.out_of_memory: 0,
    ReplyKind.failed: 1,
}


class ConnectionClosedError(Exception):
    """The other side closed the connection, perhaps in the middle of a message."""


class ProtocolError(Exception):
    """The other side sent something that is not part of the protocol."""


def send_request(connection: socket.socket, pickled: bytes) -> None:
    connection.sendall(_encode_frame(pickled))


def receive_request(connection: socket.socket) -> bytes | None:
    """Wait for the next pickled :class:`RenderRequest`; None when the other side has closed the connection.
    Raise ConnectionClosedError if it did so in the middle of one."""
    head = _receive_bytes(connection, _LENGTH_PREFIX.size)
    if not head:
        return None
    if len(head) < _LENGTH_PREFIX.size:
        raise ConnectionClosedError
    length = _read_length(head, _MAX_REQUEST_BYTES)
    content = _receive_bytes(connection, length)
    if len(content) < length:
        raise ConnectionClosedError
    return content


def send_reply(connection: socket.socket, kind: ReplyKind, *texts: str) -> None:
    # In one call: separate parts would each wake the other side.
    connection.sendall(
        b"".join(_encode_frame(text.encode("utf-8", "backslashreplace")) for text in (kind, *texts))
    )


class ReplyReader:
    """Reads the replies that arrive on one connection, which nothing else may read."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = bytearray()

    def read_reply(self, *, max_bytes: int, deadline: float) -> tuple[ReplyKind, list[str]]:
        """Wait for the next reply, until ``deadline`` of :func:`time.monotonic`: its kind and its texts, each
        of at most ``max_bytes`` bytes. Raise ConnectionClosedError, ProtocolError if it is no reply or too
        long, or TimeoutError."""
        try:
            kind = ReplyKind(self._read_text(_MAX_KIND_BYTES, deadline))
            return kind, [self._read_text(max_bytes, deadline) for _ in range(_TEXT_COUNTS[kind])]
        except ValueError as error:
            raise ProtocolError("unknown reply") from error

    def _read_text(self, max_bytes: int, deadline: float) -> str:
        length = _read_length(self._read_bytes(_LENGTH_PREFIX.size, deadline), max_bytes)
        return self._read_bytes(length, deadline).decode()

    def _read_bytes(self, size: int, deadline: float) -> bytes:
        while (missing := size - len(self._received)) > 0:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            piece = self._connection.recv(min(max(missing, _PIECE_BYTES), _MEBIBYTE))
            if not piece:
                raise ConnectionClosedError
            self._received += piece
        content = bytes(self._received[:size])
        del self._received[:size]
        return content


def _encode_frame(content: bytes) -> bytes:
    return _LENGTH_PREFIX.pack(len(content)) + content


def _read_length(prefix: bytes, max_bytes: int) -> int:
    length: int = _LENGTH_PREFIX.unpack(prefix)[0]
    if length > max_bytes:
        raise ProtocolError(f"a text of {length:,} bytes")
    return length


def _receive_bytes(connection: socket.socket, size: int) -> bytes:
    """Return ``size`` bytes, or fewer if the other side closed the connection."""
    pieces, missing = [], size
    while missing:
        piece = connection.recv(min(missing, _MEBIBYTE))
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
