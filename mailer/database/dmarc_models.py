"""The tables of aggregate reports of DMARC: which receivers reported, and who sent in our name."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from mailer.database import models as models


class DmarcReport(SQLModel, table=True):
    """One report of a receiver about one of our domains, from ``begins_at`` to ``ends_at``."""

    __tablename__: ClassVar[str] = "dmarc_report"
    __table_args__ = (UniqueConstraint("organisation", "report_id", "domain"),)

    id: int | None = Field(default=None, primary_key=True)
    organisation: str = Field(max_length=255)
    report_id: str = Field(max_length=255)
    domain: str = Field(max_length=255)
    policy: str = Field(max_length=255)
    begins_at: datetime
    ends_at: datetime = Field(index=True)
    received_at: datetime


class DmarcSource(SQLModel, table=True):
    """Messages in our name from one network address in one report; see
    :class:`mailer.feedback.incoming_message.ReportedSource`.

    ``dkim_domains`` are separated by spaces.
    """

    __tablename__: ClassVar[str] = "dmarc_source"

    report_id: int = Field(foreign_key="dmarc_report.id", ondelete="CASCADE", primary_key=True)
    position: int = Field(primary_key=True)
    source_ip: str = Field(max_length=45)
    messages: int
    header_from: str = Field(max_length=255)
    dkim: bool
    spf: bool
    disposition: str = Field(max_length=255)
    override: str = Field(max_length=255)
    dkim_domains: str = Field(max_length=1000)
    spf_domain: str = Field(max_length=255)
