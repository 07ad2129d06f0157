"""The threads of `mailer serve` and `mailer work` that read what comes back, with the settings of now."""

import contextlib
import smtplib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from mailer.cli.commands.server import _live_thread
from mailer.feedback import worker
from mailer.feedback.context import FeedbackContext
from mailer.feedback.worker import run_feedback_worker
from mailer.live_workspace import LiveWorkspace
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.conftest import SETTINGS
from tests.factories.feedback import read_messages, read_statuses, set_feedback, sign
from tests.servers.imap_server import ImapServer, imap_server
from tests.servers.process import can_connect, free_port, wait_until


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with imap_server() as running:
        yield running


@contextlib.contextmanager
def running(workspace: Workspace, say: Callable[[str], Any]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(
        target=run_feedback_worker, args=(workspace,), kwargs={"stop": stop, "report": say}
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()


def make_maildir(root: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (root / "mail" / name).mkdir(parents=True)
    return root / "mail"


def deliver(maildir: Path, raw: bytes) -> None:
    """Deliver a message as a mail server does: it is in new/ once it is whole."""
    (maildir / "tmp" / "1").write_bytes(raw)
    (maildir / "tmp" / "1").rename(maildir / "new" / "1")


def leave(context: FeedbackContext, person: int, campaign: int) -> bytes:
    token = sign(context.workspace, person, campaign, LinkPurpose.leave)
    return f"To: leave+{token}@news.example.org\r\n\r\n".encode()


def test_a_mailbox_a_maildir_and_lmtp_are_read_at_the_same_time(
    context: FeedbackContext, campaign: int, now: datetime, server: ImapServer
) -> None:
    maildir, port, said = make_maildir(context.workspace.root), free_port(), list[str]()
    workspace = set_feedback(
        context.workspace,
        imap=server.url,
        password_file=server.password_file,
        maildir=Path("mail"),
        lmtp=f"127.0.0.1:{port}",
    )
    with running(workspace, said.append):
        server.deliver(leave(context, 1, campaign))
        deliver(maildir, leave(context, 2, campaign))
        wait_until(lambda: can_connect(port), what="the LMTP server")
        with smtplib.LMTP("127.0.0.1", port, timeout=30) as line:
            line.sendmail("who@example.com", ["any@example.org"], leave(context, 3, campaign))
        wait_until(lambda: len(read_messages(context.engine)) == 3, what="three messages")
        wait_until(lambda: server.count("Processed") == 1, what="the mailbox to be tidied")
    assert [status for _, status in sorted(read_statuses(context.engine).items())] == [
        *["unsubscribed"] * 3,
        *["active"] * 2,
    ]
    assert sorted(message.source for message in read_messages(context.engine)) == ["imap", "lmtp", "maildir"]
    assert said == []


def test_settings_that_change_are_in_use_at_once(workspace: Workspace) -> None:
    maildir, said, began = make_maildir(workspace.root), list[str](), threading.Event()
    deliver(maildir, b"Subject: hello\r\n\r\n")

    def work(workspace: Workspace, **context: Any) -> None:
        began.set()
        run_feedback_worker(workspace, **context)

    with _live_thread(LiveWorkspace(workspace, say=said.append, environ={}), "test", work):
        assert began.wait(20)
        (workspace.root / "mailer.toml").write_text(f'{SETTINGS}\n[feedback]\nmaildir = "mail"\n')
        wait_until(lambda: (maildir / ".Quarantine" / "new" / "1").exists(), what="the message to be read")


def test_of_two_processes_one_listens_and_the_other_takes_over(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_RETRY_SECONDS", 0.05)
    port, said = free_port(), list[str]()
    workspace = set_feedback(workspace, lmtp=f"127.0.0.1:{port}")
    with contextlib.ExitStack() as second:
        with running(workspace, said.append):
            wait_until(lambda: can_connect(port), what="the first server")
            second.enter_context(running(workspace, said.append))
        wait_until(lambda: can_connect(port), what="the second server")
    assert not can_connect(port)
    assert said == []


def test_what_is_wrong_with_one_source_is_said_and_stops_no_other(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    maildir, said = make_maildir(workspace.root), list[str]()
    deliver(maildir, b"Subject: hello\r\n\r\n")
    workspace = set_feedback(
        workspace, imap="imap://news@127.0.0.1:99999", maildir=Path("mail"), lmtp="192.0.2.1:2424"
    )
    with running(workspace, said.append):
        wait_until(lambda: len(said) == 2, what="two sentences")
        wait_until(lambda: (maildir / ".Quarantine" / "new" / "1").exists(), what="the message to be read")
    # Which of them is first depends on the threads.
    assert any("[feedback] imap cannot be used" in words for words in said)
    assert any("open to other machines" in words for words in said)


def test_a_source_that_fails_is_started_again_and_said_to_fail_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_RETRY_SECONDS", 0.0)
    stop, said, starts = threading.Event(), list[str](), list[int]()

    def run(_: threading.Event) -> None:
        starts.append(1)
        if len(starts) == 3:
            stop.set()
        raise ZeroDivisionError("by zero")

    worker._keep_running("the test", run, said.append, stop)
    assert len(starts) == 3
    assert said == ["Working on the test failed (ZeroDivisionError: by zero). Trying again."]
