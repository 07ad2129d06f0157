"""What the list is like, in a few words that differ when a number may differ."""

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select
from sqlmodel import col

from mailer.database.models import Campaign, Delivery
from subscribers.models import ConsentRecord, ImportBatch, SavedSegment, Subscriber


def read_list_stamp(connection: Connection, today: date) -> str:
    """Read what the list, its campaigns and its saved segments are like on a day.

    Everything that changes a subscriber leaves a consent record, and whoever is added or removed changes the
    last numbers. Each part is found in an index, or in a table of a few hundred rows. What deliveries become
    while a campaign is being sent is not in it.
    """
    numbers: list[ColumnElement[Any]] = [
        *(func.max(col(table.id)) for table in (ConsentRecord, Subscriber, ImportBatch, Delivery, Campaign)),
        *(func.max(col(when)) for when in (ImportBatch.rolled_back_at, Campaign.launched_at)),
        *(func.max(col(Campaign.finished_at)), func.max(col(SavedSegment.updated_at))),
        func.count(col(SavedSegment.name)),
    ]
    read = [select(number).scalar_subquery() for number in numbers]
    return " ".join(
        [today.isoformat(), *(_shorten(value) for value in connection.execute(select(*read)).one())]
    )


def _shorten(value: object) -> str:
    return "-" if value is None else str(value).replace(" ", "T")
