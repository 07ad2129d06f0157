"""The tables for sending: campaigns, their frozen content, and the ledger of deliveries.

Foreign keys only point outwards: a delivery refers to a subscriber, never the other way round.
``subscribers.models`` is imported first because it sets the naming convention used by all tables here.
"""

import zlib
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import (
    CheckConstraint,
    Dialect,
    Index,
    LargeBinary,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from locales.phrase import WordedEnum, gettext_noop
from subscribers.models import text_enum


class CompressedText(TypeDecorator[str]):
    """A text, kept as the zlib (RFC 1950) stream of its UTF-8 bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else zlib.compress(value.encode())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        return None if value is None else zlib.decompress(value).decode()


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class CampaignState(WordedEnum):
    """The state of a campaign, changed by :mod:`mailer.campaigns.lifecycle`."""

    draft = ("draft", gettext_noop("Being prepared"))
    """Created, but not yet tested or approved."""

    tested = ("tested", gettext_noop("Tested"))
    """A test of exactly this content was sent to colleagues."""

    approved = ("approved", gettext_noop("Approved"), "right")
    """A person approved exactly this content, these variants and this segment."""

    scheduled = ("scheduled", gettext_noop("Scheduled"), "right")
    """Waiting for its start time."""

    sending = ("sending", gettext_noop("Being sent"), "careful")
    """The deliveries exist, and dispatchers may claim them."""

    paused = ("paused", gettext_noop("Paused"), "wrong")
    """Paused by a person, or by the program with a reason; can be resumed."""

    finished = ("finished", gettext_noop("Sent"), "right")
    """Nothing is left to do. Deliveries in doubt stay listed until they are resolved."""

    cancelled = ("cancelled", gettext_noop("Cancelled"))
    """Stopped for good. Messages not yet sent are never sent."""


class InDoubtPolicy(StrEnum):
    """What resuming a campaign does with deliveries left in doubt by a crash or a lost connection."""

    hold = "hold"
    """Leave them, listed by name, for a person to decide."""

    resend = "resend"
    """Send them again with the same Message-ID, so that a duplicate can be recognised."""


class DeliveryState(WordedEnum):
    """The state of one message to one subscriber, changed by :mod:`mailer.dispatch.ledger`."""

    queued = ("queued", gettext_noop("Still to be sent"))
    """Waiting for a dispatcher."""

    claimed = ("claimed", gettext_noop("About to be sent"))
    """A dispatcher has claimed it; nothing has been transmitted yet."""

    in_doubt = ("in_doubt", gettext_noop("In doubt: it may have arrived or not"), "careful")
    """The message may have reached the server in full, but no reply is recorded."""

    sent = ("sent", gettext_noop("Sent: their server has taken it"), "right")
    """The server accepted the message (250 after the final dot)."""

    deferred = ("deferred", gettext_noop("Put off by their server; it is tried again"), "careful")
    """The server refused it for now; it is tried again at ``not_before``."""

    rejected = ("rejected", gettext_noop("Refused by their server"), "wrong")
    """The server refused it for good; its reply is kept."""

    failed = ("failed", gettext_noop("Failed"), "wrong")
    """The message could not be built, or was given up; the reason is kept."""

    suppressed = ("suppressed", gettext_noop("They left before their turn"))
    """After the launch, the reader unsubscribed or may no longer get mail."""


class Campaign(SQLModel, table=True):
    """One edition sent to one segment.

    ``subject`` is in the edition's own ``language``, which readers get whose language it does not have.
    ``digest`` covers the frozen content and the segment; an approval only counts while ``approved_digest``
    equals it. ``content_digest`` covers the content alone; it is empty if the campaign is older than tests.
    ``segment`` is empty in a draft that was only tested. ``approved_settings`` is JSON: the settings and the
    theme then, each as a hash. ``rate`` is in messages per second over all machines. The deliveries of a
    scheduled campaign are only inserted at ``scheduled_at``, with ``again`` including readers who already
    have the edition. ``canary`` readers go first; the campaign then waits until ``canary_until``, which is
    ``canary_minutes`` later, or without those for a person. ``click_sectors`` are slugs separated by spaces,
    in the order of the bits of :mod:`subscribers.click_tokens`. A campaign that sends a correction has its
    name (:attr:`Correction.name`) as ``edition``.
    """

    __tablename__: ClassVar[str] = "campaign"
    __table_args__: ClassVar[dict[str, bool]] = {"sqlite_autoincrement": True}

    id: int | None = Field(default=None, primary_key=True)
    edition: str = Field(max_length=100, index=True)
    title: str = Field(max_length=300)
    subject: str = ""
    segment: str
    language: str = Field(default="", max_length=35)
    state: CampaignState = Field(default=CampaignState.draft, sa_type=text_enum(CampaignState, "state"))
    state_reason: str = ""
    in_doubt_policy: InDoubtPolicy = Field(
        default=InDoubtPolicy.hold, sa_type=text_enum(InDoubtPolicy, "in_doubt_policy")
    )
    digest: str = Field(max_length=64)
    content_digest: str = Field(default="", max_length=64)
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
    paused_at: datetime | None = None
    finished_at: datetime | None = None
    archived: bool = False
    counts_clicks: bool = False
    click_sectors: str = ""


class NumberSeries(SQLModel, table=True):
    """A series of the numbers of subscribers and campaigns: :mod:`mailer.database.number_series`."""

    __tablename__: ClassVar[str] = "number_series"

    salt: str = Field(primary_key=True, max_length=16)
    first_subscriber: int
    first_campaign: int
    begun_at: datetime


class Correction(SQLModel, table=True):
    """What was wrong in a story that was sent, and what is right. The story stays as it was sent.

    ``name`` stands in its campaigns in the place of an edition's; no edition can have it. ``number`` counts
    the corrections of ``edition``, from 1. ``digest`` is that of the note in its own ``language``: the same
    note is the same correction. ``texts`` is JSON: for each language the story's title, what was said, what
    is right, and the explanation. ``day`` is the date that readers see.
    """

    __tablename__: ClassVar[str] = "correction"
    __table_args__ = (UniqueConstraint("edition", "number"), UniqueConstraint("edition", "story", "digest"))

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=100, unique=True)
    edition: str = Field(max_length=100)
    story: str
    number: int
    digest: str = Field(max_length=64)
    language: str = Field(max_length=35)
    day: date
    texts: str
    created_at: datetime


class CampaignContent(SQLModel, table=True):
    """The compiled edition, frozen with its campaign, one row per language: what was approved is sent."""

    __tablename__: ClassVar[str] = "campaign_content"

    campaign_id: int = Field(foreign_key="campaign.id", ondelete="CASCADE", primary_key=True)
    language: str = Field(primary_key=True, max_length=35)
    body: bytes


class SentTest(SQLModel, table=True):
    """A test of an edition that a relay accepted for one address, or may have accepted.

    ``address`` is "" once the retention period is over. ``is_in_doubt`` is True while it is being sent, and
    stays so if the line breaks or the program dies before the relay's answer is known.
    """

    __tablename__: ClassVar[str] = "test_send"
    __table_args__ = (Index(None, "edition", "content_digest"),)

    id: int | None = Field(default=None, primary_key=True)
    edition: str = Field(max_length=100)
    content_digest: str = Field(max_length=64)
    address: str = Field(max_length=320)
    sent_by: str = Field(default="", max_length=200)
    sent_at: datetime
    is_in_doubt: bool = False


class TrialChange(SQLModel, table=True):
    """A decision about trial mode: that it ``ends``, or that it begins again. The last one counts."""

    __tablename__: ClassVar[str] = "trial_change"

    id: int | None = Field(default=None, primary_key=True)
    decided_at: datetime
    decided_by: str = Field(max_length=200)
    ends: bool


class RateBucket(SQLModel, table=True):
    """A rate limit shared by all dispatchers: each of them reserves its time slots in the same row.

    ``name`` says what is limited (``campaign:7``, ``relay:main``, ``domain:example.org``), ``next_at`` is the
    next free slot, and ``used`` counts the slots reserved on ``day``, for daily limits.
    """

    __tablename__: ClassVar[str] = "lane"

    name: str = Field(primary_key=True, max_length=300)
    next_at: datetime | None = None
    day: date | None = None
    used: int = 0


class Dispatcher(SQLModel, table=True):
    """A process that sends. It is dead if its lock file on its host is free or its heartbeat is old.

    ``notice`` tells the operator, for example, that it has quarantined a relay.
    """

    __tablename__: ClassVar[str] = "dispatcher"

    id: str = Field(primary_key=True, max_length=64)
    host: str = Field(max_length=255)
    started_at: datetime
    heartbeat_at: datetime
    notice: str = ""


class Delivery(SQLModel, table=True):
    """One row per campaign and subscriber: the ledger.

    ``owner`` is the dispatcher that holds the delivery; one in doubt without an owner waits for a person.
    Deliveries with the fewest ``attempts`` go first. ``deferrals`` counts the temporary refusals by the
    server, and ``deferred_since`` is the time of the first. ``doubted`` stays true once a delivery has been
    reported in doubt, so that a later duplicate can be explained. ``code`` and ``reason`` are the server's
    reply as received, or our own reason. ``stories`` are those of the message, encoded by
    :func:`mailer.rendering.body.variants.encode_stories`; if it may have arrived in several versions, there
    is one word for each. It is None if all readers get all stories, and in campaigns that were sent before
    this was recorded.
    """

    __tablename__: ClassVar[str] = "delivery"
    __table_args__ = (
        UniqueConstraint("campaign_id", "subscriber_id"),
        CheckConstraint("state IN ('claimed', 'in_doubt') OR owner IS NULL", name="owner_only_in_hand"),
        CheckConstraint("state <> 'claimed' OR owner IS NOT NULL", name="claimed_has_owner"),
        CheckConstraint("(state = 'deferred') = (not_before IS NOT NULL)", name="deferred_has_time"),
        # Partial, because a delivery changes state three times or more: a full index would be written at
        # every change, these only when a delivery enters or leaves the state. The first is in the order of
        # claiming, so that finding the next delivery is fast whatever the size of the audience.
        partial_index("ix_delivery_queued", "campaign_id", "attempts", "id", where="state = 'queued'"),
        partial_index("ix_delivery_deferred", "campaign_id", "not_before", where="state = 'deferred'"),
        partial_index("ix_delivery_in_hand", "campaign_id", where="owner IS NOT NULL"),
        # What was ever in doubt is little, and is looked for by its campaign.
        partial_index("ix_delivery_doubted", "campaign_id", "id", where="doubted"),
        # Leave room on every page for updated rows (PostgreSQL).
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", ondelete="RESTRICT")
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="RESTRICT", index=True)
    state: DeliveryState = Field(default=DeliveryState.queued, sa_type=text_enum(DeliveryState, "state"))
    attempts: int = 0
    deferrals: int = 0
    deferred_since: datetime | None = None
    doubted: bool = False
    owner: str | None = Field(default=None, max_length=64)
    not_before: datetime | None = None
    code: int | None = None
    reason: str = ""
    stories: str | None = None
    updated_at: datetime


class TransactionalMailKind(StrEnum):
    """The kind of transactional mail requested on a web page."""

    confirm = "confirm"
    """To an address that was signed up: confirm that it was you."""

    already = "already"
    """To an address that was signed up but is already on the list: here is your link."""

    link = "link"
    """To a subscriber who has none of our mails at hand: here is your link."""

    export = "export"
    erase = "erase"
    address = "address"
    """The link to change your address, sent to the current one."""

    new_address = "new_address"
    """To the new address: confirm that it is yours."""


class QueuedTransactionalMail(SQLModel, table=True):
    """A transactional mail requested on a web page and still to be sent. Its row is deleted once it is sent.

    ``email`` is the address entered, normalised; it is empty if ``subscriber_id`` is already known. Whether
    there is anything to send is only decided after the page has answered, so that the answer reveals nothing.
    ``token`` is empty until then. ``detail`` is a new address. ``network_rank`` is the number of the request
    among those of its network in that hour, 0 if it came by a one-time link: the queue's order, so that
    nobody waits behind a flood. A sender moves ``not_before``, the time of the next attempt, on before it
    tries.
    """

    __tablename__: ClassVar[str] = "letter"

    id: int | None = Field(default=None, primary_key=True)
    kind: TransactionalMailKind = Field(sa_type=text_enum(TransactionalMailKind, "kind"))
    email: str = Field(default="", max_length=320)
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", ondelete="CASCADE")
    detail: str = Field(default="", max_length=320)
    token: str = Field(default="", max_length=64)
    language: str = Field(max_length=35)
    wording: str = ""
    wording_version: str = Field(default="", max_length=32)
    origin: str = Field(default="", max_length=300)
    network_rank: int = 0
    asked_at: datetime
    not_before: datetime = Field(index=True)
    attempts: int = 0
    reason: str = ""

    __table_args__ = (Index(None, "network_rank", "not_before"),)


class Throttle(SQLModel, table=True):
    """How many requests there were since ``since``; ``key`` is a keyed hash of who or what is limited."""

    __tablename__: ClassVar[str] = "throttle"

    key: str = Field(primary_key=True, max_length=100)
    since: datetime = Field(index=True)
    used: int
