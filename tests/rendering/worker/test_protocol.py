"""The protocol between the program and the render process: whatever comes back is a reply or an error."""

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
    ReplyReader,
    receive_request,
    send_reply,
    send_request,
)


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def _receive(
    connection: socket.socket, *, max_bytes: int = 1000, seconds: float = 10
) -> tuple[ReplyKind, list[str]]:
    return ReplyReader(connection).read_reply(max_bytes=max_bytes, deadline=time.monotonic() + seconds)


def _frame(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (ReplyKind.rendered, ["<mjml>", "", "春 😀\n", "<!doctype html>", ""]),
        (ReplyKind.progress, ["email/a.mjml.j2"]),
        (ReplyKind.out_of_memory, []),
    ],
)
def test_a_reply_arrives_as_it_was_sent(
    sockets: tuple[socket.socket, socket.socket], kind: ReplyKind, texts: list[str]
) -> None:
    ours, theirs = sockets
    send_reply(theirs, kind, *texts)
    assert _receive(ours) == (kind, texts)


def test_a_long_reply_arrives_whole(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    html = "x" * 3_000_000
    sending = threading.Thread(target=send_reply, args=(theirs, ReplyKind.rendered, html, html, "", "", "x"))
    sending.start()
    assert _receive(ours, max_bytes=3_000_000) == (ReplyKind.rendered, [html, html, "", "", "x"])
    sending.join()


def test_replies_that_arrive_together_are_read_one_by_one(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    send_reply(theirs, ReplyKind.progress, "email/a.mjml.j2")
    send_reply(theirs, ReplyKind.progress, "email/a.txt.j2")
    send_reply(theirs, ReplyKind.out_of_memory)
    replies, deadline = ReplyReader(ours), time.monotonic() + 10
    assert [replies.read_reply(max_bytes=1000, deadline=deadline) for _ in range(3)] == [
        (ReplyKind.progress, ["email/a.mjml.j2"]),
        (ReplyKind.progress, ["email/a.txt.j2"]),
        (ReplyKind.out_of_memory, []),
    ]


def test_a_request_arrives_and_a_closed_connection_is_none(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    send_request(ours, b"\x80question")
    ours.close()
    assert receive_request(theirs) == b"\x80question"
    assert receive_request(theirs) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_frame(b"hello"), id="unknown kind"),
        pytest.param(_frame(b"progress") + _frame(b"\xff"), id="not text"),
        pytest.param(_frame(b"x" * 17), id="kind too long"),
        pytest.param(_frame(b"progress") + _frame(b"x" * 1001), id="text too long"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another protocol"),
    ],
)
def test_a_malformed_reply_is_refused(sockets: tuple[socket.socket, socket.socket], data: bytes) -> None:
    ours, theirs = sockets
    theirs.sendall(data)
    with pytest.raises(ProtocolError):
        _receive(ours)


@pytest.mark.parametrize(
    "data", [b"", b"\0\0", _frame(b"rendered"), _frame(b"rendered") + _frame(b"a"), _frame(b"rendered")[:-1]]
)
def test_a_truncated_reply_is_an_error(sockets: tuple[socket.socket, socket.socket], data: bytes) -> None:
    ours, theirs = sockets
    theirs.sendall(data)
    theirs.close()
    with pytest.raises(ConnectionClosedError):
        _receive(ours)


def test_an_unfinished_reply_times_out(sockets: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = sockets
    theirs.sendall(_frame(b"rendered"))
    with pytest.raises(TimeoutError):
        _receive(ours, seconds=0.05)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_reply_or_an_error(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.close()
        try:
            kind, texts = _receive(ours)
        except (ConnectionClosedError, ProtocolError):
            return
        assert isinstance(kind, ReplyKind)
        assert all(isinstance(text, str) for text in texts)
