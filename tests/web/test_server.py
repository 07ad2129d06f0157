"""A server that starts, answers, stops, and gives its port back."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

from mailer.web.server import ServerStartError, _listen, serve, start_in_thread
from tests.web.site import ask

PROGRAM = """
from fastapi import FastAPI
from mailer.web.server import serve
serve(FastAPI(), host="127.0.0.1", port=0, announce=lambda url: print(url, flush=True))
print("stopped", flush=True)
"""


def test_it_answers_once_it_has_started_and_frees_its_port_when_stopped() -> None:
    running = start_in_thread(FastAPI())
    assert ask(running.url, "GET", "/nothing").status == 404
    running.stop()
    with socket.create_server(("127.0.0.1", urlsplit(running.url).port or 0)):
        pass
    running.stop()


def test_answers_are_not_held_back_for_an_acknowledgement() -> None:
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            # What asyncio looks at before it sets TCP_NODELAY.
            assert accepted.proto == socket.IPPROTO_TCP


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerStartError, match=f"port {port}.*--port"):
            start_in_thread(FastAPI(), port=port)
        with pytest.raises(ServerStartError, match=f"port {port}"):
            serve(FastAPI(), host="127.0.0.1", port=port)


def test_an_application_that_cannot_start_is_no_running_server(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def fail(_: FastAPI) -> AsyncIterator[None]:
        raise OSError("no disk")
        yield

    with pytest.raises(ServerStartError, match="lines above"):
        start_in_thread(FastAPI(lifespan=fail))
    assert "no disk" in caplog.text


def test_an_address_of_another_kind_works_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        running = start_in_thread(FastAPI(), host="::1")
    except ServerStartError:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        assert running.url.startswith("http://[::1]:")
        assert ask(running.url, "GET", "/").status == 404
    finally:
        running.stop()


def test_ctrl_c_ends_it_in_order() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert ask(url, "GET", "/").status == 404
        os.kill(process.pid, signal.SIGINT)
        assert process.stdout.read() == "stopped\n"
    assert process.returncode == 0


def test_no_key_in_a_path_reaches_the_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    running = start_in_thread(FastAPI())
    ask(running.url, "GET", "/u/a-secret-token")
    running.stop()
    written = capfd.readouterr()
    assert "a-secret-token" not in caplog.text + written.out + written.err
