"""What a subscriber was sent, what came of it, and what came back: the latest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, or_, select

from mailer.database.feedback_models import Consequence, FeedbackEvent, FeedbackKind, FeedbackMessage
from mailer.database.models import Campaign, Delivery, DeliveryState, SentTest
from mailer.reasons.reason import Reason


@dataclass(frozen=True, kw_only=True)
class SentCampaign:
    """A delivery of a campaign. ``code`` and ``words`` are the server's reply, or our own reason;
    ``subscriber_id`` is whom it was for: perhaps somebody who was merged since."""

    campaign_id: int
    edition: str
    title: str
    subscriber_id: int
    state: DeliveryState
    code: int | None
    words: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ReturnedMessage:
    """Something that came back: what it is, why (None if unknown), the server's or the program's words, and
    what was done because of it."""

    kind: FeedbackKind
    reason: Reason | None
    words: str
    subject: str
    consequence: Consequence
    at: datetime


@dataclass(frozen=True, kw_only=True)
class SentTestMessage:
    """A test of an edition that went to their address."""

    edition: str
    sent_by: str
    at: datetime


def list_sent_campaigns(session: Session, numbers: Sequence[int], *, limit: int) -> list[SentCampaign]:
    """List the latest campaigns that went to subscribers with these ``numbers``, who are one person."""
    rows = session.exec(
        select(Delivery, Campaign.edition, Campaign.title)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(col(Delivery.subscriber_id).in_(numbers))
        .order_by(col(Delivery.campaign_id).desc(), col(Delivery.id))
        .limit(limit)
    )
    return [
        SentCampaign(
            campaign_id=delivery.campaign_id,
            edition=edition,
            title=title,
            subscriber_id=delivery.subscriber_id,
            state=DeliveryState(delivery.state),
            code=delivery.code,
            words=delivery.reason,
            at=delivery.updated_at,
        )
        for delivery, edition, title in rows
    ]


def list_returned_messages(session: Session, numbers: Sequence[int], *, limit: int) -> list[ReturnedMessage]:
    """List what last came back by or about subscribers with these ``numbers``."""
    rows = session.exec(
        select(FeedbackEvent, FeedbackMessage.kind, FeedbackMessage.subject)
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(col(FeedbackEvent.subscriber_id).in_(numbers))
        .order_by(col(FeedbackEvent.at).desc(), col(FeedbackEvent.id).desc())
        .limit(limit)
    )
    return [
        ReturnedMessage(
            kind=FeedbackKind(kind),
            reason=event.reason,
            words=event.words,
            subject=subject,
            consequence=Consequence(event.consequence),
            at=event.at,
        )
        for event, kind, subject in rows
    ]


def list_sent_tests(session: Session, addresses: Sequence[str], *, limit: int) -> list[SentTestMessage]:
    """List the last tests that went to one of these ``addresses``, however they were written."""
    lower = func.lower(col(SentTest.address))
    rows = session.exec(
        select(SentTest)
        .where(or_(*(lower == address.lower() for address in addresses)))
        .order_by(col(SentTest.id).desc())
        .limit(limit)
    )
    return [SentTestMessage(edition=row.edition, sent_by=row.sent_by, at=row.sent_at) for row in rows]
