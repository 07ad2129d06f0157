"""Programs that tests start on loopback: free ports, waiting until one is ready, ending it."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = 60) -> None:
    """Check every few milliseconds until ``condition`` holds; fail with ``what`` if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.005)


def await_server(
    server: "subprocess.Popen[bytes]",
    is_ready: Callable[[], bool],
    *,
    name: str,
    logs: Sequence[Path],
    seconds: float = 60,
) -> None:
    """Wait until ``is_ready``; if the server ends before that, or ``seconds`` pass, fail with what it wrote
    to ``logs``.
    """
    end = time.monotonic() + seconds
    while not is_ready():
        code = server.poll()
        if code is not None or time.monotonic() > end:
            fate = f"did not start within {seconds} s" if code is None else f"ended with {code} at its start"
            words = "".join(log.read_text(errors="replace") for log in logs if log.exists()).strip()
            pytest.fail(f"{name} {fate}: {words or 'it wrote nothing'}")
        time.sleep(0.005)


def end_server(server: "subprocess.Popen[bytes]") -> None:
    """Ask the server to stop, and wait until it has."""
    server.terminate()
    server.wait(timeout=30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def can_connect(port: int) -> bool:
    """Whether something on this machine accepts connections on ``port``."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def await_port(server: "subprocess.Popen[bytes]", port: int) -> None:
    def is_ready() -> bool:
        assert server.poll() is None, server.communicate()[1].decode()
        return can_connect(port)

    wait_until(is_ready, what=f"a server on port {port}")
