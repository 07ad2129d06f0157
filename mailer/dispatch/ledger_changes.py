"""Changes of the ledger outside a run: doubts that are settled, subscribers who are erased or merged.

The updates are conditional, as those of a run are in :mod:`mailer.dispatch.ledger` and
:mod:`mailer.dispatch.batch_writer`. ``doubted`` stays true, so it can still be told what was once in doubt,
and ``reason`` says what resolved it.

A live dispatcher soon resolves the deliveries it holds by itself. So a person, and a relay's log that a
person reads, decide only about deliveries that no live dispatcher holds. A subscriber who uses the link in
the mail is different: they have the mail, whoever holds the delivery, and the web cannot know whether that
owner is alive. So this evidence takes the delivery from its owner. If the owner is alive, it finds the
delivery gone when it records the outcome, as though it had been taken for dead, and must leave what is
recorded (:class:`mailer.dispatch.deliveries.LostClaimError`): no reply of the server can change that the
subscriber has the mail.

When two subscribers are merged, a message that has been sent, or may have been, stays with whom it was
addressed to: its Message-ID and its links name them. What still waits must neither reach one person twice
nor be lost.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select, update
from sqlmodel import col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries import make_state_update
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
_MERGED = "merged"
"""The reason of a delivery that is not sent because its reader has the edition by another address."""
_WAITING = (DeliveryState.queued, DeliveryState.claimed, DeliveryState.deferred)
_RECEIVED = (DeliveryState.sent, DeliveryState.in_doubt)
_UNDER_WAY = (CampaignState.sending, CampaignState.paused)


def name_consent_source(campaign_id: int) -> str:
    return f"campaign {campaign_id}"


def mark_sent_by_evidence(
    connection: Connection, campaign_id: int, subscriber_id: int, evidence: str, now: datetime
) -> bool:
    """Mark the delivery as sent if it is in doubt; return whether it was. The caller commits. ``evidence`` is
    something that only a recipient of the mail, or a server that accepted it, can have caused, in words for
    the ledger: "a bounce that quotes its Message-ID"."""
    reason = f"{PROVED_BY}{evidence}, {format_utc(now)}"
    ours = (col(Delivery.campaign_id) == campaign_id, col(Delivery.subscriber_id) == subscriber_id)
    return _update_state(connection, DeliveryState.sent, ours, reason=reason, now=now) == 1


def list_in_doubt(connection: Connection, campaign_id: int, dead: Collection[str] = ()) -> Sequence[Row[Any]]:
    """List the deliveries in doubt of a campaign that no dispatcher holds, or one in ``dead``, each with its
    ``delivery_id``, ``subscriber_id``, ``email``, and when it last changed (``since``)."""
    columns: tuple[Any, ...] = (
        *(col(Delivery.id).label("delivery_id"), col(Delivery.subscriber_id), col(Subscriber.email)),
        col(Delivery.updated_at).label("since"),
    )
    statement = (
        select(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Delivery.campaign_id) == campaign_id,
            col(Delivery.state) == DeliveryState.in_doubt,
            _has_no_live_owner(dead),
        )
        .order_by(col(Delivery.id))
    )
    return connection.execute(statement).all()


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


def erase_deliveries(connection: Connection, subscriber_id: int, now: datetime) -> None:
    """Delete what servers said about a subscriber and which stories they were sent, and take what is in hand
    from its dispatchers. The caller erases the subscriber in the same transaction.

    A dispatcher would write the reply to a message being sent after the erasure, and replies often quote the
    address. Without an owner, the delivery is in doubt until the reply comes, which then settles it without
    its words (:mod:`mailer.dispatch.batch_writer`). What was only claimed is queued, and suppressed
    when its turn comes.
    """
    # Locked first, as a late reply does, which must see the erasure or come before it.
    connection.execute(
        select(col(Subscriber.id)).where(col(Subscriber.id) == subscriber_id).with_for_update()
    )
    theirs = col(Delivery.subscriber_id) == subscriber_id
    held = (theirs, col(Delivery.owner).is_not(None))
    values = {"owner": None, "updated_at": now}
    claimed, in_doubt = DeliveryState.claimed, DeliveryState.in_doubt
    connection.execute(make_state_update([claimed], DeliveryState.queued, *held, **values))
    connection.execute(make_state_update([in_doubt], in_doubt, *held, doubted=True, **values))
    connection.execute(update(Delivery).where(theirs).values(reason="", stories=None, updated_at=now))


def plan_merged_deliveries(
    connection: Connection, kept_id: int, merged_id: int
) -> tuple[list[int], list[int]]:
    """Return which deliveries that wait :func:`merge_deliveries` would move to the one who is kept, and which
    it would drop, because that person has the edition or gets it by the other delivery. Writes nothing."""
    rows = _read_rows(connection, (kept_id, merged_id))
    theirs = [row for row in rows if row.subscriber_id == merged_id]
    own = [row for row in rows if row.subscriber_id == kept_id]
    moved, dropped = [], []
    for row in (row for row in theirs if _waits(row) and not row.doubted):
        # Whatever became of it there, a campaign has one delivery for each person.
        if _reaches(own, row) or any(one.campaign_id == row.campaign_id for one in own):
            dropped.append(row.id)
        else:
            moved.append(row.id)
    arrived = [row for row in theirs if _may_have_arrived(row)]
    dropped += [row.id for row in own if _waits(row) and not row.doubted and _reaches(arrived, row)]
    return sorted(moved), sorted(dropped)


def merge_deliveries(
    connection: Connection, kept_id: int, merged_id: int, now: datetime
) -> tuple[list[int], list[int]]:
    """Settle what waits for one of the two; return what was done. The caller has locked both subscribers, and
    merges them in the same transaction.

    A dispatcher that holds such a delivery loses it before anything is transmitted. One that is being sent at
    this moment stays with it.
    """
    theirs = col(Delivery.subscriber_id).in_((kept_id, merged_id))
    # Locked in one order before they are read, so that none is claimed or sent in between.
    connection.execute(select(col(Delivery.id)).where(theirs).order_by(col(Delivery.id)).with_for_update())
    moved, dropped = plan_merged_deliveries(connection, kept_id, merged_id)
    _take_back(connection, (*moved, *dropped), now)
    connection.execute(
        update(Delivery)
        .where(col(Delivery.id).in_(moved), col(Delivery.state) == DeliveryState.queued)
        .values(subscriber_id=kept_id, updated_at=now)
    )
    connection.execute(
        make_state_update(
            [DeliveryState.queued],
            DeliveryState.suppressed,
            col(Delivery.id).in_(dropped),
            reason=_MERGED,
            updated_at=now,
        )
    )
    return moved, dropped


def _take_back(connection: Connection, numbers: Sequence[int], now: datetime) -> None:
    """Put deliveries that a dispatcher holds, or that wait for their time, back in the queue."""
    some = col(Delivery.id).in_(numbers)
    claimed, deferred, queued = DeliveryState.claimed, DeliveryState.deferred, DeliveryState.queued
    connection.execute(make_state_update([claimed], queued, some, owner=None, updated_at=now))
    connection.execute(make_state_update([deferred], queued, some, not_before=None, updated_at=now))


def _read_rows(connection: Connection, subscribers: Sequence[int]) -> Sequence[Row[Any]]:
    is_under_way = col(Campaign.state).in_(_UNDER_WAY).label("is_under_way")
    columns: tuple[Any, ...] = (
        *(col(Delivery.id), col(Delivery.campaign_id), col(Delivery.subscriber_id)),
        *(col(Campaign.edition), col(Campaign.again), is_under_way),
        *(col(Delivery.state), col(Delivery.doubted)),
    )
    found = connection.execute(
        select(*columns)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(col(Delivery.subscriber_id).in_(subscribers))
    )
    return found.all()


def _waits(row: Row[Any]) -> bool:
    return row.is_under_way and row.state in _WAITING


def _may_have_arrived(row: Row[Any]) -> bool:
    return row.doubted or row.state in _RECEIVED


def _reaches(rows: Iterable[Row[Any]], waiting: Row[Any]) -> bool:
    """Return whether one of ``rows`` has brought the edition that is ``waiting``, or may yet bring it. A
    campaign that goes to those who have it already asks about itself alone."""
    return any(
        (_may_have_arrived(row) or _waits(row))
        and (row.campaign_id == waiting.campaign_id or (row.edition == waiting.edition and not waiting.again))
        for row in rows
    )
