"""A server that starts, answers, stops, and gives its port back."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
import uvicorn
from fastapi import FastAPI

from mailer.web.server import ServerStartError, _listen, serve, start_in_thread
from tests.web.site import send_request

PROGRAM = """
from fastapi import FastAPI
from mailer.web.server import serve
serve(FastAPI(), host="127.0.0.1", port=0, announce=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


def test_a_server_responds_once_started_and_frees_its_port_when_stopped() -> None:
    running = start_in_thread(FastAPI())
    assert send_request(running.url, "GET", "/nothing").status == 404
    running.stop()
    with socket.create_server(("127.0.0.1", urlsplit(running.url).port or 0)):
        pass
    running.stop()


def test_a_server_nobody_is_connected_to_stops_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(*_: object) -> None:
        await asyncio.sleep(3600)

    ended: list[bool] = []

    @asynccontextmanager
    async def note_the_end(_: FastAPI) -> AsyncIterator[None]:
        yield
        ended.append(True)

    # uvicorn looks ten times a second whether it is to stop, and gives connections a tenth to end.
    monkeypatch.setattr(uvicorn.Server, "main_loop", wait)
    monkeypatch.setattr(uvicorn.Server, "shutdown", wait)
    running = start_in_thread(FastAPI(lifespan=note_the_end))
    stopping = threading.Thread(target=running.stop, daemon=True)
    stopping.start()
    stopping.join(20)
    assert ended == [True]


def test_responses_are_not_delayed_by_nagles_algorithm() -> None:
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            # What asyncio looks at before it sets TCP_NODELAY.
            assert accepted.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerStartError, match=f"port {port}.*--port"):
            start_in_thread(FastAPI(), port=port)
        with pytest.raises(ServerStartError, match=f"port {port}"):
            serve(FastAPI(), host="127.0.0.1", port=port)


def test_an_application_that_cannot_start_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def fail(_: FastAPI) -> AsyncIterator[None]:
        raise OSError("no disk")
        yield

    with pytest.raises(ServerStartError, match="lines above"):
        start_in_thread(FastAPI(lifespan=fail))
    assert "no disk" in caplog.text


def test_an_ipv6_address_works_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        running = start_in_thread(FastAPI(), host="::1")
    except ServerStartError:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        assert running.url.startswith("http://[::1]:")
        assert send_request(running.url, "GET", "/").status == 404
    finally:
        running.stop()


def test_ctrl_c_stops_the_server_cleanly() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert send_request(url, "GET", "/").status == 404
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.read() == "stopped\n"
    assert process.returncode == 0


def test_no_token_in_a_path_is_logged(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    running = start_in_thread(FastAPI())
    send_request(running.url, "GET", "/u/a-secret-token")
    running.stop()
    written = capfd.readouterr()
    assert "a-secret-token" not in caplog.text + written.out + written.err
