"""Postfix's smtp-sink, which keeps every mail it gets as a file."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import await_port, free_port

SMTP_SINK = Path("/usr/sbin/smtp-sink")


@dataclass(frozen=True, kw_only=True)
class Sink:
    """A running smtp-sink: its port and the folder it keeps every mail in."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def messages(self) -> list[bytes]:
        """Every mail it kept, as kept."""
        return [mail for path in sorted(self.folder.iterdir()) if (mail := _read(path))]

    def recipients(self) -> list[str]:
        """The envelope recipient of every mail it kept, duplicates included."""
        return [_find(rb"^X-Rcpt-Args: <(.*?)>", mail) for mail in self.messages()]

    def message_ids(self) -> list[str]:
        """The Message-ID of every mail it kept, duplicates included."""
        return [_find(rb"^Message-ID: *(.*?)\r?$", mail) for mail in self.messages()]


def _read(path: Path) -> bytes:
    """Read a file of smtp-sink's; empty if its mail has not arrived or was cut off."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _find(pattern: bytes, mail: bytes) -> str:
    found = re.search(pattern, mail, re.MULTILINE | re.IGNORECASE)
    assert found, mail[:500]
    return found[1].decode()


@contextlib.contextmanager
def smtp_sink(*flags: str) -> Iterator[Sink]:
    """Postfix's smtp-sink with ``flags`` on a free port of loopback (``-q .`` keeps the mail and drops the
    line).
    """
    if not SMTP_SINK.exists():
        message = f"{SMTP_SINK} is not installed (package postfix)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="mailer-sink-"))
    folder.chmod(0o777)
    port = free_port()
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    # The address is given as a number: smtp-sink would ask the resolver for "localhost".
    command = [str(SMTP_SINK), *user, *flags, "-d", f"{folder}/", f"127.0.0.1:{port}", "1024"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        await_port(server, port)
        yield Sink(port=port, folder=folder)
    finally:
        server.kill()
        server.communicate()
        shutil.rmtree(folder, ignore_errors=True)
