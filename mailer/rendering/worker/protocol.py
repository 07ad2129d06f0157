"""What the program and its drawing process say to each other, over one socket.

The question is pickled: the process has less than we have, and nothing to gain from being fooled. The answers
are texts with their lengths: once a template has run there, what answers may no longer be what we started.
"""

import socket
import struct
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The process is started before the program has loaded this, so that both load at the same time.
    from mailer.rendering.template_context.page import Page

_LENGTH_PREFIX = struct.Struct(">I")
_MEBIBYTE = 1024 * 1024
_MAX_REQUEST_BYTES = 256 * _MEBIBYTE
_MAX_KIND_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class RenderLimits:
    """What drawing one page may cost.

    ``cpu`` is whole seconds of processor time, ``wall`` seconds on the clock, which a busy machine may need.
    ``memory`` is bytes on top of what the libraries take; ``answer`` the longest text accepted, in bytes.
    A thousand stories take 0.9 seconds and 40 MiB.
    """

    cpu_seconds: int = 2
    wall_seconds: float = 30.0
    memory_bytes: int = 256 * _MEBIBYTE
    reply_bytes: int = 32 * _MEBIBYTE


@dataclass(frozen=True, kw_only=True)
class RenderRequest:
    """A page to draw, and within which limits."""

    page: "Page"
    template: str
    overrides: Path | None
    limits: RenderLimits


class ReplyKind(StrEnum):
    """What an answer says; ``at`` comes any number of times before one of the others."""

    progress = "at"
    """The template whose turn it is: its name."""

    rendered = "drawn"
    """The page is drawn, each story in its own slices: MJML, HTML, text."""

    rendered_mixed = "mixed"
    """As ``drawn``, but stories are spoken of elsewhere too."""

    template_error = "refused"
    """A template is wrong: the message of the TemplateError."""

    mjml_error = "mjml"
    """A template's MJML is wrong: the message of the MjmlError."""

    out_of_memory = "memory"
    """There was not the memory that drawing asked for."""

    failed = "failed"
    """A fault of ours: the trace."""


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
    """The other side has closed the line, perhaps in the middle of a word."""


class ProtocolError(Exception):
    """The other side said what nobody of ours says."""


def send_request(connection: socket.socket, pickled: bytes) -> None:
    """Send a pickled :class:`Request`; the socket's own timeout is for the whole of it."""
    connection.sendall(_encode_frame(pickled))


def receive_request(connection: socket.socket) -> bytes | None:
    """Wait for the next pickled :class:`Request`; None when the other side has hung up."""
    return _receive_frame(connection, max_bytes=_MAX_REQUEST_BYTES, deadline=None)


def send_reply(connection: socket.socket, kind: ReplyKind, *texts: str) -> None:
    """Send ``word`` and as many texts as it has."""
    # At once: each part sent alone would wake the other side alone.
    connection.sendall(
        b"".join(_encode_frame(text.encode("utf-8", "backslashreplace")) for text in (kind, *texts))
    )


def receive_reply(
    connection: socket.socket, *, max_bytes: int, deadline: float
) -> tuple[ReplyKind, list[str]]:
    """The next answer: its word and its texts, each of at most ``most`` bytes.

    ``deadline`` is a moment of :func:`time.monotonic`.

    Raises:
        ConnectionClosedError: there is none any more.
        ProtocolError: it is none of ours, or too long.
        TimeoutError: the deadline has passed.
    """
    try:
        word = ReplyKind(_receive_text(connection, _MAX_KIND_BYTES, deadline))
        return word, [_receive_text(connection, max_bytes, deadline) for _ in range(_TEXT_COUNTS[word])]
    except ValueError as error:
        raise ProtocolError("no answer of ours") from error


def _receive_text(connection: socket.socket, max_bytes: int, deadline: float) -> str:
    content = _receive_frame(connection, max_bytes=max_bytes, deadline=deadline)
    if content is None:
        raise ConnectionClosedError
    return content.decode()


def _encode_frame(content: bytes) -> bytes:
    return _LENGTH_PREFIX.pack(len(content)) + content


def _receive_frame(connection: socket.socket, *, max_bytes: int, deadline: float | None) -> bytes | None:
    """The next frame, or None if the other side hung up before it began one."""
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
    """``wanted`` bytes, or those there were before the other side hung up."""
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
