"""The tables of what is prepared before a campaign: its draft, launches that wait, and re-confirmations."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from mailer.database.models import InDoubtPolicy, partial_index
from subscribers.models import text_enum

RECONFIRMATION_PREFIX = "reconfirmation~"
"""How the name of every re-confirmation begins; no edition's name can contain the sign at its end."""


class CampaignPreparation(SQLModel, table=True):
    """What the team has decided about a campaign before its launch. It stays when the campaign is launched,
    as a record.

    ``segment`` is the text of a query, None while nobody has chosen one, and ``segment_name`` the name of the
    saved segment that was chosen, if it was one. ``count_clicks``, ``canary``, ``archived`` and
    ``in_doubt_policy`` are None where the settings decide; a ``canary`` of 0 is none, whatever they say. It
    starts at ``start_at``, as said in the time zone ``start_zone``; None is as soon as it is launched.
    ``note`` is for whoever approves or launches it. ``version`` counts the changes, from 1.
    """

    __tablename__: ClassVar[str] = "campaign_preparation"
    __table_args__ = (
        CheckConstraint("canary IS NULL OR canary >= 0", name="canary"),
        CheckConstraint("canary_minutes IS NULL OR canary_minutes > 0", name="canary_minutes"),
        Index(None, "start_at"),
    )

    campaign_id: int = Field(foreign_key="campaign.id", ondelete="CASCADE", primary_key=True)
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
        default=None, sa_type=text_enum(InDoubtPolicy, "in_doubt_policy")
    )
    note: str = ""
    version: int = 1
    prepared_by: int | None = Field(default=None, foreign_key="team_member.id")
    prepared_at: datetime
    changed_by: int | None = Field(default=None, foreign_key="team_member.id")
    changed_at: datetime


class SeenVariant(SQLModel, table=True):
    """A member has looked at a version of a campaign's mail. ``digest`` is the SHA-256 of that mail, so a
    version that has changed since is another one."""

    __tablename__: ClassVar[str] = "seen_variant"

    campaign_id: int = Field(foreign_key="campaign.id", ondelete="CASCADE", primary_key=True)
    member_id: int = Field(foreign_key="team_member.id", ondelete="CASCADE", primary_key=True, index=True)
    digest: str = Field(primary_key=True, max_length=64)
    seen_at: datetime


class HaltMail(SQLModel, table=True):
    """A mail to whoever launched a campaign that has halted, still to be sent. ``not_before`` is the time of
    the next attempt."""

    __tablename__: ClassVar[str] = "halt_mail"
    __table_args__ = (Index(None, "campaign_id"), Index(None, "not_before"))

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", ondelete="CASCADE")
    not_before: datetime
    attempts: int = 0
    reason: str = ""


class PendingLaunchState(StrEnum):
    """How far a launch has come that was asked for in Studio."""

    unconfirmed = "unconfirmed"
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

    ``launched_id`` is the campaign that came of it. ``options`` is JSON, ``digest`` that of content and
    segment as they were shown, and ``count`` the number of readers that was typed. ``preparation_version`` is
    that of what the team had decided. It becomes a campaign that starts at ``scheduled_at``; None is now. It
    starts from ``due_at``, and no more from ``expires_at``. ``found_count`` is the number of readers there
    were when it was to start, if that was another; ``reason`` says why it did not.
    """

    __tablename__: ClassVar[str] = "pending_launch"
    __table_args__ = (
        Index(None, "campaign_id", "id"),
        # One at a time: of two that are asked for at the same moment, the database refuses the second.
        partial_index(
            "ix_pending_launch_active",
            "edition",
            "segment",
            where="state = 'unconfirmed' OR state = 'waiting'",
            unique=True,
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", ondelete="CASCADE")
    launched_id: int | None = Field(default=None, foreign_key="campaign.id", ondelete="SET NULL")
    state: PendingLaunchState = Field(sa_type=text_enum(PendingLaunchState, "state"))
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
    asked_by: int = Field(foreign_key="team_member.id")
    asked_at: datetime
    confirmed_by: int | None = Field(default=None, foreign_key="team_member.id")
    due_at: datetime | None = None
    expires_at: datetime
    ended_at: datetime | None = None
    reason: str = ""


class Reconfirmation(SQLModel, table=True):
    """A letter to a segment that asks its readers whether they still want the newsletter.

    ``name`` is what its campaigns have in the place of an edition's. Who has not answered by ``answer_by`` is
    paused; ``closed_at`` is when that was done.
    """

    __tablename__: ClassVar[str] = "reconfirmation"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=100, unique=True)
    segment: str
    asked_by: str = Field(max_length=200)
    created_at: datetime
    answer_by: datetime
    closed_at: datetime | None = None
