"""A campaign that was sent, and what came back of it: refusals, bounces, a reply, proposed successors, and
messages that wait for a person."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, update
from sqlmodel import Session, col

from mailer.database.feedback_models import (
    Consequence,
    Evidence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
    ProposedSuccessor,
)
from mailer.database.models import CampaignState, Delivery, DeliveryState
from mailer.reasons.reason import Reason
from subscribers.models import Subscriber
from tests.factories.deliveries import add_campaign

READERS = 24
HELD_BOUNCE = 1
HELD_LETTER = 2
HELD_STUB = 3
"""The numbers of the messages that wait: one about a reader, one that nobody understood, and one of which
only the beginning is kept."""

_LETTER = b"""From: Tuya Bat <tuya@office.example>
To: bounces@news.example.org
Subject: =?utf-8?q?Caf=C3=A9?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=xyz

--xyz
Content-Type: text/html; charset=utf-8

<p>Please <b>write</b> to my colleague instead.</p>
<script>alert(1)</script><img src="http://tracker.example/x.gif">
--xyz
Content-Type: application/pdf; name="plan.pdf"
Content-Disposition: attachment; filename="plan.pdf"
Content-Transfer-Encoding: base64

JVBERi0=
--xyz--
"""


@dataclass(frozen=True, kw_only=True)
class Returns:
    """``campaign`` is the number of the campaign, ``successors`` those of the proposals that wait."""

    campaign: int
    successors: tuple[int, ...]


def add_returns(engine: Engine, edition: str, now: datetime) -> Returns:
    """Add the campaign of ``edition`` and what came back; it was sent two days before ``now``."""
    sent = now - timedelta(days=2)
    campaign = add_campaign(
        engine,
        READERS,
        edition=edition,
        title="What we did this spring",
        state=CampaignState.finished,
        launched_at=sent,
        created_at=sent,
    )
    _end_deliveries(engine, campaign, sent)
    with Session(engine) as session:
        _add_held(session, campaign, now)
        _add_reply(session, campaign, now)
        proposals = [
            ProposedSuccessor(
                subscriber_id=number,
                email=f"successor{number}@example.org",
                name=name,
                words=f"I have left. Please write to {name}.",
                at=now,
            )
            for number, name in ((5, "Tuya Bat"), (6, "Ann <b>Lee</b>"))
        ]
        session.add_all(proposals)
        session.commit()
        return Returns(campaign=campaign, successors=tuple(one.id or 0 for one in proposals))


def _end_deliveries(engine: Engine, campaign: int, at: datetime) -> None:
    theirs = col(Delivery.campaign_id) == campaign
    with engine.begin() as connection:
        connection.execute(
            update(Delivery)
            .where(theirs)
            .values(state=DeliveryState.sent, updated_at=at + timedelta(seconds=40))
        )
        for number, values in (
            (1, {"state": DeliveryState.rejected, "code": 550, "reason": "5.1.1 no such user <b>here</b>"}),
            (2, {"state": DeliveryState.rejected, "code": 552, "reason": "5.2.2 mailbox full"}),
            (3, {"state": DeliveryState.in_doubt, "reason": "the connection broke"}),
        ):
            connection.execute(update(Delivery).where(theirs, col(Delivery.id) == number).values(**values))
        connection.execute(
            update(Subscriber).where(col(Subscriber.id) <= 20).values(country="MN", organisation="Institute")
        )


def _add_held(session: Session, campaign: int, now: datetime) -> None:
    for kind, sender, subject, raw, size, note in (
        (
            FeedbackKind.bounce,
            "mailer-daemon@mx.example",
            "Undelivered Mail",
            b"From: mailer-daemon@mx.example\r\n\r\n5.1.1 unknown\r\n",
            0,
            "many addresses of this campaign came back as dead at once",
        ),
        (FeedbackKind.other, "tuya@office.example", "Café", _LETTER, 0, "nobody knows what it is"),
        (FeedbackKind.other, "x@example.com", "Large", b"From: x@example.com\r\n\r\nBeg", 9_000_000, "large"),
    ):
        session.add(
            FeedbackMessage(
                fingerprint=f"{note}"[:64],
                received_at=now - timedelta(hours=3),
                source="maildir",
                kind=kind,
                state=FeedbackState.held,
                sender=sender,
                subject=subject,
                raw=raw,
                size=size or len(raw),
                note=note,
            )
        )
    session.flush()
    session.add(
        FeedbackEvent(
            message_id=HELD_BOUNCE,
            subscriber_id=4,
            campaign_id=campaign,
            evidence=Evidence.address,
            address="reader3@example.org",
            reason=Reason.no_such_user,
            action="failed",
            status="5.1.1",
            code="550",
            words="550 5.1.1 unknown",
            at=now - timedelta(hours=3),
            consequence=Consequence.held,
        )
    )


def _add_reply(session: Session, campaign: int, now: datetime) -> None:
    message = FeedbackMessage(
        fingerprint="a reply",
        received_at=now - timedelta(hours=5),
        source="maildir",
        kind=FeedbackKind.reply,
        state=FeedbackState.forwarded,
        sender="reader6@example.org",
        subject="Re: What we did this spring",
        size=900,
    )
    session.add(message)
    session.flush()
    session.add(
        FeedbackEvent(
            message_id=message.id or 0,
            subscriber_id=7,
            campaign_id=campaign,
            evidence=Evidence.token,
            address="reader6@example.org",
            at=now - timedelta(hours=5),
        )
    )
