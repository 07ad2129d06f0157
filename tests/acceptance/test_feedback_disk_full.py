"""The disk fills up while messages come back: each stays where it is until it can be recorded."""

import os
import shutil
import smtplib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mailer.feedback.worker import run_feedback_worker
from mailer.settings import DatabaseSettings
from mailer.workspace import Workspace
from tests.acceptance.small_disk import fill, small_disk
from tests.factories.feedback import read_messages, set_feedback
from tests.servers.imap_server import ImapServer, imap_server
from tests.servers.process import can_connect, free_port, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small file system")


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with imap_server() as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", megabytes=6) as folder:
        yield folder


@pytest.fixture
def crowded(workspace: Workspace, disk: Path) -> Workspace:
    """The workspace with its database on the small disk."""
    shutil.copy(workspace.root / "mailer.db", disk / "mailer.db")
    database = DatabaseSettings(url=f"sqlite:///{disk}/mailer.db")
    return replace(workspace, settings=workspace.settings.model_copy(update={"database": database}))


@pytest.fixture
def engine(crowded: Workspace) -> Iterator[Engine]:
    engine = crowded.open_database(durable=True)
    yield engine
    engine.dispose()


def compose(number: int) -> bytes:
    """A message that nobody understands, so that its bytes are kept."""
    return b"Subject: number %d\r\n\r\n" % number + (b"words" * 14 + b"\r\n") * 1000


def send(port: int, message: bytes) -> int:
    """Hand a message over by LMTP; return the code of the reply."""
    with smtplib.LMTP("127.0.0.1", port, timeout=60) as line:
        line.ehlo()
        line.mail("")
        line.rcpt("bounce@news.example.org")
        return line.data(message)[0]


@pytest.mark.spare
def test_nothing_is_lost_while_the_disk_is_full(
    crowded: Workspace, engine: Engine, disk: Path, server: ImapServer
) -> None:
    port, said, stop = free_port(), list[str](), threading.Event()
    workspace = set_feedback(
        crowded, imap=server.url, password_file=server.password_file, lmtp=f"127.0.0.1:{port}"
    )
    worker = threading.Thread(
        target=run_feedback_worker, args=(workspace,), kwargs={"stop": stop, "report": said.append}
    )
    worker.start()
    try:
        wait_until(lambda: can_connect(port), what="the LMTP server")
        assert send(port, compose(21)) == 250
        ballast = fill(disk)
        server.deliver(*map(compose, range(20)))
        wait_until(lambda: any("The disk is full" in line for line in said), what="a word about the disk")
        wait_until(lambda: server.count() + server.count("Quarantine") == 20, what="all messages to be still")
        assert len(read_messages(engine)) - 1 == server.count("Quarantine") < 20
        assert send(port, compose(20)) == 452
        ballast.unlink()
        assert send(port, compose(20)) == 250
        wait_until(lambda: server.count() == 0, what="the mailbox to be read", seconds=60)
    finally:
        stop.set()
        worker.join(timeout=60)
    assert server.count("Quarantine") == 20
    assert sorted(message.subject for message in read_messages(engine)) == sorted(
        f"number {number}" for number in range(22)
    )
