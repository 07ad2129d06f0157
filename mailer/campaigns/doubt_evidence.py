"""What is known of deliveries in doubt: how each came to be, what came back since, what settled others."""

from collections.abc import Collection, Mapping
from enum import StrEnum

from sqlalchemy import Connection, select
from sqlmodel import col

from mailer.campaigns.doubt_resolution import DECISIONS, RELAY_LOG
from mailer.database.feedback_models import FeedbackEvent, FeedbackMessage, FeedbackState
from mailer.database.models import DeliveryState
from mailer.dispatch.ledger import CRASH_REASON
from mailer.dispatch.ledger_changes import PROVED_BY
from mailer.smtp.connection import CONNECTION_LOST, TIMED_OUT


class DoubtCause(StrEnum):
    """How a delivery came to be in doubt."""

    silence = "silence"
    """The whole message was sent, and the server did not answer in time."""

    lost = "lost"
    """The whole message was sent, and the connection broke before the server answered."""

    unclear = "unclear"
    """The whole message was sent, and the server's answer means neither yes nor no."""

    interrupted = "interrupted"
    """The dispatcher stopped after it had begun, so the message was sent in whole, in part or not at all."""

    unknown = "unknown"
    """Something else, which the reason says."""


class DoubtSettlement(StrEnum):
    """What has settled a delivery that was in doubt."""

    person = "person"
    """A person decided."""

    log = "log"
    """The relay's log."""

    proof = "proof"
    """What the reader did, or what came back, proved that they have it."""

    rule = "rule"
    """The campaign's rule: it is sent again without asking."""

    reply = "reply"
    """The server's reply: a late one, or that to another attempt."""

    other = "other"
    """Something else, which the reason says."""


def find_doubt_cause(code: int | None, reason: str) -> DoubtCause:
    """How a delivery came to be in doubt, by the ``code`` and the ``reason`` that the ledger has for it."""
    if code is not None:
        return DoubtCause.unclear
    # Whoever was killed left no reason.
    if reason in {"", CRASH_REASON}:
        return DoubtCause.interrupted
    if not reason.startswith(CONNECTION_LOST):
        return DoubtCause.unknown
    return DoubtCause.silence if reason.endswith(f": {TIMED_OUT}") else DoubtCause.lost


def find_doubt_settlement(state: DeliveryState, code: int | None, reason: str) -> DoubtSettlement:
    """What settled a delivery that was in doubt, by its ``state`` now and what the ledger has for it."""
    if code is not None:
        return DoubtSettlement.reply
    if reason in DECISIONS.values():
        return DoubtSettlement.person
    if RELAY_LOG in reason:
        return DoubtSettlement.log
    if reason.startswith(PROVED_BY):
        return DoubtSettlement.proof
    is_sent_again = state in {DeliveryState.queued, DeliveryState.claimed}
    return DoubtSettlement.rule if is_sent_again else DoubtSettlement.other


def find_held_messages(
    connection: Connection, campaign_id: int, subscribers: Collection[int]
) -> Mapping[int, int]:
    """The newest message that came back from each of ``subscribers`` about a campaign and waits for a
    person's judgement, by the subscriber's number."""
    subscriber = col(FeedbackEvent.subscriber_id)
    found = (
        select(subscriber, col(FeedbackMessage.id))
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(subscriber.in_(subscribers), col(FeedbackEvent.campaign_id) == campaign_id)
        .where(col(FeedbackMessage.state) == FeedbackState.held)
        .order_by(col(FeedbackMessage.id))
    )
    return {number: message or 0 for number, message in connection.execute(found) if number is not None}
