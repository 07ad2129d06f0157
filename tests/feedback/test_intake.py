"""Errors of receiving, as whoever brings a message must understand them, and mailboxes that people share."""

import errno
import sqlite3
from datetime import datetime

import pytest
from sqlalchemy.exc import OperationalError

from mailer.database.feedback_models import FeedbackState
from mailer.errors import ConfigurationError
from mailer.feedback import intake as intake_module
from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import (
    Disposition,
    Intake,
    IntakeObstacle,
    TryAgainError,
    UnreadableError,
    make_intake,
)
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import read_messages, read_statuses, sign

PERSONAL = b"From: friend@example.com\r\nTo: news@example.org\r\nSubject: Lunch?\r\n\r\nAt noon?\r\n"


def failing(error: Exception) -> Intake:
    def receive(_: bytes) -> Disposition:
        raise error

    return Intake(receive=receive)


def full_sqlite() -> sqlite3.Error:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count=2")
    with pytest.raises(sqlite3.Error) as caught:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()
    return caught.value


@pytest.mark.parametrize(
    ("error", "obstacle"),
    [
        (OperationalError("INSERT", {}, full_sqlite()), IntakeObstacle.disk_full),
        (OSError(errno.ENOSPC, "No space left on device"), IntakeObstacle.disk_full),
        (
            OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked")),
            IntakeObstacle.database,
        ),
        (ConfigurationError("The database is older than this program."), IntakeObstacle.database),
    ],
)
def test_what_passes_is_tried_again(error: Exception, obstacle: IntakeObstacle) -> None:
    with pytest.raises(TryAgainError) as caught:
        failing(error).take(PERSONAL)
    assert caught.value.obstacle is obstacle


def test_a_fault_of_our_own_is_told_apart() -> None:
    with pytest.raises(UnreadableError, match="ZeroDivisionError"):
        failing(ZeroDivisionError()).take(PERSONAL)


def test_in_a_mailbox_that_people_share_only_what_is_about_the_newsletter_is_recorded(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    intake = make_intake(context, "imap", is_shared=True, clock=lambda _: now)
    token = sign(context.workspace, 1, campaign, LinkPurpose.leave)
    leaving = b"From: reader0@example.org\r\nTo: leave+%b@news.example.org\r\n\r\n" % token.encode()
    stranger = (
        b"From: MAILER-DAEMON@example.com\r\nTo: news@example.org\r\nSubject: Undelivered\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        b"Final-Recipient: rfc822; stranger@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    assert intake.take(PERSONAL) is Disposition.untouched
    assert intake.take(stranger) is Disposition.untouched
    assert intake.take(leaving) is Disposition.settled
    assert len(read_messages(context.engine)) == 1
    assert read_statuses(context.engine)[1] == "unsubscribed"


def test_elsewhere_what_was_not_understood_is_put_aside(context: FeedbackContext, now: datetime) -> None:
    intake = make_intake(context, "imap", clock=lambda _: now)
    assert intake.take(b"\x00\xff\r\n") is Disposition.unclear
    assert len(read_messages(context.engine)) == 1


def test_a_message_that_makes_the_program_fail_is_kept_for_a_person_and_counts_once(
    context: FeedbackContext, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(intake_module, "receive", fail)
    intake = make_intake(context, "lmtp", clock=lambda _: now)
    assert [intake.take(PERSONAL) for _ in range(2)] == [Disposition.unclear, Disposition.unclear]
    (message,) = read_messages(context.engine)
    assert (message.state, message.raw) == (FeedbackState.held, PERSONAL)
