"""The tables of the list: who gets it, what they asked for, what happened and when.

Table models do not validate (SQLModel skips pydantic for ``table=True``): everything that reaches them has
gone through :mod:`subscribers.address`, :mod:`subscribers.country` or :mod:`subscribers.validation` first, and
the CHECK constraints below are the last line.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Column, Enum, ForeignKey, Index, Integer
from sqlmodel import Field, SQLModel

from subscribers.tokens import LinkPurpose

# Set before the first table so that every constraint has one name on SQLite and on PostgreSQL; Alembic's
# batch mode cannot drop a constraint that has none.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def text_enum(members: type[StrEnum], name: str) -> Enum:
    """A column type that stores an enum's values as text under a CHECK named ``name``.

    SQLModel's default stores member names without a CHECK, so one bad row makes every later SELECT raise.
    """
    return Enum(
        members,
        values_callable=lambda enum: [member.value for member in enum],
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=32,
        name=name,
    )


class Status(StrEnum):
    """Where a subscriber stands. Only :mod:`subscribers.consent.status_changes` changes it."""

    pending = "pending"
    """Asked to join and has not confirmed."""

    active = "active"
    """Gets every edition that fits."""

    paused = "paused"
    """Gets nothing until ``paused_until``."""

    unsubscribed = "unsubscribed"
    """Left."""

    bounced = "bounced"
    """The address is dead."""

    complained = "complained"
    """Called us spam."""

    erased = "erased"
    """Asked to be forgotten; the row keeps no personal data."""


class ConsentEvent(StrEnum):
    """What a consent record says happened."""

    imported = "imported"
    """Came in with a file whose owner vouches for the consent."""

    requested = "requested"
    """Asked to join on a page; nothing comes of it until they confirm from their mailbox."""

    subscribed = "subscribed"
    """Joined or came back by their own hand."""

    updated = "updated"
    """Changed their choices or details."""

    paused = "paused"
    """Asked for silence until a day."""

    resumed = "resumed"
    """The silence ended."""

    unsubscribed = "unsubscribed"
    """Left."""

    bounced = "bounced"
    """Mail came back: the address is dead."""

    complained = "complained"
    """Reported a mail as spam."""

    suppressed = "suppressed"
    """Put on the list of addresses that must never get mail, by a person."""

    unsuppressed = "unsuppressed"
    """Taken off that list again, by a person. It makes nobody get mail."""

    erased = "erased"
    """Forgotten at their own wish."""


class Subscriber(SQLModel, table=True):
    """One person or desk at a partner.

    ``email`` is the normalised address, unique; ``envelope`` the form for SMTP (domain as A-labels).
    ``country`` is ISO 3166-1 alpha-2, ``language`` a BCP 47 tag; both may be unknown.
    """

    __tablename__: ClassVar[str] = "subscriber"
    __table_args__ = (
        CheckConstraint("email <> ''", name="email_not_empty"),
        CheckConstraint("country IS NULL OR length(country) = 2", name="country_alpha_2"),
        # An index and no constraint, so that a great import can make it once, at its end.
        Index("uq_subscriber_email", "email", unique=True),
        # All that says who gets mail where, so that counting an audience reads the index alone.
        Index(None, "country", "status", "paused_until"),
    )

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(max_length=320)
    envelope: str = Field(max_length=320)
    name: str = Field(default="", max_length=300)
    organisation: str = Field(default="", max_length=300)
    country: str | None = Field(default=None, max_length=2)
    language: str | None = Field(default=None, max_length=35)
    status: Status = Field(
        default=Status.active,
        sa_column=Column(text_enum(Status, "status"), nullable=False, default=Status.active),
    )
    paused_until: date | None = None
    created_at: datetime
    updated_at: datetime


def _subscriber_id_column() -> Column[int]:
    return Column(Integer, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True)


class SubscriberSector(SQLModel, table=True):
    """A sector a subscriber follows; ``sector`` is a configured slug."""

    __tablename__: ClassVar[str] = "subscriber_sector"
    # Without row numbers, SQLite keeps one tree less; an import writes more rows here than anywhere else.
    __table_args__ = (Index(None, "sector", "subscriber_id"), {"sqlite_with_rowid": False})

    subscriber_id: int = Field(sa_column=_subscriber_id_column())
    sector: str = Field(primary_key=True, max_length=64)


class SubscriberCountry(SQLModel, table=True):
    """A country a subscriber follows besides their own, as alpha-2."""

    __tablename__: ClassVar[str] = "subscriber_country"
    __table_args__ = (
        CheckConstraint("length(country) = 2", name="country_alpha_2"),
        Index(None, "country", "subscriber_id"),
    )

    subscriber_id: int = Field(sa_column=_subscriber_id_column())
    country: str = Field(primary_key=True, max_length=2)


class SubscriberTag(SQLModel, table=True):
    """A word the team put on a subscriber."""

    __tablename__: ClassVar[str] = "subscriber_tag"
    __table_args__ = (Index(None, "tag", "subscriber_id"), {"sqlite_with_rowid": False})

    subscriber_id: int = Field(sa_column=_subscriber_id_column())
    tag: str = Field(primary_key=True, max_length=64)


class ImportBatch(SQLModel, table=True):
    """A file that was brought in: what it was, on what basis its people are written to, and what it came to.

    ``form`` is what the file was found to be, in words. The five numbers add up to its rows.
    """

    __tablename__: ClassVar[str] = "import_batch"

    id: int | None = Field(default=None, primary_key=True)
    source: str = Field(max_length=300)
    form: str = Field(default="", max_length=300)
    basis: str
    at: datetime
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    suppressed: int = 0
    refused: int = 0
    rolled_back_at: datetime | None = None


class ImportChange(SQLModel, table=True):
    """What an import overwrote, so that it can be put back: ``before`` is JSON of the old values by name."""

    __tablename__: ClassVar[str] = "import_change"

    import_id: int = Field(foreign_key="import_batch.id", primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", primary_key=True, index=True)
    before: str


class ConsentRecord(SQLModel, table=True):
    """Append-only: what happened, when (UTC), how, under which words, and what shows it.

    ``method`` names the hand ("one-click", "page", "import", "command line"), ``source`` the place (a
    campaign, a file's name), ``wording`` and ``wording_version`` the words the person saw, in ``language``;
    ``evidence`` whatever proves it, such as where it came from (:mod:`subscribers.consent.ip_evidence`). ``basis`` is why
    somebody whom others brought in may be written to, as those declared; empty if they did not.
    ``import_id`` is the import that did it.

    The database itself refuses to change a record, and to delete one without its subscriber; the one
    exception is emptying the words of somebody who was erased (migration ``0006_consent``).
    """

    __tablename__: ClassVar[str] = "consent_record"

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", index=True)
    event: ConsentEvent = Field(sa_column=Column(text_enum(ConsentEvent, "event"), nullable=False))
    at: datetime
    method: str = Field(max_length=64)
    source: str = Field(default="", max_length=300)
    wording: str = ""
    wording_version: str = Field(default="", max_length=32)
    language: str = Field(default="", max_length=35)
    evidence: str = ""
    import_id: int | None = Field(default=None, foreign_key="import_batch.id")
    basis: str = Field(default="", max_length=300)


class Suppression(SQLModel, table=True):
    """An address that must never get mail again, kept only as a keyed hash so that it outlives an erasure."""

    __tablename__: ClassVar[str] = "suppression"

    digest: str = Field(primary_key=True, max_length=64)
    reason: ConsentEvent = Field(sa_column=Column(text_enum(ConsentEvent, "reason"), nullable=False))
    at: datetime


class LiftedSuppression(SQLModel, table=True):
    """A suppression that a person took back: what it was, who lifted it and why.

    Only ever added to. The address is known by the same keyed hash; ``why`` is emptied when its owner is
    erased.
    """

    __tablename__: ClassVar[str] = "lifted_suppression"

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(max_length=64, index=True)
    reason: ConsentEvent = Field(sa_column=Column(text_enum(ConsentEvent, "reason"), nullable=False))
    since: datetime
    lifted_at: datetime
    method: str = Field(max_length=64)
    lifted_by: str = Field(max_length=300)
    why: str = Field(max_length=300)


class SavedSegment(SQLModel, table=True):
    """A segment with a name, to be used as ``segment:NAME``; ``text`` is as a person wrote it."""

    __tablename__: ClassVar[str] = "saved_segment"

    name: str = Field(primary_key=True, max_length=64)
    text: str
    created_at: datetime
    updated_at: datetime


class MailedLink(SQLModel, table=True):
    """A link that was mailed to its person for one thing, and works once until it expires.

    ``id`` is drawn by chance, so that the token of a link that is gone never fits a later one. ``detail`` is
    what the link is about beside its subscriber: the new address, for ``new_address``.
    """

    __tablename__: ClassVar[str] = "mailed_link"
    __table_args__ = (Index(None, "subscriber_id", "purpose", "issued_at"),)

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE")
    purpose: LinkPurpose = Field(sa_column=Column(text_enum(LinkPurpose, "purpose"), nullable=False))
    issued_at: datetime
    expires_at: datetime = Field(index=True)
    used_at: datetime | None = None
    detail: str = Field(default="", max_length=320)
