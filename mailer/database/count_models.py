"""The table of numbers that take long to count."""

from datetime import datetime
from typing import ClassVar

from sqlmodel import Field, SQLModel


class KeptCount(SQLModel, table=True):
    """A number, or a table of numbers, as it was at ``counted_at``.

    ``key`` is a digest of what was asked. ``body`` is JSON without any person in it. ``stamp`` says what the
    list was like; if it differs now, the number is out of date. ``cost`` is how long counting took, in
    seconds.
    """

    __tablename__: ClassVar[str] = "counted_number"

    key: str = Field(primary_key=True, max_length=64)
    body: str
    counted_at: datetime = Field(index=True)
    stamp: str = Field(default="", max_length=300)
    cost: float = 0.0
