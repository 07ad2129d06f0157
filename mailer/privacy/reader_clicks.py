"""Forgetting which links a reader followed. How many people followed each stays counted."""

from sqlalchemy import Connection, delete, update
from sqlmodel import col

from mailer.database.click_models import Click, ReaderClick


def forget_reader_clicks(connection: Connection, subscriber_id: int) -> None:
    """Delete what was recorded with a reader's name, and take it off what is not counted yet. The caller has
    locked the subscriber, and commits.
    """
    connection.execute(delete(ReaderClick).where(col(ReaderClick.subscriber_id) == subscriber_id))
    connection.execute(
        update(Click).where(col(Click.subscriber_id) == subscriber_id).values(subscriber_id=None)
    )
