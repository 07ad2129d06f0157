"""The table of re-confirmations: when a segment was asked whether it still wants the newsletter."""

from datetime import datetime
from typing import ClassVar

from sqlmodel import Field, SQLModel

from mailer.database import models as models

RECONFIRMATION_PREFIX = "reconfirmation~"
"""How the name of every re-confirmation begins; no edition's name can contain the sign at its end."""


class Reconfirmation(SQLModel, table=True):
    """A letter to a segment that asks its readers whether they still want the newsletter.

    ``name`` is what its campaigns have in the place of an edition's. Who has not answered by ``answer_by`` is
    paused; ``closed_at`` is when that was done. ``asked_by`` is the name of the person who asked.
    """

    __tablename__: ClassVar[str] = "reconfirmation"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=100, unique=True)
    segment: str
    asked_by: str = Field(max_length=200)
    created_at: datetime
    answer_by: datetime
    closed_at: datetime | None = None
