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

_LENGTH = struct.Struct(">I")
_MEBIBYTE = 1024 * 1024
_LONGEST_QUESTION = 256 * _MEBIBYTE
_LONGEST_WORD = 16


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What drawing one page may cost.

    ``cpu`` is whole seconds of processor time, ``wall`` seconds on the clock, which a busy machine may need.
    ``memory`` is bytes on top of what the libraries take; ``answer`` the longest text accepted, in bytes.
    A thousand stories take 0.9 seconds and 40 MiB.
    """

    cpu: int = 2
    wall: float = 30.0
    memory: int = 256 * _MEBIBYTE
    answer: int = 32 * _MEBIBYTE


@dataclass(frozen=True, kw_only=True)
class Request:
    """A page to draw, and within which limits."""

    page: "Page"
    template: str
    overrides: Path | None
    limits: Limits


class Word(StrEnum):
    """What an answer says; ``at`` comes any number of times before one of the others."""

    at = "at"
    """The template whose turn it is: its name."""

    drawn = "drawn"
    """The page is drawn, each story in its own slices: MJML, HTML, text."""

    mixed = "mixed"
    """As ``drawn``, but stories are spoken of elsewhere too."""

    refused = "refused"
    """A template is wrong: the message of the TemplateError."""

    mjml = "mjml"
    """A template's MJML is wrong: the message of the MjmlError."""

    memory = "memory"
    """There was not the memory that drawing asked for."""

    failed = "failed"
    """A fault of ours: the trace."""


_TEXTS = {
    Word.at: 1,
    Word.drawn: 3,
    Word.mixed: 3,
    Word.refused: 1,
    Word.mjml: 1,
    Word.memory: 0,
    Word.failed: 1,
}


class HungUpError(Exception):
    """The other side has closed the line, perhaps in the middle of a word."""


class NonsenseError(Exception):
    """The other side said what nobody of ours says."""


def send_question(line: socket.socket, question: bytes) -> None:
    """Send a pickled :class:`Request`; the socket's own timeout is for the whole of it."""
    line.sendall(_frame(question))


def receive_question(line: socket.socket) -> bytes | None:
    """Wait for the next pickled :class:`Request`; None when the other side has hung up."""
    return _receive_frame(line, most=_LONGEST_QUESTION, deadline=None)


def send_answer(line: socket.socket, word: Word, *texts: str) -> None:
    """Send ``word`` and as many texts as it has."""
    # At once: each part sent alone would wake the other side alone.
    line.sendall(b"".join(_frame(text.encode("utf-8", "backslashreplace")) for text in (word, *texts)))


def receive_answer(line: socket.socket, *, most: int, deadline: float) -> tuple[Word, list[str]]:
    """The next answer: its word and its texts, each of at most ``most`` bytes.

    ``deadline`` is a moment of :func:`time.monotonic`.

    Raises:
        HungUpError: there is none any more.
        NonsenseError: it is none of ours, or too long.
        TimeoutError: the deadline has passed.
    """
    try:
        word = Word(_receive_text(line, _LONGEST_WORD, deadline))
        return word, [_receive_text(line, most, deadline) for _ in range(_TEXTS[word])]
    except ValueError as error:
        raise NonsenseError("no answer of ours") from error


def _receive_text(line: socket.socket, most: int, deadline: float) -> str:
    content = _receive_frame(line, most=most, deadline=deadline)
    if content is None:
        raise HungUpError
    return content.decode()


def _frame(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content


def _receive_frame(line: socket.socket, *, most: int, deadline: float | None) -> bytes | None:
    """The next frame, or None if the other side hung up before it began one."""
    head = _receive(line, _LENGTH.size, deadline)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise HungUpError
    (length,) = _LENGTH.unpack(head)
    if length > most:
        raise NonsenseError(f"a text of {length:,} bytes")
    content = _receive(line, length, deadline)
    if len(content) < length:
        raise HungUpError
    return content


def _receive(line: socket.socket, wanted: int, deadline: float | None) -> bytes:
    """``wanted`` bytes, or those there were before the other side hung up."""
    pieces, missing = [], wanted
    while missing:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            line.settimeout(left)
        piece = line.recv(min(missing, _MEBIBYTE))
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
