"""Clients that are slow or silent: dropped in time, displaced by others, and never in the way of sending."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from mailer.web.app import create_app
from mailer.web.connections import ConnectionLimits, limit_by_descriptors
from mailer.web.server import RunningServer, start_in_thread
from mailer.workspace import Workspace
from tests.servers.process import wait_until
from tests.web.site import send_request

SHORT = ConnectionLimits(request_seconds=0.3, write_seconds=0.3)
LARGE = 8 * 1024 * 1024


def make_app(held: threading.Event | None = None) -> FastAPI:
    app = FastAPI()

    @app.post("/")
    async def read(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    @app.get("/large")
    def show_large() -> Response:
        return PlainTextResponse("x" * LARGE)

    @app.get("/held")
    def hold() -> Response:
        if held is not None:
            held.wait(20)
        return PlainTextResponse("done")

    return app


@contextmanager
def running(limits: ConnectionLimits, held: threading.Event | None = None) -> Iterator[RunningServer]:
    server = start_in_thread(make_app(held), limits=limits)
    try:
        yield server
    finally:
        server.stop()


def connect(server: RunningServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)


def is_dropped(connection: socket.socket) -> bool:
    """Whether the server ends this connection without an answer."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12",
        b"POST /u/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n",
    ],
)
def test_a_request_that_does_not_arrive_is_dropped_without_a_word_in_the_log(
    workspace: Workspace, beginning: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_in_thread(create_app(workspace), limits=SHORT)
    try:
        with connect(server) as connection:
            connection.sendall(beginning)
            assert is_dropped(connection)
    finally:
        server.stop()
    assert "Traceback" not in caplog.text


def test_a_byte_now_and_then_does_not_help() -> None:
    with running(SHORT) as server, connect(server) as connection:
        stop = threading.Event()

        def drip() -> None:
            try:
                connection.sendall(b"GET / HTTP/1.1\r\nX: ")
                while not stop.wait(0.05):
                    connection.sendall(b"a")
            except OSError:
                return

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert is_dropped(connection)
        stop.set()
        dripping.join()


def test_a_slow_line_has_the_time_that_its_bytes_need() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n"
    with running(SHORT) as server, connect(server) as connection:
        connection.sendall(head + 20_000 * b"a")
        # Longer than a request that has not begun may take.
        time.sleep(2 * SHORT.request_seconds)
        connection.sendall(10_000 * b"a")
        assert connection.recv(1000).endswith(b"\r\n\r\n30000")


def test_the_second_request_of_a_connection_has_a_limit_too_and_a_time_of_its_own() -> None:
    whole = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
    with running(SHORT) as server, connect(server) as connection:
        for _ in range(3):
            connection.sendall(whole)
            assert connection.recv(1000).endswith(b"\r\n\r\n2")
            time.sleep(0.15)
        connection.sendall(whole[:-1])
        assert is_dropped(connection)


def test_a_client_that_does_not_read_is_dropped() -> None:
    with running(SHORT) as server, connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        open_connections = server._server.server_state.connections
        wait_until(lambda: len(open_connections) == 1, what="the connection")
        wait_until(lambda: not open_connections, what="the server to give up")


def test_a_slow_answer_is_waited_for() -> None:
    held = threading.Event()
    with running(SHORT, held) as server, connect(server) as connection:
        connection.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        held.set()
        assert connection.recv(1000).endswith(b"done")


def test_a_newcomer_takes_the_place_of_the_one_that_has_waited_longest() -> None:
    with running(ConnectionLimits(connections=3)) as server:
        waiting = [connect(server) for _ in range(3)]
        try:
            time.sleep(0.1)
            assert send_request(server.url, "GET", "/held").text == "done"
            assert is_dropped(waiting[0])
            for patient in waiting[1:]:
                patient.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
                assert patient.recv(1000).startswith(b"HTTP/1.1 200 ")
        finally:
            for connection in waiting:
                connection.close()


def test_where_all_are_being_answered_a_newcomer_is_told_to_come_back() -> None:
    held = threading.Event()
    with running(ConnectionLimits(connections=2), held) as server:
        busy = [connect(server) for _ in range(2)]
        try:
            for connection in busy:
                connection.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            with connect(server) as newcomer:
                answer = newcomer.recv(1000)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After" in answer
            held.set()
            assert all(connection.recv(1000).endswith(b"done") for connection in busy)
        finally:
            held.set()
            for connection in busy:
                connection.close()


@pytest.mark.parametrize("descriptors", [1, 8, 128, 1024, 65_536, 1 << 30])
def test_half_of_the_descriptors_are_left_for_sending(descriptors: int) -> None:
    limits = limit_by_descriptors(descriptors)
    assert limits.connections >= 1
    assert limits.backlog >= 1
    assert limits.connections + limits.backlog <= max(2, descriptors // 2)
