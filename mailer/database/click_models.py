"""The tables of clicks: the links of a campaign, the clicks of the last hours, and how many there were.

Clicks are counted for a campaign only if it was launched with them (``mailer send --count-clicks``).
:mod:`mailer.campaigns` stores the links, :mod:`mailer.feedback.clicks` the clicks.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from mailer.database import models as models
from subscribers.models import text_enum


class Clicker(StrEnum):
    """Who followed a link."""

    person = "person"
    """A person, as far as can be told."""

    scanner = "scanner"
    """A program that looks at every link of a message: a virus filter, a link preview."""


class CampaignLink(SQLModel, table=True):
    """A link of a campaign's content: the only places that a click can lead to.

    ``number`` counts from 1 in the order of the content. ``story`` is the slug of the story that has it,
    or "". ``label`` is what the link says.
    """

    __tablename__: ClassVar[str] = "campaign_link"

    campaign_id: int = Field(foreign_key="campaign.id", primary_key=True)
    number: int = Field(primary_key=True)
    url: str = Field(max_length=2000)
    story: str = Field(default="", max_length=100)
    label: str = Field(default="", max_length=300)


class Click(SQLModel, table=True):
    """One request for a link, kept until it is judged and counted.

    ``sectors`` are the slugs that the reader follows, sorted and separated by commas. ``subscriber_id`` is
    set only if the reader has agreed to it. ``visitor`` is a keyed hash of the network address and the
    program, whose key changes every day: it tells requests of one visitor apart from others', and names
    nobody.
    """

    __tablename__: ClassVar[str] = "click"
    __table_args__ = (Index(None, "campaign_id", "visitor"), Index(None, "clicked_at"))

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    link_number: int
    country: str = Field(default="", max_length=2)
    sectors: str = Field(default="", max_length=1000)
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", index=True)
    clicked_at: datetime
    visitor: bytes = Field(sa_column=Column(LargeBinary(16), nullable=False))
    signs: str = Field(default="", max_length=200)


class ClickCount(SQLModel, table=True):
    """How many visitors followed a link, by country and sectors of the reader."""

    __tablename__: ClassVar[str] = "click_count"
    __table_args__ = (CheckConstraint("clicks > 0", name="clicks_positive"),)

    campaign_id: int = Field(foreign_key="campaign.id", primary_key=True)
    link_number: int = Field(primary_key=True)
    country: str = Field(default="", max_length=2, primary_key=True)
    sectors: str = Field(default="", max_length=1000, primary_key=True)
    clicker: Clicker = Field(sa_column=Column(text_enum(Clicker, "clicker"), primary_key=True))
    clicks: int
