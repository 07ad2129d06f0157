"""The tables of what is counted: clicks, numbers of the list, and the figures of reports."""

from collections.abc import Collection
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Final

from sqlalchemy import CheckConstraint, ColumnElement, Connection, Index, LargeBinary, delete
from sqlmodel import Field, SQLModel, col

from mailer.database.models import partial_index
from subscribers.models import text_enum

ANY_LINK = 0
"""The number of no link: links count from 1."""


class Clicker(StrEnum):
    """Who followed a link."""

    person = "person"
    scanner = "scanner"
    """A program that looks at every link of a message: a virus filter, a link preview."""


class CampaignLink(SQLModel, table=True):
    """A link of a campaign's content: the only places that a click can lead to.

    ``number`` counts from 1 in the order of the content. ``story`` is a slug, or "".
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
    program (:class:`ClickKey`): it tells requests of one visitor apart from others', and names nobody.
    ``signs`` are what the request itself said of a program (:mod:`mailer.feedback.clicks.request_signs`),
    separated by commas. ``clicker`` is None until it is judged; from then on the click is counted, and stays
    only to recognise the same click again.
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
    visitor: bytes = Field(sa_type=LargeBinary(16))
    signs: str = Field(default="", max_length=200)
    clicker: Clicker | None = Field(default=None, sa_type=text_enum(Clicker, "clicker"))


class ClickKey(SQLModel, table=True):
    """The key of one day's visitors (UTC). It is deleted with the day's last click, and only together with
    the workspace's own key can it tell who a visitor was.
    """

    __tablename__: ClassVar[str] = "click_key"

    day: date = Field(primary_key=True)
    key: bytes = Field(sa_type=LargeBinary(32))


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
    clicker: Clicker = Field(sa_type=text_enum(Clicker, "clicker"), primary_key=True)
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


class KeptCount(SQLModel, table=True):
    """A number, or a table of numbers, as it was at ``counted_at``.

    ``key`` is a digest of what was asked, ``body`` JSON without any person in it. ``stamp`` says what the
    list was like; if it differs now, the number is out of date. ``cost`` is how many seconds counting took.
    """

    __tablename__: ClassVar[str] = "counted_number"

    key: str = Field(primary_key=True, max_length=64)
    body: str
    counted_at: datetime = Field(index=True)
    stamp: str = Field(default="", max_length=300)
    cost: float = 0.0


class ReportPart(StrEnum):
    """A part of a report that is kept."""

    ledger = "ledger"
    reasons = "reasons"
    in_doubt = "in_doubt"
    """The numbers of the first deliveries in doubt."""

    breakdown = "breakdown"
    hand_over = "hand_over"
    """The time until the relay accepted the messages."""

    departures = "departures"
    """Who has left since, and what was changed through the mail."""

    lost_organisations = "lost_organisations"
    clicks = "clicks"
    """Who followed the links, without a person."""

    months = "months"
    """The growth of the list by month; of no campaign."""

    warnings = "warnings"
    """What the checks had warned of, written down with the content. It is never counted again."""

    mailed = "mailed"
    """That the report was mailed to the team, and when. It is never counted again."""


class CampaignReportPart(SQLModel, table=True):
    """One part of a campaign's report, or of one about the whole list, as it was at ``counted_at``.

    ``body`` is JSON without any person in it. ``fingerprint`` tells what the figures depend on; if it differs
    now, they are out of date. ``cost`` is how many seconds counting took.
    """

    __tablename__: ClassVar[str] = "campaign_report"
    __table_args__ = (
        partial_index(
            "uq_campaign_report_part", "campaign_id", "part", where="campaign_id IS NOT NULL", unique=True
        ),
        partial_index("uq_campaign_report_list_part", "part", where="campaign_id IS NULL", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int | None = Field(default=None, foreign_key="campaign.id", ondelete="CASCADE")
    part: ReportPart = Field(sa_type=text_enum(ReportPart, "part"))
    body: str
    counted_at: datetime
    fingerprint: str = Field(default="", max_length=200)
    cost: float = 0.0


class QueuedReportMail(SQLModel, table=True):
    """A report that is still to be mailed to one address of the team. Its row is deleted once it is sent.

    A sender moves ``not_before``, the time of the next attempt, on before it tries.
    """

    __tablename__: ClassVar[str] = "report_mail"

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", ondelete="CASCADE", index=True)
    address: str = Field(max_length=320)
    queued_at: datetime
    not_before: datetime = Field(index=True)
    attempts: int = 0
    reason: str = Field(default="", max_length=1000)


PERMANENT_PARTS: Final = frozenset({ReportPart.warnings, ReportPart.mailed})
"""The parts that are written down once. All others can be counted again at any time."""

COUNTED_PARTS: Final = frozenset(ReportPart) - PERMANENT_PARTS


def forget_figures(
    connection: Connection, campaigns: ColumnElement[bool], parts: Collection[ReportPart] = COUNTED_PARTS
) -> None:
    """Delete what was counted of the campaigns for which the condition ``campaigns`` on
    :class:`CampaignReportPart` holds; it is counted again. The caller commits."""
    connection.execute(
        delete(CampaignReportPart).where(campaigns, col(CampaignReportPart.part).in_(list(parts)))
    )
