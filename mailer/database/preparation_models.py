"""The tables of campaigns that are being prepared: what the team has decided, and which versions they saw."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer
from sqlmodel import Field, SQLModel

from mailer.database.models import InDoubtPolicy
from subscribers.models import text_enum

_CAMPAIGN = "campaign.id"
_MEMBER = "team_member.id"


class CampaignPreparation(SQLModel, table=True):
    """What the team has decided about a campaign before its launch, one row for each campaign that was
    prepared. It stays when the campaign is launched, as a record.

    ``segment`` is the text of a query, None while nobody has chosen one, and ``segment_name`` the name of the
    saved segment that was chosen, if it was one. ``count_clicks``, ``canary``,
    ``archived`` and ``in_doubt_policy`` are None where the settings decide; a ``canary`` of 0 is none,
    whatever they say. ``start_at`` is when it is to start, None for as soon as it is launched, and
    ``start_zone`` the time zone in which that was said. ``note`` is for whoever approves or launches it.
    ``version`` counts the changes, from 1.
    """

    __tablename__: ClassVar[str] = "campaign_preparation"
    __table_args__ = (
        CheckConstraint("canary IS NULL OR canary >= 0", name="canary"),
        CheckConstraint("canary_minutes IS NULL OR canary_minutes > 0", name="canary_minutes"),
        Index(None, "start_at"),
    )

    campaign_id: int = Field(
        sa_column=Column(Integer, ForeignKey(_CAMPAIGN, ondelete="CASCADE"), primary_key=True)
    )
    segment: str | None = None
    segment_name: str = Field(default="", max_length=64)
    again: bool = False
    count_clicks: bool | None = None
    start_at: datetime | None = None
    start_zone: str = Field(default="", max_length=64)
    canary: int | None = None
    canary_minutes: float | None = None
    archived: bool | None = None
    in_doubt_policy: InDoubtPolicy | None = Field(
        default=None, sa_column=Column(text_enum(InDoubtPolicy, "in_doubt_policy"), nullable=True)
    )
    note: str = ""
    version: int = 1
    prepared_by: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey(_MEMBER), nullable=True)
    )
    prepared_at: datetime
    changed_by: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey(_MEMBER), nullable=True)
    )
    changed_at: datetime


class SeenVariant(SQLModel, table=True):
    """A member has looked at a version of a campaign's mail. ``digest`` is the SHA-256 of that mail, so a
    version that has changed since is another one."""

    __tablename__: ClassVar[str] = "seen_variant"

    campaign_id: int = Field(
        sa_column=Column(Integer, ForeignKey(_CAMPAIGN, ondelete="CASCADE"), primary_key=True)
    )
    member_id: int = Field(
        sa_column=Column(Integer, ForeignKey(_MEMBER, ondelete="CASCADE"), primary_key=True, index=True)
    )
    digest: str = Field(primary_key=True, max_length=64)
    seen_at: datetime
