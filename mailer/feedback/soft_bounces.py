"""How long a mailbox has been full or suspended: the bounces since the last message that did not bounce."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_
from sqlmodel import Session, col, func, select

from mailer.database.feedback_models import (
    FAILED_ACTIONS,
    Evidence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
)
from mailer.database.models import Delivery, DeliveryState
from mailer.feedback.identification import FoundPerson
from mailer.reasons.reason import Reason
from subscribers.models import ConsentRecord

_MAY_STILL_BOUNCE: Final = timedelta(days=5)
"""How long a server may keep a message in its queue before it gives up (RFC 5321, section 4.5.4.1)."""
_SOFT_REASONS: Final = tuple(reason for reason in Reason if reason.may_die)
_MAX_MESSAGES: Final = 200
_REFUSED: Final = (DeliveryState.rejected, DeliveryState.failed)

PROVIDER_SOURCE: Final = "webhook:"
"""What the source of a provider's event begins with."""


@dataclass(frozen=True, kw_only=True)
class SoftBounces:
    """``number`` messages in a row that came back from one mailbox, sent over ``days`` whole days; the last
    at ``last_sent_at``."""

    number: int
    days: int
    last_sent_at: datetime


def find_soft_bounces(session: Session, person: FoundPerson, *, now: datetime) -> SoftBounces | None:
    """Find the messages that came back as full or suspended since one arrived, or since the reader last did
    something themselves; None if there are none.

    The bounce that ``person`` was found by counts, though it is not recorded yet. Bounces whose reader was
    found by the address alone do not. Days are counted between the times of sending, so that a mailbox read
    late, or in another order, gives the same.
    """
    soft, others = _find_bounced_campaigns(session, person.subscriber_id)
    if person.campaign_id is not None:
        soft.add(person.campaign_id)
    times: list[datetime] = []
    for campaign_id, state, sent_at in _list_sent(session, person.subscriber_id):
        if campaign_id in soft:
            times.append(sent_at)
        elif state in _REFUSED or campaign_id in others:
            continue
        elif sent_at <= now - _MAY_STILL_BOUNCE:
            break
    if not times:
        return None
    return SoftBounces(number=len(times), days=(times[0] - times[-1]).days, last_sent_at=times[0])


def _find_bounced_campaigns(session: Session, subscriber_id: int) -> tuple[set[int], set[int]]:
    """The campaigns whose message bounced as full or suspended, and those where it bounced otherwise."""
    statement = (
        select(FeedbackEvent.campaign_id, FeedbackEvent.reason)
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(
            col(FeedbackEvent.subscriber_id) == subscriber_id,
            col(FeedbackEvent.campaign_id).is_not(None),
            col(FeedbackEvent.action).in_(FAILED_ACTIONS),
            col(FeedbackMessage.kind) == FeedbackKind.bounce,
            or_(
                col(FeedbackEvent.evidence) != Evidence.address,
                col(FeedbackMessage.source).startswith(PROVIDER_SOURCE),
            ),
        )
    )
    soft: set[int] = set()
    others: set[int] = set()
    for campaign_id, reason in session.exec(statement):
        if campaign_id is not None:
            (soft if reason in _SOFT_REASONS else others).add(campaign_id)
    return soft, others - soft


def _list_sent(session: Session, subscriber_id: int) -> list[tuple[int, str, datetime]]:
    """The messages sent to a subscriber since they last did something themselves, newest first, with those
    that their server refused at once."""
    last_action = session.exec(
        select(func.max(col(ConsentRecord.at))).where(
            col(ConsentRecord.subscriber_id) == subscriber_id, col(ConsentRecord.method) != "import"
        )
    ).one()
    sent = (
        select(Delivery.campaign_id, Delivery.state, Delivery.updated_at)
        .where(
            col(Delivery.subscriber_id) == subscriber_id,
            col(Delivery.state).in_((DeliveryState.sent, DeliveryState.in_doubt, *_REFUSED)),
        )
        .order_by(col(Delivery.updated_at).desc())
        .limit(_MAX_MESSAGES)
    )
    if last_action is not None:
        sent = sent.where(col(Delivery.updated_at) > last_action)
    return list(session.exec(sent))
