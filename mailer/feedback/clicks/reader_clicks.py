"""Which links a reader followed, of those who have agreed that it is recorded with their name."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from mailer.database.click_models import ReaderClick
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.models import Subscriber


def record_reader_clicks(connection: Connection, campaign_id: int, clicks: Sequence[Any]) -> None:
    """Record the first click on each link of each reader who still agrees. ``clicks`` are rows in the order
    of time. The caller commits.
    """
    named = {row.subscriber_id for row in clicks if row.subscriber_id is not None}
    if not named:
        return
    # Locked, so that somebody who withdraws or is erased at this moment does so before or after, and not
    # between the question and the answer.
    agreed = set(
        connection.scalars(
            select(col(Subscriber.id))
            .where(
                col(Subscriber.id).in_(named),
                col(Subscriber.click_consent),
                col(Subscriber.status).not_in(GONE_STATUSES),
            )
            .order_by(col(Subscriber.id))
            .with_for_update()
        )
    )
    known = {
        (row.subscriber_id, row.link_number)
        for row in connection.execute(
            select(col(ReaderClick.subscriber_id), col(ReaderClick.link_number)).where(
                col(ReaderClick.campaign_id) == campaign_id, col(ReaderClick.subscriber_id).in_(agreed)
            )
        )
    }
    for row in clicks:
        place = (row.subscriber_id, row.link_number)
        if row.subscriber_id in agreed and place not in known:
            known.add(place)
            connection.execute(
                insert(ReaderClick).values(
                    campaign_id=campaign_id,
                    subscriber_id=row.subscriber_id,
                    link_number=row.link_number,
                    clicked_at=row.clicked_at,
                )
            )
