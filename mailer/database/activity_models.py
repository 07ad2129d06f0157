"""The table of who did what, in Studio and on the command line."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, Integer
from sqlmodel import Field, SQLModel


class ActivityRecord(SQLModel, table=True):
    """One thing that somebody did. Rows are only ever added: triggers refuse to change or delete one.

    The one change they allow is that a text becomes the mask of an erased address, whole.

    ``member_id`` is the member's number, None on the command line; ``name`` is what they were called at the
    time, or the name of the command line's user. ``act`` is one of :class:`~mailer.activity.acts.Act`, or a
    newer program's. ``edition`` is the slug of the edition that it was about, if any; ``subject`` is what
    else: a story, a person, a campaign's number, a file.
    """

    __tablename__: ClassVar[str] = "activity_record"
    __table_args__ = (Index(None, "member_id"), Index(None, "edition"), Index(None, "at"))

    id: int | None = Field(default=None, primary_key=True)
    at: datetime
    member_id: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey("team_member.id"), nullable=True)
    )
    name: str = Field(max_length=200)
    act: str = Field(max_length=64)
    edition: str = Field(default="", max_length=200)
    subject: str = Field(default="", max_length=400)
    detail: str = Field(default="", max_length=1000)
