"""Damaged, hostile and forged messages through the whole receiver: none is lost, none harms anybody."""

import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from mailer.database.feedback_models import Evidence, FeedbackKind
from mailer.feedback.context import FeedbackContext
from mailer.feedback.intake import receive
from mailer.feedback.simulator.returned_mails import AcceptedMail, SimulatedRecipient
from mailer.feedback.simulator.server import compose_return
from mailer.rendering.mail_merge import message_id
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import add_sent_campaign, read_events, read_messages, read_statuses, sign
from tests.factories.hostile_strings import ALL_HOSTILE
from tests.factories.naughty_strings import NAUGHTY

VICTIM = 1
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
Mutation = Callable[[bytes, random.Random], bytes]


def returned_mails(
    context: FeedbackContext,
    campaign: int,
    now: datetime,
    *,
    person: int = VICTIM,
    bounce_token: str = "",
    leave_token: str = "",
    subject: str = "Issue 2",
) -> dict[SimulatedRecipient, bytes]:
    """What comes back about the message that ``person`` got, from each kind of recipient."""
    bounce = bounce_token or sign(context.workspace, person, campaign)
    leave = leave_token or sign(context.workspace, person, campaign, LinkPurpose.leave)
    ours = message_id(campaign, person, "example.org", context.workspace.keys.tokens)
    content = (
        f"From: News <news@example.org>\r\nTo: Reader <reader{person - 1}@example.org>\r\n"
        f"Subject: {subject}\r\nMessage-ID: {ours}\r\nX-Feedback-Token: {bounce}\r\n"
        f"List-Unsubscribe: <https://news.example.org/u/x>, <mailto:leave+{leave}@news.example.org>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nTen stories\r\n"
    ).encode("utf-8", "surrogatepass")
    mail = AcceptedMail(
        sender=f"bounce+{bounce}@news.example.org",
        recipient=f"reader{person - 1}@example.org",
        content=content,
        at=now,
        envelope_id=bounce,
    )
    found = {recipient: compose_return(mail, recipient) for recipient in SimulatedRecipient}
    return {
        recipient: f"Return-Path: <{one.sender}>\r\nDelivered-To: {one.recipient}\r\n".encode() + one.content
        for recipient, one in found.items()
        if one is not None
    }


# --- damaged ------------------------------------------------------------------------------------------------


def _cut(raw: bytes, dice: random.Random) -> bytes:
    return raw[: dice.randrange(len(raw) + 1)]


