"""Resolve deliveries in doubt: sent if there is evidence, or sent or requeued if a person decides so.

Besides :mod:`mailer.dispatch.deliveries.ledger` and the erasure of a subscriber, this is the only module that
changes deliveries, by the same conditional updates. ``doubted`` stays true, so it can still be told what was
once in doubt, and ``reason`` says what resolved it.

A live dispatcher soon resolves the deliveries it holds by itself. So a person, and a relay's log that a
person reads, decide only about deliveries that no live dispatcher holds. A subscriber who uses the link in
the mail is different: they have the mail, whoever holds the delivery, and the web cannot know whether that
owner is alive. So this evidence takes the delivery from its owner. If the owner is alive, it finds the
delivery gone when it records the outcome, as though it had been taken for dead, and must leave what is
recorded (:class:`mailer.dispatch.deliveries.claims.LostClaimError`): no reply of the server can change that
the subscriber has the mail.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select
from sqlmodel import col

from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.deliveries.transitions import make_state_update
from mailer.utc import format_utc
from subscribers.models import Subscriber

UNSUBSCRIBE_EVIDENCE = "an unsubscribe through its link"
PREFERENCES_EVIDENCE = "a choice of preferences through its link"
RETURN_EVIDENCE = "a return to the list through its link"
"""Evidence that a subscriber has the mail, as :func:`mark_sent_by_evidence` records it."""

PROVED_BY = "proved by "
"""How the reason of a delivery begins that was sent according to such evidence."""

_IN_DOUBT = (DeliveryState.in_doubt,)
_BATCH_SIZE = 500
_COLUMNS: tuple[Any, ...] = (
    col(Delivery.id).label("number"),
    col(Delivery.subscriber_id),
    col(Subscriber.email),
    col(Delivery.updated_at),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubtDelivery:
    """A delivery in doubt that no live dispatcher holds. ``since`` is when it last changed."""

    delivery_id: int
    subscriber_id: int
    email: str
    since: datetime


def mark_sent_by_evidence(
    connection: Connection, campaign_id: int, subscriber_id: int, evidence: str, now: datetime
) -> bool:
    """Mark the delivery as sent if it is in doubt; return whether it was. The caller commits.

    ``evidence`` is something that only a recipient of the mail, or a server that accepted it, can have
    caused, in words for the ledger: "a bounce that quotes its Message-ID".
    """
    reason = f"{PROVED_BY}{evidence}, {format_utc(now)}"
    ours = (col(Delivery.campaign_id) == campaign_id, col(Delivery.subscriber_id) == subscriber_id)
    return _update_state(connection, DeliveryState.sent, ours, reason=reason, now=now) == 1


def list_in_doubt(
    connection: Connection, campaign_id: int, dead: Collection[str] = ()
) -> list[InDoubtDelivery]:
    """List the deliveries in doubt of a campaign that no dispatcher holds, or one in ``dead``."""
    statement = (
        select(*_COLUMNS)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Delivery.campaign_id) == campaign_id,
            col(Delivery.state) == DeliveryState.in_doubt,
            _has_no_live_owner(dead),
        )
        .order_by(col(Delivery.id))
    )
    return [
        InDoubtDelivery(
            delivery_id=row.number, subscriber_id=row.subscriber_id, email=row.email, since=row.updated_at
        )
        for row in connection.execute(statement)
    ]


def mark_sent(
    connection: Connection, reasons: Mapping[int, str], *, dead: Collection[str] = (), now: datetime
) -> int:
    """Mark deliveries as sent, each for its reason; return how many were still in doubt."""
    return sum(
        _update_state(
            connection,
            DeliveryState.sent,
            (col(Delivery.id) == number, _has_no_live_owner(dead)),
            reason=reason,
            now=now,
        )
        for number, reason in reasons.items()
    )


def requeue(
    connection: Connection,
    delivery_ids: Iterable[int],
    reason: str,
    *,
    dead: Collection[str] = (),
    now: datetime,
) -> int:
    """Requeue deliveries, to be sent under the same Message-ID; return how many were still in doubt."""
    numbers = list(delivery_ids)
    return sum(
        _update_state(
            connection,
            DeliveryState.queued,
            (col(Delivery.id).in_(numbers[start : start + _BATCH_SIZE]), _has_no_live_owner(dead)),
            reason=reason,
            now=now,
        )
        for start in range(0, len(numbers), _BATCH_SIZE)
    )


def _has_no_live_owner(dead: Collection[str]) -> ColumnElement[bool]:
    return or_(col(Delivery.owner).is_(None), col(Delivery.owner).in_(dead))


def _update_state(
    connection: Connection,
    to: DeliveryState,
    conditions: Iterable[ColumnElement[bool]],
    *,
    reason: str,
    now: datetime,
) -> int:
    values = {"owner": None, "doubted": True, "code": None, "reason": reason, "updated_at": now}
    return connection.execute(make_state_update(_IN_DOUBT, to, *conditions, **values)).rowcount
