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
_MAX_REQUEST_BYTES = 256 * _MEBIBYTE
_MAX_KIND_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class RenderLimits:
    """Limits for rendering one page.

    ``cpu_seconds`` is processor time, in whole seconds. ``wall_seconds`` is time on the clock, which a busy
    machine may need. ``memory_bytes`` comes on top of what the libraries use. ``reply_bytes`` is the longest
    text accepted. A thousand stories take 0.9 seconds and 40 MiB.
    """

    cpu_seconds: int = 2
    wall_seconds: float = 30.0
    memory_bytes: int = 256 * _MEBIBYTE
    reply_bytes: int = 32 * _MEBIBYTE


@dataclass(frozen=True, kw_only=True)
class RenderRequest:
    """A page to render, and the limits for it. ``readable`` is the only folder outside the program that the
    process may read from the first request on; ``overrides`` is in it.
    """

    page: "Page"
    template: str
    overrides: Path | None
    readable: Path | None
    limits: RenderLimits


class ReplyKind(StrEnum):
    """The kind of a reply. Any number of ``progress`` replies come before one of the others."""

    progress = "progress"
    """Rendering has reached a template: its name."""

    rendered = "rendered"
    """The page was rendered, each story mentioned only in its own fragments: MJML, HTML, text."""

    rendered_mixed = "rendered_mixed"
    """Like ``rendered``, but stories are mentioned elsewhere too."""

    template_error = "template_error"
    """A template is wrong: the message of the TemplateError."""

    mjml_error = "mjml_error"
    """The MJML of a template is wrong: the message of the MjmlError."""

    out_of_memory = "out_of_memory"
    """Rendering needed more memory than it was allowed."""

    failed = "failed"
    """An unexpected error: the traceback."""


_TEXT_COUNTS = {
    ReplyKind.progress: 1,
    ReplyKind.rendered: 3,
    ReplyKind.rendered_mixed: 3,
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
    """Send a pickled :class:`RenderRequest`; the socket's own timeout applies to all of it."""
    connection.sendall(_encode_frame(pickled))


def receive_request(connection: socket.socket) -> bytes | None:
    """Wait for the next pickled :class:`RenderRequest`; None when the other side has closed the
    connection."""
    return _receive_frame(connection, max_bytes=_MAX_REQUEST_BYTES, deadline=None)


def send_reply(connection: socket.socket, kind: ReplyKind, *texts: str) -> None:
    """Send a reply of ``kind`` with the texts that belong to it."""
    # In one call: separate parts would each wake the other side.
    connection.sendall(
        b"".join(_encode_frame(text.encode("utf-8", "backslashreplace")) for text in (kind, *texts))
    )


def receive_reply(
    connection: socket.socket, *, max_bytes: int, deadline: float
) -> tuple[ReplyKind, list[str]]:
    """Receive the next reply: its kind and its texts, each of at most ``max_bytes`` bytes.

    ``deadline`` is a time of :func:`time.monotonic`.

    Raises:
        ConnectionClosedError: the other side closed the connection.
        ProtocolError: the reply is not part of the protocol, or is too long.
        TimeoutError: the deadline has passed.
    """
    try:
        kind = ReplyKind(_receive_text(connection, _MAX_KIND_BYTES, deadline))
        return kind, [_receive_text(connection, max_bytes, deadline) for _ in range(_TEXT_COUNTS[kind])]
    except ValueError as error:
        raise ProtocolError("unknown reply") from error


def _receive_text(connection: socket.socket, max_bytes: int, deadline: float) -> str:
    content = _receive_frame(connection, max_bytes=max_bytes, deadline=deadline)
    if content is None:
        raise ConnectionClosedError
    return content.decode()


def _encode_frame(content: bytes) -> bytes:
    return _LENGTH_PREFIX.pack(len(content)) + content


def _receive_frame(connection: socket.socket, *, max_bytes: int, deadline: float | None) -> bytes | None:
    """The next frame, or None if the other side closed the connection before sending one."""
    head = _receive_bytes(connection, _LENGTH_PREFIX.size, deadline)
    if not head:
        return None
    if len(head) < _LENGTH_PREFIX.size:
        raise ConnectionClosedError
    (length,) = _LENGTH_PREFIX.unpack(head)
    if length > max_bytes:
        raise ProtocolError(f"a text of {length:,} bytes")
    content = _receive_bytes(connection, length, deadline)
    if len(content) < length:
        raise ConnectionClosedError
    return content


def _receive_bytes(connection: socket.socket, size: int, deadline: float | None) -> bytes:
    """``size`` bytes, or fewer if the other side closed the connection."""
    pieces, missing = [], size
    while missing:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
        piece = connection.recv(min(missing, _MEBIBYTE))
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
