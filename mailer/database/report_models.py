"""The tables of reports: the figures of campaigns that cost too much to count for every look, and the reports
that are still to be mailed to the team.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from mailer.database import models as models
from subscribers.models import text_enum


class ReportPart(StrEnum):
    """A part of a report that is kept."""

    ledger = "ledger"
    """The deliveries by state."""

    reasons = "reasons"
    """Why readers did not get the mail."""

    in_doubt = "in_doubt"
    """The numbers of the first deliveries in doubt."""

    breakdown = "breakdown"
    """The readers by country and sector."""

    hand_over = "hand_over"
    """The time until the relay accepted the messages."""

    departures = "departures"
    """Who has left since, and what was changed through the mail."""

    lost_organisations = "lost_organisations"
    """Organisations that have no reader left."""

    clicks = "clicks"
    """Who followed the links, without a person."""

    months = "months"
    """The growth of the list by month; of no campaign."""

    warnings = "warnings"
    """What the checks had warned of, written down with the content. It is never counted again."""

    mailed = "mailed"
    """That the report was mailed to the team, and when. It is never counted again."""


class CampaignReportPart(SQLModel, table=True):
    """One part of a campaign's report as it was at ``counted_at``.

    ``campaign_id`` is None for what is about the whole list. ``body`` is JSON without any person in it.
    ``fingerprint`` tells what the figures depend on; if it differs now, they are out of date. ``cost`` is how
    long counting took, in seconds.
    """

    __tablename__: ClassVar[str] = "campaign_report"
    __table_args__ = (
        Index(
            "uq_campaign_report_part",
            "campaign_id",
            "part",
            unique=True,
            sqlite_where=text("campaign_id IS NOT NULL"),
            postgresql_where=text("campaign_id IS NOT NULL"),
        ),
        Index(
            "uq_campaign_report_list_part",
            "part",
            unique=True,
            sqlite_where=text("campaign_id IS NULL"),
            postgresql_where=text("campaign_id IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int | None = Field(default=None, foreign_key="campaign.id", ondelete="CASCADE")
    part: ReportPart = Field(sa_column=Column(text_enum(ReportPart, "part"), nullable=False))
    body: str
    counted_at: datetime
    fingerprint: str = Field(default="", max_length=200)
    cost: float = 0.0


class QueuedReportMail(SQLModel, table=True):
    """A report that is still to be mailed to one address of the team. Its row is deleted once it is sent.

    ``not_before`` is the time of the next attempt; a sender moves it on before it tries. ``reason`` is why
    the last attempt failed.
    """

    __tablename__: ClassVar[str] = "report_mail"

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", ondelete="CASCADE", index=True)
    address: str = Field(max_length=320)
    queued_at: datetime
    not_before: datetime = Field(index=True)
    attempts: int = 0
    reason: str = Field(default="", max_length=1000)
