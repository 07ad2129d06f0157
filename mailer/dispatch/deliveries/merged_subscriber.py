"""The deliveries of two subscribers who are merged into one.

A message that has been sent, or may have been, stays with whom it was addressed to: its Message-ID and its
links name them. What still waits must neither reach one person twice nor be lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlmodel import col

from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.deliveries.transitions import make_state_update

REASON = "merged"
"""The reason of a delivery that is not sent because its reader has the edition by another address."""

_WAITING = (DeliveryState.queued, DeliveryState.claimed, DeliveryState.deferred)
_RECEIVED = (DeliveryState.sent, DeliveryState.in_doubt)
_UNDER_WAY = (CampaignState.sending, CampaignState.paused)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A delivery of one of the two."""

    id: int
    campaign_id: int
    subscriber_id: int
    edition: str
    again: bool
    is_under_way: bool
    state: DeliveryState
    doubted: bool

    @property
    def waits(self) -> bool:
        return self.is_under_way and self.state in _WAITING

    @property
    def may_have_arrived(self) -> bool:
        return self.state in _RECEIVED or self.doubted


@dataclass(frozen=True, kw_only=True)
class MergedDeliveries:
    """What becomes of deliveries that wait, by number: ``moved`` go to the one who is kept, ``dropped`` are
    not sent, because that person has the edition or gets it by the other delivery."""

    moved: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()


def plan_deliveries(connection: Connection, kept_id: int, merged_id: int) -> MergedDeliveries:
    """What :func:`merge_deliveries` would do. Writes nothing."""
    rows = _read_rows(connection, (kept_id, merged_id))
    theirs = [row for row in rows if row.subscriber_id == merged_id]
    own = [row for row in rows if row.subscriber_id == kept_id]
    moved, dropped = [], []
    for row in (row for row in theirs if row.waits and not row.doubted):
        # Whatever became of it there, a campaign has one delivery for each person.
        if _reaches(own, row) or any(one.campaign_id == row.campaign_id for one in own):
            dropped.append(row.id)
        else:
            moved.append(row.id)
    arrived = [row for row in theirs if row.may_have_arrived]
    dropped += [row.id for row in own if row.waits and not row.doubted and _reaches(arrived, row)]
    return MergedDeliveries(moved=tuple(sorted(moved)), dropped=tuple(sorted(dropped)))


def merge_deliveries(connection: Connection, kept_id: int, merged_id: int, now: datetime) -> MergedDeliveries:
    """Settle what waits for one of the two; return what was done. The caller has locked both subscribers, and
    merges them in the same transaction.

    A dispatcher that holds such a delivery loses it before anything is transmitted. One that is being sent at
    this moment stays with it.
    """
    theirs = col(Delivery.subscriber_id).in_((kept_id, merged_id))
    # Locked in one order before they are read, so that none is claimed or sent in between.
    connection.execute(select(col(Delivery.id)).where(theirs).order_by(col(Delivery.id)).with_for_update())
    plan = plan_deliveries(connection, kept_id, merged_id)
    touched = (*plan.moved, *plan.dropped)
    _take_back(connection, touched, now)
    connection.execute(
        update(Delivery)
        .where(col(Delivery.id).in_(plan.moved), col(Delivery.state) == DeliveryState.queued)
        .values(subscriber_id=kept_id, updated_at=now)
    )
    connection.execute(
        make_state_update(
            [DeliveryState.queued],
            DeliveryState.suppressed,
            col(Delivery.id).in_(plan.dropped),
            reason=REASON,
            updated_at=now,
        )
    )
    return plan


def _take_back(connection: Connection, numbers: Sequence[int], now: datetime) -> None:
    """Put deliveries that a dispatcher holds, or that wait for their time, back in the queue."""
    some = col(Delivery.id).in_(numbers)
    claimed, deferred, queued = DeliveryState.claimed, DeliveryState.deferred, DeliveryState.queued
    connection.execute(make_state_update([claimed], queued, some, owner=None, updated_at=now))
    connection.execute(make_state_update([deferred], queued, some, not_before=None, updated_at=now))


def _read_rows(connection: Connection, subscribers: Sequence[int]) -> list[_Row]:
    columns = (
        *(col(Delivery.id), col(Delivery.campaign_id), col(Delivery.subscriber_id)),
        *(col(Campaign.edition), col(Campaign.again), col(Campaign.state).in_(_UNDER_WAY)),
        *(col(Delivery.state), col(Delivery.doubted)),
    )
    found = connection.execute(
        select(*columns)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(col(Delivery.subscriber_id).in_(subscribers))
    )
    return [
        _Row(
            id=number or 0,
            campaign_id=campaign_id,
            subscriber_id=subscriber_id,
            edition=edition,
            again=again,
            is_under_way=bool(is_under_way),
            state=DeliveryState(state),
            doubted=doubted,
        )
        for number, campaign_id, subscriber_id, edition, again, is_under_way, state, doubted in found
    ]


def _reaches(rows: Iterable[_Row], waiting: _Row) -> bool:
    """Whether one of ``rows`` has brought the edition that is ``waiting``, or may yet bring it. A campaign
    that goes to those who have it already asks about itself alone."""
    return any(
        (row.may_have_arrived or row.waits)
        and (row.campaign_id == waiting.campaign_id or (row.edition == waiting.edition and not waiting.again))
        for row in rows
    )
