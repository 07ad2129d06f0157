"""The deliveries of a subscriber who is erased."""

from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlmodel import col

from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.deliveries.transitions import make_state_update
from subscribers.models import Subscriber


def erase_deliveries(connection: Connection, subscriber_id: int, now: datetime) -> None:
    """Delete what servers said about a subscriber and which stories they were sent, and take what is in hand
    from its dispatchers. The caller erases the subscriber in the same transaction.

    A dispatcher would write the reply to a message being sent after the erasure, and replies often quote the
    address. Without an owner, the delivery is in doubt until the reply comes, which then settles it without
    its words (:mod:`mailer.dispatch.deliveries.late_reply`). What was only claimed is queued, and suppressed
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
