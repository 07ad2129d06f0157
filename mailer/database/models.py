"""The tables of sending: campaigns, their frozen content, and the ledger of deliveries.

Foreign keys point outwards only: a delivery names a subscriber, a subscriber never mentions a delivery.
``subscribers.models`` is imported first because it sets the naming convention every table here relies on.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from subscribers.models import text_enum


class CampaignState(StrEnum):
    """Where a campaign stands; :mod:`mailer.campaigns.lifecycle` moves it."""

    draft = "draft"
    """Written down, nobody has looked at it."""

    tested = "tested"
    """A test message was sent to the team."""

    approved = "approved"
    """A person approved exactly this content, these variants and this audience rule."""

    scheduled = "scheduled"
    """Waits for its hour."""

    sending = "sending"
    """The audience is materialised; dispatchers may claim its deliveries."""

    paused = "paused"
    """Stopped by a person, or by itself with a reason; can go on."""

    finished = "finished"
    """Nothing is left to do. Deliveries in doubt stay listed until resolved."""

    cancelled = "cancelled"
    """Stopped for good; what was not sent stays unsent."""


class InDoubtPolicy(StrEnum):
    """What a resume does with deliveries left in doubt by a crash or a lost connection."""

    hold = "hold"
    """Leave them, named, for a person to decide."""

    resend = "resend"
    """Send them again under the same Message-ID, so that a duplicate is recognisable."""


class DeliveryState(StrEnum):
    """Where one message to one subscriber stands; only :mod:`mailer.dispatch.deliveries.ledger` moves it."""

    queued = "queued"
    """Waiting for a dispatcher."""

    claimed = "claimed"
    """A dispatcher has taken it; no byte of it is on the wire."""

    in_doubt = "in_doubt"
    """The final dot may have reached the server and no reply is recorded."""

    sent = "sent"
    """The server answered the final dot with 250."""

    deferred = "deferred"
    """The server said not now; tried again at ``not_before``."""

    rejected = "rejected"
    """The server refused this reader for good; its code and words are kept."""

    failed = "failed"
    """The message could not be built, or was given up; the reason is kept."""

    suppressed = "suppressed"
    """The reader left, or must not get mail, after the launch."""


class Campaign(SQLModel, table=True):
    """One edition sent to one segment. ``language`` is the edition's own, for readers of any it is not in.

    ``state_reason`` says why it is paused, in words for a person. ``digest`` covers the frozen content and
    the audience rule; an approval counts only while ``approved_digest`` equals it. ``approved_settings`` is
    JSON: what settings and theme an approval was given under, each as a hash. ``rate`` is in messages per
    second over all machines. ``scheduled_at`` is when a scheduled campaign starts; only then its audience
    is written down, including those who have the edition already where ``again`` says so. ``canary`` is how
    many readers go first; the campaign then waits until ``canary_until``, which is ``canary_minutes`` later,
    or without those for a person. ``archived`` says whether anybody may read the edition in the archive.
    """

    __tablename__: ClassVar[str] = "campaign"

    id: int | None = Field(default=None, primary_key=True)
    edition: str = Field(max_length=100, index=True)
    title: str = Field(max_length=300)
    segment: str
    language: str = Field(default="", max_length=35)
    state: CampaignState = Field(
        default=CampaignState.draft, sa_column=Column(text_enum(CampaignState, "state"), nullable=False)
    )
    state_reason: str = ""
    in_doubt_policy: InDoubtPolicy = Field(
        default=InDoubtPolicy.hold,
        sa_column=Column(text_enum(InDoubtPolicy, "in_doubt_policy"), nullable=False),
    )
    digest: str = Field(max_length=64)
    audience: int = 0
    rate: float | None = None
    again: bool = False
    scheduled_at: datetime | None = None
    canary: int | None = None
    canary_minutes: float | None = None
    canary_until: datetime | None = None
    approved_by: str = Field(default="", max_length=200)
    approved_at: datetime | None = None
    approved_digest: str = Field(default="", max_length=64)
    approved_settings: str = ""
    created_at: datetime
    launched_at: datetime | None = None
    finished_at: datetime | None = None
    archived: bool = False


class CampaignContent(SQLModel, table=True):
    """The compiled edition frozen with its campaign, one row per language: what was approved is what is
    sent.
    """

    __tablename__: ClassVar[str] = "campaign_content"

    campaign_id: int = Field(
        sa_column=Column(Integer, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True)
    )
    language: str = Field(primary_key=True, max_length=35)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RateBucket(SQLModel, table=True):
    """The shared clock of one sending rate: every dispatcher takes its turns from the same row.

    ``name`` says what is paced (``campaign:7``, ``relay:main``, ``domain:example.org``), ``next_at`` is the
    next free turn. ``used`` counts the turns taken on ``day``, for limits by the day.
    """

    __tablename__: ClassVar[str] = "lane"

    name: str = Field(primary_key=True, max_length=300)
    next_at: datetime | None = None
    day: date | None = None
    used: int = 0


class Dispatcher(SQLModel, table=True):
    """A process that sends. It is dead when its host's lock file is free or its heartbeat is old.

    ``notice`` is what a person should know of its work, such as a relay that it has set aside.
    """

    __tablename__: ClassVar[str] = "dispatcher"

    id: str = Field(primary_key=True, max_length=64)
    host: str = Field(max_length=255)
    started_at: datetime
    heartbeat_at: datetime
    notice: str = ""


def _state_index(state: str, *columns: str) -> Index:
    """An index of the deliveries in one state."""
    condition = text(f"state = '{state}'")
    return Index(f"ix_delivery_{state}", *columns, sqlite_where=condition, postgresql_where=condition)


class Delivery(SQLModel, table=True):
    """One row per campaign and subscriber: the ledger.

    ``owner`` is the dispatcher that holds it; a delivery in doubt without an owner is settled as such.
    ``attempts`` counts the times a dispatcher tried it with a server, and the least tried goes first.
    ``deferrals`` counts the times the server said not now, ``deferred_since`` is the first of them.
    ``doubted`` stays true once a delivery has been reported in doubt, so that a later duplicate can be
    told. ``code`` and ``reason`` hold the server's reply (or our own reason) as it came.
    """

    __tablename__: ClassVar[str] = "delivery"
    __table_args__ = (
        UniqueConstraint("campaign_id", "subscriber_id"),
        CheckConstraint("state IN ('claimed', 'in_doubt') OR owner IS NULL", name="owner_only_in_hand"),
        CheckConstraint("state <> 'claimed' OR owner IS NOT NULL", name="claimed_has_owner"),
        CheckConstraint("(state = 'deferred') = (not_before IS NOT NULL)", name="deferred_has_time"),
        # Partial, because a delivery moves three times or more: an index with every state in it is written at
        # each move, these only where a delivery comes into the state or leaves it. The first is in the order
        # of claiming, so that taking the next is a short walk whatever the audience.
        _state_index("queued", "campaign_id", "attempts", "id"),
        _state_index("deferred", "campaign_id", "not_before"),
        Index(
            "ix_delivery_in_hand",
            "campaign_id",
            sqlite_where=text("owner IS NOT NULL"),
            postgresql_where=text("owner IS NOT NULL"),
        ),
        # Room on every page for the rows as they change (PostgreSQL).
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", ondelete="RESTRICT")
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="RESTRICT", index=True)
    state: DeliveryState = Field(
        default=DeliveryState.queued, sa_column=Column(text_enum(DeliveryState, "state"), nullable=False)
    )
    attempts: int = 0
    deferrals: int = 0
    deferred_since: datetime | None = None
    doubted: bool = False
    owner: str | None = Field(default=None, max_length=64)
    not_before: datetime | None = None
    code: int | None = None
    reason: str = ""
    updated_at: datetime


class LetterKind(StrEnum):
    """What a letter is about that a page has mailed; :mod:`mailer.selfservice.letters` writes it."""

    confirm = "confirm"
    """To an address that somebody signed up: press here if it was you."""

    already = "already"
    """To an address that somebody signed up and that is on the list: here is your link."""

    link = "link"
    """To somebody on the list who has no mail at hand: here is your link."""

    export = "export"
    """The link to a copy of one's data."""

    erase = "erase"
    """The link to have one's data erased."""

    address = "address"
    """The link to change one's address, to the present one."""

    new_address = "new_address"
    """To the new address: press here if it is yours."""


