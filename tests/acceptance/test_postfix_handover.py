"""A real Postfix hands over what comes back, by LMTP and by a pipe, and keeps what is not recorded."""

import contextlib
import os
import pwd
import shutil
import smtplib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import make_intake
from mailer.feedback.lmtp_server import LmtpServer
from mailer.network import ListenAddress
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import add_sent_campaign, read_messages, read_statuses, sign
from tests.paths import ROOT
from tests.servers.postfix import MAILBOX_OWNER, HandoverServer, postfix_handover
from tests.servers.process import wait_until

_NOTHING_IS_RECORDED = (
    "CREATE TRIGGER full BEFORE INSERT ON feedback_message BEGIN SELECT RAISE(ABORT, 'not now'); END"
)


@pytest.fixture
def shared(workspace: Workspace) -> Iterator[Workspace]:
    """The workspace in a folder of the user whom Postfix runs programs as."""
    owner = pwd.getpwnam(MAILBOX_OWNER)
    folder = Path(tempfile.mkdtemp(prefix="mailer-pipe-"))
    shutil.copytree(workspace.root, folder, dirs_exist_ok=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    yield replace(workspace, root=folder)
    shutil.rmtree(folder)


@pytest.fixture
def engine(shared: Workspace) -> Iterator[Engine]:
    engine = shared.open_database(durable=True)
    yield engine
    engine.dispose()


@pytest.fixture
def lmtp(shared: Workspace, engine: Engine) -> Iterator[int]:
    intake = make_intake(FeedbackContext(workspace=shared, engine=engine), "lmtp")
    server = LmtpServer(ListenAddress(host="127.0.0.1", port=0), intake)
    yield server.start()
    server.stop()


@pytest.fixture
def server(shared: Workspace, lmtp: int) -> Iterator[HandoverServer]:
    command = (
        f"/usr/bin/env PYTHONPATH={ROOT} PYTHONDONTWRITEBYTECODE=1 {sys.executable} -m mailer "
        f"-C {shared.root} "
        "feedback receive --sender ${sender} --recipient ${recipient} "
        "--original-recipient ${original_recipient}"
    )
    with postfix_handover(lmtp=lmtp, command=command) as running:
        yield running


def require_python_of_the_owner() -> None:
    probe = [sys.executable, "-c", "import mailer.cli"]
    with contextlib.suppress(PermissionError):
        if not subprocess.run(
            probe, user=MAILBOX_OWNER, cwd=ROOT, check=False, capture_output=True
        ).returncode:
            return
    pytest.skip(f"{MAILBOX_OWNER} may not run {sys.executable}, so Postfix cannot start the program")


def send(server: HandoverServer, recipient: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=30) as line:
        line.sendmail("", [recipient], b"From: who@example.com\r\nSubject: \r\n\r\n")


@pytest.mark.parametrize("way", ["lmtp", "pipe"])
def test_what_postfix_hands_over_is_recorded_and_what_cannot_be_stays_in_its_queue(
    way: str, shared: Workspace, engine: Engine, server: HandoverServer
) -> None:
    if way == "pipe":
        require_python_of_the_owner()
    campaign = add_sent_campaign(engine, 2, at=datetime.now(UTC))
    first, second = (
        f"leave+{sign(shared, person, campaign, LinkPurpose.leave)}@{way}.example.org" for person in (1, 2)
    )
    send(server, first)
    wait_until(lambda: read_statuses(engine)[1] == "unsubscribed", what="the first reader to leave")
    with engine.begin() as connection:
        connection.execute(text(_NOTHING_IS_RECORDED))
    send(server, second)
    wait_until(lambda: "status=deferred" in server.log, what="Postfix to keep the second")
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER full"))
    wait_until(lambda: read_statuses(engine)[2] == "unsubscribed", what="the second reader to leave")
    assert [message.source for message in read_messages(engine)] == [way, way]
    assert "status=bounced" not in server.log
