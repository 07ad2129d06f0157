"""Messages as bytes, from whatever brings them to what becomes of their people."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, func, select

from mailer.database.feedback_models import FeedbackKind, FeedbackMessage, FeedbackState, QueuedReply
from mailer.feedback.context import FeedbackContext
from mailer.feedback.incoming_message import (
    IncomingMessage,
    OriginalMessage,
    ProviderEvent,
    ReportedRecipient,
)
from mailer.feedback.intake import receive, receive_event
from mailer.reasons.reason import Reason
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import bring, read_events, read_messages, read_records, read_statuses, sign

BOUNCE = """\
Return-Path: <>
Delivered-To: bounce+{token}@news.example.org
From: Mail Delivery System <MAILER-DAEMON@mx.example.com>
To: bounce+{token}@news.example.org
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I could not deliver your message.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; reader0@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <reader0@example.org>: user unknown

--b--
"""


def write_bounce(context: FeedbackContext, campaign: int, person: int = 1) -> bytes:
    return BOUNCE.format(token=sign(context.workspace, person, campaign)).replace("\n", "\r\n").encode()


def test_two_readers_of_one_mailbox_count_a_message_once(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    messages = [write_bounce(context, campaign, person) for person in (1, 2)]
    start = threading.Barrier(6)
    receipts = []

    def read() -> None:
        start.wait()
        for raw in messages:
            receipts.append(receive(context, raw, source="imap", now=now))

    readers = [threading.Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert sum(receipt.is_new for receipt in receipts) == 2
    assert len({receipt.number for receipt in receipts}) == 2
    assert sorted(record[0] for record in read_records(context.engine)) == [1, 2]
    assert len(read_events(context.engine)) == 2


def test_a_mail_to_the_leaving_address_leaves_whatever_it_says(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    token = sign(context.workspace, 1, campaign, LinkPurpose.leave)
    # Apple Mail and QQ Mail send an empty subject or body, from any of the reader's addresses.
    raw = f"From: other@example.com\r\nTo: <LEAVE+{token.upper()}@news.example.org>\r\n\r\n".encode()
    assert receive(context, raw, source="maildir", now=now).kind is FeedbackKind.leave
    assert read_statuses(context.engine)[1] == "unsubscribed"
    # By LMTP, the address may be in the envelope alone, and the settings may have changed since.
    second = sign(context.workspace, 2, campaign, LinkPurpose.leave)
    plain = b"From: x@example.com\r\nTo: undisclosed-recipients:;\r\nSubject: hello\r\n\r\nkeep me!\r\n"
    receive(context, plain, source="lmtp", now=now, delivered_to=[f"bye+{second}@old.example.org"])
    assert read_statuses(context.engine)[2] == "unsubscribed"


def test_a_reply_waits_to_go_on_with_every_byte_of_it(context: FeedbackContext, now: datetime) -> None:
    raw = b"From: Mei <reader0@example.org>\r\n\r\n\0 words \xff" + b"x" * 400_000
    receipt = bring(context, IncomingMessage(kind=FeedbackKind.reply), now=now, raw=raw)
    assert receipt.state is FeedbackState.forwarding
    assert read_messages(context.engine)[0].raw == raw
    with Session(context.engine) as session:
        assert session.exec(select(QueuedReply.message_id)).all() == [receipt.number]


def test_an_event_of_a_provider_takes_the_same_way_and_counts_once(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    recipient = ReportedRecipient(address="reader2@example.org", reason=Reason.no_such_user, action="failed")
    event = ProviderEvent(
        provider="ses",
        event_id="0001",
        message=IncomingMessage(kind=FeedbackKind.bounce, recipients=(recipient,)),
        happened_at=now - timedelta(minutes=5),
    )
    assert receive_event(context, event, now=now).is_new
    assert not receive_event(context, event, now=now).is_new
    assert read_statuses(context.engine)[3] == "bounced"
    (row,) = read_events(context.engine)
    assert row.at == event.happened_at
    (message,) = read_messages(context.engine)
    assert (message.source, message.raw) == ("webhook:ses", None)
    with_token = ProviderEvent(
        provider="ses",
        event_id="0002",
        message=IncomingMessage(
            kind=FeedbackKind.complaint,
            original=OriginalMessage(feedback_token=sign(context.workspace, 4, campaign)),
        ),
    )
    receive_event(context, with_token, now=now)
    assert read_statuses(context.engine)[4] == "complained"


def test_no_bytes_make_it_fail_and_none_are_lost(context: FeedbackContext, now: datetime) -> None:
    hostile = [
        b"",
        b"\0" * 1000,
        b"\xff" * 1000,
        b"From: \xed\xa0\x80\r\nSubject: =?utf-8?B?7aCA?=\r\n\r\n\0",
        b"Subject: " + b"x" * 200_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 2000,
    ]
    for raw in hostile:
        receive(context, raw, source="pipe", now=now)
    with Session(context.engine) as session:
        count = session.exec(select(func.count(col(FeedbackMessage.id)))).one()
    assert count == len(hostile)
    assert all(message.raw == hostile[at] for at, message in enumerate(read_messages(context.engine)))


@pytest.mark.parametrize("by_token", [True, False])
def test_who_left_at_the_provider_leaves_and_nobody_leaves_who_is_only_named_in_a_mail(
    context: FeedbackContext, campaign: int, now: datetime, by_token: bool
) -> None:
    named = "elsewhere@example.com" if by_token else "reader1@example.org"
    token = sign(context.workspace, 2, campaign) if by_token else ""
    message = IncomingMessage(
        kind=FeedbackKind.leave,
        recipients=(ReportedRecipient(address=named, reason=None),),
        original=OriginalMessage(feedback_token=token),
    )
    assert bring(context, message, now=now).is_held
    assert "unsubscribed" not in read_statuses(context.engine).values()
    receive_event(context, ProviderEvent(provider="brevo", event_id="1", message=message), now=now)
    statuses = read_statuses(context.engine)
    assert [number for number, status in statuses.items() if status == "unsubscribed"] == [2]
    (record,) = read_records(context.engine)
    assert record[1:] == ("unsubscribed", "provider", "an unsubscribe that the mail provider reported")


def test_an_event_about_somebody_else_of_the_same_account_waits_for_nobody(
    context: FeedbackContext, now: datetime
) -> None:
    recipient = ReportedRecipient(address="customer@shop.example", reason=Reason.complaint)
    message = IncomingMessage(kind=FeedbackKind.complaint, recipients=(recipient,))
    assert not receive_event(
        context, ProviderEvent(provider="ses", event_id="1", message=message), now=now
    ).is_held
