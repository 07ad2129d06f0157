"""The tables of clicks: the links of a campaign, the clicks of the last hours, and how many there were.

Clicks are counted for a campaign only if it was launched with them (``mailer send --count-clicks``).
:mod:`mailer.campaigns` stores the links, :mod:`mailer.feedback.clicks` the clicks.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from mailer.database import models as models
from subscribers.models import text_enum

ANY_LINK = 0
"""The number of no link: links count from 1."""


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
    url: str
    story: str = Field(default="", max_length=100)
    label: str = Field(default="", max_length=300)


class Click(SQLModel, table=True):
    """One request for a link, kept for some hours.

    ``sectors`` are the slugs that the reader follows, sorted and separated by commas. ``subscriber_id`` is
    set only if the reader has agreed to it. ``visitor`` is a keyed hash of the network address and the
    program, whose key changes every day and is then deleted (:class:`ClickKey`): it tells requests of one
    visitor apart from others', and names nobody. ``signs`` are what the request itself said of a program
    (:mod:`mailer.feedback.clicks.request_signs`), separated by commas. ``clicker`` is None until it is
    judged; from then on the click is counted, and stays only to recognise the same click again.
    """

    __tablename__: ClassVar[str] = "click"
    __table_args__ = (Index(None, "campaign_id", "visitor"), Index(None, "clicked_at"))

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    link_number: int
    country: str = Field(default="", max_length=2)
    sectors: str = Field(default="", max_length=1000)
    subscriber_id: int | None = Field(
        default=None, foreign_key="subscriber.id", ondelete="SET NULL", index=True
    )
    clicked_at: datetime
    visitor: bytes = Field(sa_column=Column(LargeBinary(16), nullable=False))
    signs: str = Field(default="", max_length=200)
    clicker: Clicker | None = Field(default=None, sa_column=Column(text_enum(Clicker, "clicker")))


class ClickKey(SQLModel, table=True):
    """The key of one day's visitors (UTC). It is deleted with the day's last click, and only together with
    the workspace's own key can it tell who a visitor was.
    """

    __tablename__: ClassVar[str] = "click_key"

    day: date = Field(primary_key=True)
    key: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))


class ClickCount(SQLModel, table=True):
    """How many visitors followed a link, by country and sectors of the reader. A visitor who follows a link
    again on the same day is not counted again.

    The ``link_number`` :data:`ANY_LINK` stands for the whole campaign: how many visitors followed any link.
    """

    __tablename__: ClassVar[str] = "click_count"
    __table_args__ = (CheckConstraint("clicks > 0", name="clicks_positive"),)

    campaign_id: int = Field(foreign_key="campaign.id", primary_key=True)
    link_number: int = Field(primary_key=True)
    country: str = Field(default="", max_length=2, primary_key=True)
    sectors: str = Field(default="", max_length=1000, primary_key=True)
    clicker: Clicker = Field(sa_column=Column(text_enum(Clicker, "clicker"), primary_key=True))
    clicks: int


class ReaderClick(SQLModel, table=True):
    """A link that a reader followed, of those who have agreed that it is recorded with their name.

    ``clicked_at`` is when they first did.
    """

    __tablename__: ClassVar[str] = "reader_click"

    campaign_id: int = Field(foreign_key="campaign.id", primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", primary_key=True, index=True)
    link_number: int = Field(primary_key=True)
    clicked_at: datetime
