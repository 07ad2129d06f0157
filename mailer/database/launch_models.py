"""The table of launches that were asked for in Studio and have not begun yet, or did not."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, Integer, text
from sqlmodel import Field, SQLModel

from subscribers.models import text_enum

_MEMBER = "team_member.id"
_IS_ACTIVE = text("state = 'unconfirmed' OR state = 'waiting'")


class PendingLaunchState(StrEnum):
    """How far a launch has come that was asked for in Studio."""

    unconfirmed = "unconfirmed"
    """A second person has to confirm it."""

    waiting = "waiting"
    """It starts when its time has come, and can be undone until then."""

    started = "started"
    """The campaign was launched, or scheduled."""

    undone = "undone"
    """Somebody undid it. Nothing was sent."""

    refused = "refused"
    """Something was in the way at the moment of its start. Nothing was sent."""

    expired = "expired"
    """Nobody confirmed it, or no program was there to start it, in time. Nothing was sent."""


class PendingLaunchRecord(SQLModel, table=True):
    """A launch of a campaign's draft, as a person asked for it.

    ``campaign_id`` is the draft that it was asked on, ``launched_id`` the campaign that came of it.
    ``segment``, ``again``, ``counts_clicks`` and ``options`` (JSON) are how it is sent, ``digest`` is that of
    content and segment as they were shown, and ``count`` the number of readers that was typed.
    ``preparation_version`` is that of what the team had decided. It becomes a campaign that starts at
    ``scheduled_at``; None is now. It starts from ``due_at``, and no more from ``expires_at``. ``found_count``
    is the number of readers there were when it was to start, if that was another; ``reason`` says why it did
    not.
    """

    __tablename__: ClassVar[str] = "pending_launch"
    __table_args__ = (
        Index(None, "campaign_id", "id"),
        # One at a time: of two that are asked for at the same moment, the database refuses the second.
        Index(
            "ix_pending_launch_active",
            "edition",
            "segment",
            unique=True,
            sqlite_where=_IS_ACTIVE,
            postgresql_where=_IS_ACTIVE,
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(
        sa_column=Column(Integer, ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False)
    )
    launched_id: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey("campaign.id", ondelete="SET NULL"), nullable=True)
    )
    state: PendingLaunchState = Field(
        sa_column=Column(text_enum(PendingLaunchState, "state"), nullable=False)
    )
    edition: str = Field(max_length=100)
    segment: str
    again: bool
    counts_clicks: bool
    preparation_version: int | None = None
    options: str
    digest: str = Field(max_length=64)
    count: int
    found_count: int | None = None
    scheduled_at: datetime | None = None
    asked_by: int = Field(sa_column=Column(Integer, ForeignKey(_MEMBER), nullable=False))
    asked_at: datetime
    confirmed_by: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey(_MEMBER), nullable=True)
    )
    due_at: datetime | None = None
    expires_at: datetime
    ended_at: datetime | None = None
    reason: str = ""