def _flip(raw: bytes, dice: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(dice.randrange(1, 40)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def _shuffle(raw: bytes, dice: random.Random) -> bytes:
    lines = raw.splitlines(keepends=True)
    at = dice.randrange(len(lines))
    part = lines[at : at + 8]
    dice.shuffle(part)
    return b"".join([*lines[:at], *part, *lines[at + 8 :]])


def _drop_lines(raw: bytes, dice: random.Random) -> bytes:
    return b"".join(line for line in raw.splitlines(keepends=True) if dice.random() > 0.15)


def _repeat(raw: bytes, dice: random.Random) -> bytes:
    lines = raw.splitlines(keepends=True)
    at = dice.randrange(len(lines))
    return b"".join([*lines[:at], lines[at] * dice.randrange(2, 300), *lines[at:]])


def _insert(raw: bytes, dice: random.Random) -> bytes:
    strange = dice.choice([b"\0", b"\xff\xfe", b"\r", b"\n\n", b"=?utf-8?B?////?=", b'";\x1b[31m', b"\x1a"])
    at = dice.randrange(len(raw))
    return raw[:at] + strange * dice.randrange(1, 50) + raw[at:]


def _change_line_ends(raw: bytes, dice: random.Random) -> bytes:
    return raw.replace(b"\r\n", dice.choice([b"\r", b"\n", b"\r\r\n", b"\n\r"]))


def _nest(raw: bytes, dice: random.Random) -> bytes:
    head = b"Content-Type: message/rfc822\r\n\r\n"
    return head * dice.randrange(1, 60) + raw


def _spoil_type(raw: bytes, dice: random.Random) -> bytes:
    kind = dice.choice([b"multipart/report", b"text/x\xe9", b"message/delivery-status", b"", b"multipart/"])
    return raw.replace(b"multipart/report", kind).replace(b"utf-8", dice.choice([b"utf-7", b"x\0", b"idna"]))


MUTATIONS: tuple[Mutation, ...] = (
    _cut,
    _flip,
    _shuffle,
    _drop_lines,
    _repeat,
    _insert,
    _change_line_ends,
    _nest,
    _spoil_type,
)


def receive_damaged(context: FeedbackContext, campaign: int, now: datetime, number: int) -> None:
    """Receive ``number`` damaged messages about one reader, and check that all are on record and the other
    readers as they were."""
    dice = random.Random(20260301)
    samples = list(returned_mails(context, campaign, now).values())
    numbers = set()
    for turn in range(number):
        raw = samples[turn % len(samples)]
        for _ in range(dice.randrange(1, 4)):
            raw = dice.choice(MUTATIONS)(raw, dice) or b"\n"
        numbers.add(receive(context, raw, source="test", now=now).number)
    on_record = {one.id for one in read_messages(context.engine)}
    assert numbers == on_record
    assert all(one.raw for one in read_messages(context.engine) if one.state.value == "held")
    others = {person: status for person, status in read_statuses(context.engine).items() if person != VICTIM}
    assert set(others.values()) == {"active"}
    assert {event.subscriber_id for event in read_events(context.engine)} <= {VICTIM, None}


def test_damaged_messages_are_all_read_and_recorded_and_harm_nobody_else(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    receive_damaged(context, campaign, now, 60)


@pytest.mark.soak
def test_a_thousand_damaged_messages(context: FeedbackContext, campaign: int, now: datetime) -> None:
    receive_damaged(context, campaign, now, 1000)


# --- hostile ------------------------------------------------------------------------------------------------


def put_everywhere(raw: bytes, text: str) -> bytes:
    """Put ``text`` where somebody else decides what stands there: headers, a server's words, a body."""
    strange = text.encode("utf-8", "surrogatepass")
    for mark in (b"Subject: ", b"From: ", b"there is no such user", b"Thank you", b"Reported-Domain: "):
        raw = raw.replace(mark, mark + strange)
    return raw


def test_hostile_strings_in_every_field_are_read_and_recorded(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    samples = list(returned_mails(context, campaign, now).values())
    strings = [*NAUGHTY[::4], *ALL_HOSTILE[::12]]
    for turn, text in enumerate(strings):
        receive(context, put_everywhere(samples[turn % len(samples)], text), source="test", now=now)
    found = read_messages(context.engine)
    assert len(found) >= len(strings) * 0.9
    # Nothing that a terminal acts on or that turns a line around.
    kept = [text for one in found for text in (one.subject, one.sender)]
    kept += [event.words for event in read_events(context.engine)]
    assert not [text for text in kept if UNSAFE.search(text)]


# --- forged -------------------------------------------------------------------------------------------------


def forge(token: str, dice: random.Random) -> str:
    at = dice.randrange(len(token))
    return (
        token[:at]
        + dice.choice([digit for digit in "0123456789abcdef" if digit != token[at]])
        + token[at + 1 :]
    )


def test_nobody_leaves_bounces_or_complains_by_a_forged_token(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    dice = random.Random(7)
    bounce, leave = (
        sign(context.workspace, VICTIM, campaign, LinkPurpose(one)) for one in ("bounce", "leave")
    )
    ours = message_id(campaign, VICTIM, "example.org", context.workspace.keys.tokens)
    before, signature = ours.partition("@")[0].rsplit(".", 1)
    for _ in range(20):
        tokens = {"bounce_token": forge(bounce, dice), "leave_token": forge(leave, dice)}
        # Our Message-ID is signed as well.
        other = f"{before}.{forge(signature, dice)}@example.org>"
        for raw in returned_mails(context, campaign, now, **tokens).values():
            receive(context, raw.replace(ours.encode(), other.encode()), source="test", now=now)
    assert set(read_statuses(context.engine).values()) == {"active"}


def test_a_token_for_bounces_does_not_make_anybody_leave(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    bounce = sign(context.workspace, VICTIM, campaign)
    raw = returned_mails(context, campaign, now, leave_token=bounce)[SimulatedRecipient.leave]
    receive(context, raw, source="test", now=now)
    assert set(read_statuses(context.engine).values()) == {"active"}


def test_bounces_about_people_who_got_nothing_are_harmless(
    context: FeedbackContext, campaign: int, now: datetime
) -> None:
    later = add_sent_campaign(context.engine, ["other@example.net"], at=now - timedelta(days=1))
    other = max(read_statuses(context.engine))
    # Even with a token: of a campaign that these people were never sent.
    for person, number in ((VICTIM, later), (other, campaign)):
        bounce = returned_mails(context, number, now, person=person)[SimulatedRecipient.bounce]
        receive(context, bounce, source="test", now=now)
    statuses = read_statuses(context.engine)
    assert statuses[VICTIM] == statuses[other] == "active"


SPOOFED = """\
Delivered-To: bounce@news.example.org
From: MAILER-DAEMON@example.net
Subject: failure notice
MIME-Version: 1.0
Content-Type: multipart/report; report-type={kind}; boundary=b

--b
Content-Type: message/{kind}

{fields}

--b--
"""
FIELDS = {
    FeedbackKind.bounce: (
        "delivery-status",
        "Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; reader0@example.org\n"
        "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user",
    ),
    FeedbackKind.complaint: (
        "feedback-report",
        "Feedback-Type: abuse\nUser-Agent: x/1\nVersion: 1\nOriginal-Rcpt-To: reader0@example.org",
    ),
}


@pytest.mark.parametrize("kind", FIELDS)
def test_a_spoofed_report_that_only_names_an_address_removes_nobody(
    context: FeedbackContext, campaign: int, now: datetime, kind: FeedbackKind
) -> None:
    report, fields = FIELDS[kind]
    raw = SPOOFED.format(kind=report, fields=fields).encode()
    receipt = receive(context, raw, source="test", now=now)
    assert (receipt.kind, receipt.is_held) == (kind, True)
    assert {event.evidence for event in read_events(context.engine)} == {Evidence.address}
    assert set(read_statuses(context.engine).values()) == {"active"}
