"""Settling doubts: from in doubt to sent by proof, to sent or back to the queue by a person's word.

Beside :mod:`mailer.dispatch.deliveries.ledger` the only module that moves deliveries, by the same conditional
updates. ``doubted`` stays true, so that what was in doubt once can still be told, and ``reason`` says what
settled it.

A dispatcher that lives settles what it has in hand by itself, and soon. So a person, and a relay's log read
by a person, decide only about deliveries that no living dispatcher holds. A reader who uses the link in the
mail is another matter: they have the mail, whoever holds the delivery, and the web cannot know whether that
owner lives or died with the row in its hands. So this proof takes the delivery from its owner. An owner that
is alive then finds it gone when it comes to settle it, as though it had been taken for dead, and must leave
what is recorded (:class:`mailer.dispatch.deliveries.claims.LostClaimError`): the server's answer, whatever it
is, cannot take back that the reader has the mail.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select
from sqlmodel import col

from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.deliveries.transition_updates import make_state_update
from subscribers.models import Subscriber

UNSUBSCRIBE_EVIDENCE = "an unsubscribe through its link"
PREFERENCES_EVIDENCE = "a choice of preferences through its link"
RETURN_EVIDENCE = "a return to the list through its link"
"""What proves that a reader has the mail, as :func:`mark_sent_by_evidence` writes it down."""

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
    """A delivery in doubt that no living dispatcher holds. ``since`` is when it was last written to."""

    delivery_id: int
    subscriber_id: int
    email: str
    since: datetime


def mark_sent_by_evidence(
    connection: Connection, campaign_id: int, subscriber_id: int, evidence: str, now: datetime
) -> bool:
    """Call the delivery sent if it is in doubt; whether it was. The caller commits.

    ``evidence`` is what only a reader of the mail, or a server that took it, can have caused, in words for
    the ledger: "a bounce that quotes its Message-ID".
    """
    reason = f"proved by {evidence}, {now:%Y-%m-%d %H:%M} UTC"
    ours = (col(Delivery.campaign_id) == campaign_id, col(Delivery.subscriber_id) == subscriber_id)
    return _update_state(connection, DeliveryState.sent, ours, reason=reason, now=now) == 1


def list_in_doubt(
    connection: Connection, campaign_id: int, dead: Collection[str] = ()
) -> list[InDoubtDelivery]:
    """The doubts of a campaign that nobody holds but the dispatchers in ``dead``, in the order of their
    deliveries.
    """
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
    """Call doubts sent, by the numbers of their deliveries, each for its reason; how many still were in
    doubt.
    """
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
    """Put doubts back in the queue, to be sent under the same Message-ID; how many still were in doubt."""
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