class QueuedLetter(SQLModel, table=True):
    """A letter that somebody asked for on a page and that is still to be mailed. Its row goes with it.

    ``email`` is what they wrote, normalised, or empty where ``subscriber_id`` is already known. Whether there
    is anything to mail is found out after the page has answered, so that the answer tells nothing; ``token``
    is what the link carries, empty until then. ``detail`` is a new address. ``wording`` and ``origin`` are
    for the consent record. ``not_before`` is the next try; whoever tries moves it on first.
    """

    __tablename__: ClassVar[str] = "letter"

    id: int | None = Field(default=None, primary_key=True)
    kind: LetterKind = Field(sa_column=Column(text_enum(LetterKind, "kind"), nullable=False))
    email: str = Field(default="", max_length=320)
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", ondelete="CASCADE")
    detail: str = Field(default="", max_length=320)
    token: str = Field(default="", max_length=64)
    language: str = Field(max_length=35)
    wording: str = ""
    wording_version: str = Field(default="", max_length=32)
    origin: str = Field(default="", max_length=300)
    asked_at: datetime
    not_before: datetime = Field(index=True)
    attempts: int = 0
    reason: str = ""


class Throttle(SQLModel, table=True):
    """How often something was asked for since ``since``; ``key`` is a keyed hash of who or what it is."""

    __tablename__: ClassVar[str] = "throttle"

    key: str = Field(primary_key=True, max_length=100)
    since: datetime = Field(index=True)
    used: int
