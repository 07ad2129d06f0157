"""The servers mail is sent to: Postfix's smtp-sink, a slow server, and a complete Postfix."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers.process import free_port, wait_until
from tests.servers.smtp_sink import SMTP_SINK

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = relay.example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
alias_maps =
default_transport = discard:
smtpd_relay_restrictions = permit_mynetworks, reject
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix       n - n - 0 cleanup
qmgr      unix       n - n 300 1 qmgr
rewrite   unix       - - n - - trivial-rewrite
bounce    unix       - - n - 0 bounce
defer     unix       - - n - 0 bounce
trace     unix       - - n - 0 bounce
verify    unix       - - n - 1 verify
proxymap  unix       - - n - - proxymap
error     unix       - - n - - error
retry     unix       - - n - - error
discard   unix       - - n - - discard
anvil     unix       - - n - 1 anvil
tlsmgr    unix       - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""


class NoRelayError(Exception):
    """A server cannot be started here; the message says why."""


@contextlib.contextmanager
def running_sink() -> Iterator[int]:
    """Run stock smtp-sink, which keeps nothing; yields its port.

    Raises:
        NoRelayError: it is not installed.
    """
    if not SMTP_SINK.exists():
        raise NoRelayError(f"{SMTP_SINK} is not installed (package postfix)")
    port = free_port()
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    with _running([str(SMTP_SINK), *user, f"127.0.0.1:{port}", "1024"], port):
        yield port


@contextlib.contextmanager
def running_token_relay(messages: int, *, is_strict: bool) -> Iterator[tuple[int, int]]:
    """Run a relay whose access tokens end after so many messages, 0 for never, and their sessions if it
    ``is_strict``, with the provider that gives them; yields the ports of both.
    """
    port, provider_port = free_port(), free_port()
    command = [
        sys.executable,
        "-m",
        "bench.token_relay",
        str(port),
        str(provider_port),
        str(messages),
        str(int(is_strict)),
    ]
    with _running(command, port):
        yield port, provider_port


@contextlib.contextmanager
def running_slow_sink(milliseconds: float) -> Iterator[int]:
    """Run a server that delays every reply by this many milliseconds; yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "bench.slow_sink", str(port), str(milliseconds / 1000)]
    with _running(command, port):
        yield port


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    server = subprocess.Popen(command)
    try:
        wait_until(lambda: _answers(port), what=f"{command[0]} on port {port}")
        yield
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Postfix:
    """A private Postfix in ``folder`` that accepts everything and discards it once it is queued."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder

    def start(self) -> None:
        """Start it.

        Raises:
            NoRelayError: it is not installed, we are not root, or it does not start.
        """
        if os.getuid() != 0 or not shutil.which("postfix"):
            raise NoRelayError("a private Postfix needs the package postfix and root")
        (self._folder / "queue").mkdir()
        (self._folder / "data").mkdir()
        shutil.chown(self._folder / "data", "postfix")
        (self._folder / "main.cf").write_text(_MAIN.format(folder=self._folder), encoding="utf-8")
        (self._folder / "master.cf").write_text(_MASTER.format(port=self.port), encoding="utf-8")
        self._command("start")
        wait_until(lambda: _answers(self.port), what="Postfix")

    def drain(self) -> None:
        """Wait until its queue is empty."""
        queues = [self._folder / "queue" / name for name in ("incoming", "active", "deferred")]
        wait_until(
            lambda: not any(path.is_file() for queue in queues for path in queue.rglob("*")),
            what="Postfix to empty its queue",
            seconds=120,
        )

    def stop(self) -> None:
        pid = int((self._folder / "queue" / "pid" / "master.pid").read_text(encoding="ascii"))
        self._command("stop")
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(pid, 0)
                time.sleep(0.05)

    def _command(self, word: str) -> None:
        done = subprocess.run(
            ["postfix", "-c", str(self._folder), word], capture_output=True, text=True, check=False
        )
        if done.returncode:
            log = self._folder / "log"
            told = done.stderr or (log.read_text(encoding="utf-8")[-500:] if log.exists() else "")
            raise NoRelayError(f"postfix {word} failed: {told.strip()}")


@contextlib.contextmanager
def running_postfix(parent: Path) -> Iterator[Postfix]:
    """Run a Postfix with its queue below ``parent``.

    Raises:
        NoRelayError: it cannot be run here.
    """
    folder = Path(tempfile.mkdtemp(prefix="postfix-", dir=parent))
    # Postfix's own user needs access.
    parent.chmod(0o755)
    folder.chmod(0o755)
    postfix = Postfix(folder)
    postfix.start()
    try:
        yield postfix
    finally:
        postfix.stop()
