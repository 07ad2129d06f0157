"""The words between the program and the process that draws: whatever comes back, it is a text or an error."""

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.rendering.worker.protocol import (
    ConnectionClosedError,
    ProtocolError,
    ReplyKind,
    receive_reply,
    receive_request,
    send_reply,
    send_request,
)


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def _receive(line: socket.socket, *, most: int = 1000, seconds: float = 10) -> tuple[ReplyKind, list[str]]:
    return receive_reply(line, max_bytes=most, deadline=time.monotonic() + seconds)


def _frame(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


@pytest.mark.parametrize(
    ("word", "texts"),
    [
        (ReplyKind.rendered, ["<mjml>", "", "春 😀\n"]),
        (ReplyKind.progress, ["email/a.mjml.j2"]),
        (ReplyKind.out_of_memory, []),
    ],
)
def test_an_answer_arrives_as_it_was_sent(
    line: tuple[socket.socket, socket.socket], word: ReplyKind, texts: list[str]
) -> None:
    ours, theirs = line
    send_reply(theirs, word, *texts)
    assert _receive(ours) == (word, texts)


def test_a_long_answer_arrives_whole(line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    html = "x" * 3_000_000
    sending = threading.Thread(target=send_reply, args=(theirs, ReplyKind.rendered, html, html, ""))
    sending.start()
    assert _receive(ours, most=3_000_000) == (ReplyKind.rendered, [html, html, ""])
    sending.join()


def test_a_question_arrives_and_its_absence_too(line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    send_request(ours, b"\x80question")
    ours.close()
    assert receive_request(theirs) == b"\x80question"
    assert receive_request(theirs) is None


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(_frame(b"hello"), id="no word of ours"),
        pytest.param(_frame(b"progress") + _frame(b"\xff"), id="no text"),
        pytest.param(_frame(b"x" * 17), id="too long a word"),
        pytest.param(_frame(b"progress") + _frame(b"x" * 1001), id="too long a text"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another language"),
    ],
)
def test_what_is_no_answer_is_refused(line: tuple[socket.socket, socket.socket], said: bytes) -> None:
    ours, theirs = line
    theirs.sendall(said)
    with pytest.raises(ProtocolError):
        _receive(ours)


@pytest.mark.parametrize(
    "said", [b"", b"\0\0", _frame(b"rendered"), _frame(b"rendered") + _frame(b"a"), _frame(b"rendered")[:-1]]
)
def test_an_answer_that_ends_in_the_middle_is_none(
    line: tuple[socket.socket, socket.socket], said: bytes
) -> None:
    ours, theirs = line
    theirs.sendall(said)
    theirs.close()
    with pytest.raises(ConnectionClosedError):
        _receive(ours)


def test_whoever_never_ends_a_sentence_is_not_waited_for(line: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = line
    theirs.sendall(_frame(b"rendered"))
    with pytest.raises(TimeoutError):
        _receive(ours, seconds=0.05)


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_end_in_an_answer_or_an_error(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said)
        theirs.close()
        try:
            word, texts = _receive(ours)
        except (ConnectionClosedError, ProtocolError):
            return
        assert isinstance(word, ReplyKind)
        assert all(isinstance(text, str) for text in texts)
