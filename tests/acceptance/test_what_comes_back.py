"""A campaign whose mail really comes back: Postfix delivers and returns it, people answer, Dovecot has the
mailbox, and every reader ends in their right state by themselves.
"""

import contextlib
import smtplib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from mailer.feedback.simulator.returned_mails import (
    AcceptedMail,
    ReturnedMail,
    compose_away_note,
    compose_leaving,
)
from mailer.feedback.worker import run_feedback_worker
from mailer.workspace import Workspace
from tests.acceptance.campaign_driver import CampaignDriver, S
from tests.factories.feedback import set_feedback
from tests.servers.imap_server import ImapServer, imap_server
from tests.servers.postfix import MailboxServer, postfix_mailboxes
from tests.servers.process import wait_until
from tests.servers.smtp_sink import Sink, smtp_sink

Figure = Callable[[str], None]
Compose = Callable[[AcceptedMail], ReturnedMail | None]
HERE, GONE, CROWDED = "readers.example.org", "gone.example.net", "crowded.example.net"


@dataclass(frozen=True, kw_only=True)
class Readership:
    """How many readers of each kind: half of the unknown and full ones are behind a server of their own."""

    well: int
    unknown: int
    full: int
    leaving: int
    away: int

    def list_addresses(self, kind: str) -> list[str]:
        return [self._address(kind, number) for number in range(getattr(self, kind))]

    @staticmethod
    def _address(kind: str, number: int) -> str:
        remote = {"unknown": GONE, "full": CROWDED}
        return f"{kind}{number}@{remote[kind] if kind in remote and number % 2 else HERE}"

    @property
    def everybody(self) -> list[str]:
        kinds = ("well", "unknown", "full", "leaving", "away")
        return [address for kind in kinds for address in self.list_addresses(kind)]


SOME = Readership(well=16, unknown=8, full=6, leaving=6, away=4)
MANY = Readership(well=405, unknown=60, full=20, leaving=10, away=5)


@dataclass(frozen=True, kw_only=True)
class Post:
    """The mail servers of a test: Postfix with the readers' mailboxes, and Dovecot with ours."""

    postfix: MailboxServer
    ours: ImapServer

    def await_idle(self) -> None:
        wait_until(self.postfix.is_idle, what="Postfix to deliver or return everything", seconds=120)

    def answer(self, mailbox: str, compose: Compose) -> int:
        """Answer every mail in the Maildir ``mailbox`` as a mail program does; return how many."""
        paths = sorted((self.postfix.folder / mailbox / "new").iterdir())
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=30) as line:
            for path in paths:
                returned = compose(read_delivered(path))
                assert returned is not None
                line.sendmail(returned.sender, [returned.recipient], returned.content)
        return len(paths)


def read_delivered(path: Path) -> AcceptedMail:
    """A mail as it lies in a Maildir, with its envelope in the headers that Postfix has put there."""
    content = path.read_bytes()
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(content)
    sender, recipient = (str(message[name]).strip("<>") for name in ("Return-Path", "Delivered-To"))
    return AcceptedMail(sender=sender, recipient=recipient, content=content, at=datetime.now(UTC))


@contextlib.contextmanager
def running_post(readers: Readership) -> Iterator[Post]:
    local = {kind: [a for a in readers.list_addresses(kind) if a.endswith(HERE)] for kind in ("full", "well")}
    mailboxes = {
        **dict.fromkeys(local["well"], "well"),
        **dict.fromkeys(readers.list_addresses("leaving"), "leaving"),
        **dict.fromkeys(readers.list_addresses("away"), "away"),
        "bounce@news.example.org": "ours",
        "leave@news.example.org": "ours",
    }
    with (
        imap_server() as ours,
        refusing("550 5.1.1 User unknown") as gone,
        refusing("552 5.2.2 Mailbox size limit exceeded") as crowded,
        postfix_mailboxes(
            mailboxes,
            full={address: address.partition("@")[0] for address in local["full"]},
            routes={GONE: gone.port, CROWDED: crowded.port},
        ) as postfix,
    ):
        (postfix.folder / "ours").symlink_to(ours.maildir)
        yield Post(postfix=postfix, ours=ours)


def refusing(words: str) -> contextlib.AbstractContextManager[Sink]:
    """A server that refuses every recipient in these words."""
    return smtp_sink("-f", "RCPT", "-B", words)


@contextlib.contextmanager
def reading(workspace: Workspace, said: list[str]) -> Iterator[None]:
    """Read what comes back, as `mailer serve` does."""
    stop = threading.Event()
    thread = threading.Thread(
        target=run_feedback_worker, args=(workspace,), kwargs={"stop": stop, "report": said.append}
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=60)


def show_everybody_ends_right(workspace: Workspace, readers: Readership, figure: Figure) -> None:
    said: list[str] = []
    engine = workspace.open_database(durable=True)
    with running_post(readers) as post:
        workspace = set_feedback(
            workspace,
            bounce_address="bounce@news.example.org",
            leave_address="leave@news.example.org",
            imap=post.ours.url,
            password_file=post.ours.password_file,
        )
        driver = CampaignDriver(workspace=workspace, engine=engine, url=post.postfix.url)
        with reading(workspace, said):
            driver.launch(readers.everybody)
            driver.send_here()
            post.await_idle()
            assert post.answer("leaving", compose_leaving) == readers.leaving
            assert post.answer("away", compose_away_note) == readers.away
            post.await_idle()
            wait_until(lambda: post.ours.count() == 0, what="everything to be read", seconds=120)
        quarantined = post.ours.read("Quarantine")
    assert quarantined == [], quarantined[0].decode(errors="replace")
    check_states(engine, readers, driver)
    assert said == []
    engine.dispose()
    figure(
        f"{len(readers.everybody)} messages through Postfix, {engine.dialect.name}: {readers.unknown} "
        f"unknown, {readers.full} full, {readers.leaving} left by mail, {readers.away} away: every one in "
        "its right state"
    )


def check_states(engine: Engine, readers: Readership, driver: CampaignDriver) -> None:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT email, status FROM subscriber")).all()
        events = connection.execute(
            text(
                "SELECT email, kind, reason, consequence, evidence FROM feedback_event "
                "JOIN feedback_message ON feedback_message.id = message_id "
                "JOIN subscriber ON subscriber.id = subscriber_id"
            )
        ).all()
    expected = dict.fromkeys(readers.everybody, "active")
    expected |= dict.fromkeys(readers.list_addresses("unknown"), "bounced")
    expected |= dict.fromkeys(readers.list_addresses("leaving"), "unsubscribed")
    assert {row.email: row.status for row in rows} == expected
    assert {row.evidence for row in events} == {"token"}
    kinds = Counter((row.kind, row.reason, row.consequence) for row in events)
    assert kinds == {
        ("bounce", "no_such_user", "bounced"): readers.unknown,
        ("bounce", "full", "recorded"): readers.full,
        ("leave", None, "unsubscribed"): readers.leaving,
        ("auto-reply", None, "recorded"): readers.away,
    }
    assert Counter(row.email for row in events).most_common(1)[0][1] == 1, "somebody was counted twice"
    assert {line.state for line in driver.read()} == {S.sent}


def test_everybody_whose_mail_comes_back_ends_in_their_right_state(
    workspace: Workspace, figure: Figure
) -> None:
    show_everybody_ends_right(workspace, SOME, figure)


@pytest.mark.soak
def test_everybody_of_five_hundred_ends_in_their_right_state(
    either_workspace: Workspace, figure: Figure
) -> None:
    show_everybody_ends_right(either_workspace, MANY, figure)
