"""The tables of the list: subscribers, their preferences, and what happened and when.

Table models do not validate (SQLModel skips pydantic for ``table=True``): everything that reaches them has
gone through :mod:`subscribers.address` or :mod:`subscribers.validation` first.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Enum, Index, String, false
from sqlmodel import Field, SQLModel

from locales.phrase import WordedEnum, gettext_noop
from subscribers.tokens import LinkPurpose

# Set before the first table so that every constraint has one name on SQLite and on PostgreSQL; Alembic's
# batch mode cannot drop a constraint without a name.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def text_enum(members: type[StrEnum], name: str) -> Enum:
    """Return a column type that stores an enum's values as text, with a CHECK constraint named ``name``.

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


def searched_text(length: int) -> String:
    """Return the type of a text that is searched by how it begins, and listed in its order.

    PostgreSQL uses an index for that only if its texts are in the order of their bytes, which is SQLite's. It
    refuses to compare such a column with one of another type.
    """
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class Status(WordedEnum):
    """A subscriber's status. Only :mod:`subscribers.consent.status_changes` changes it."""

    pending = ("pending", gettext_noop("Has not confirmed yet"))
    active = ("active", gettext_noop("Gets mail"), "right")
    paused = ("paused", gettext_noop("Paused"), "careful")
    unsubscribed = ("unsubscribed", gettext_noop("Unsubscribed"), "wrong")
    bounced = ("bounced", gettext_noop("Address does not work"), "wrong")
    complained = ("complained", gettext_noop("Reported our mail as spam"), "wrong")
    erased = ("erased", gettext_noop("Erased"))
    """Asked to be erased; the row keeps no personal data."""

    merged = ("merged", gettext_noop("Merged with another partner"))
    """Is the same person as another subscriber, who is kept; the row keeps its address alone."""


class ConsentEvent(WordedEnum):
    """What happened, as a consent record says."""

    imported = ("imported", gettext_noop("Added by the team"))
    """With an import or one by one, on the basis that the team declared."""

    requested = ("requested", gettext_noop("Signed up, to be confirmed"))
    """Has no effect until they confirm from their mailbox."""

    subscribed = ("subscribed", gettext_noop("Subscribed"))
    updated = ("updated", gettext_noop("Details changed"))
    paused = ("paused", gettext_noop("Mail paused"))
    resumed = ("resumed", gettext_noop("Pause ended"))
    unsubscribed = ("unsubscribed", gettext_noop("Unsubscribed"))
    bounced = ("bounced", gettext_noop("Address found not to work"))
    complained = ("complained", gettext_noop("Reported our mail as spam"))
    suppressed = ("suppressed", gettext_noop("Blocked by the team"))
    unsuppressed = ("unsuppressed", gettext_noop("No longer blocked"))
    """This does not make the subscriber active."""

    erased = ("erased", gettext_noop("Erased"))
    reconfirmed = ("reconfirmed", gettext_noop("Said that they still want it"))
    merged = ("merged", gettext_noop("Merged with another address of theirs"))


class Subscriber(SQLModel, table=True):
    """One person or shared mailbox at a partner.

    ``email`` is the normalised address; ``envelope`` the form used in SMTP (domain as A-labels). ``country``
    is ISO 3166-1 alpha-2, ``language`` a BCP 47 tag; both may be unknown. ``click_consent`` says whether they
    have agreed that the links they follow are recorded with their name; only they change it.
    """

    __tablename__: ClassVar[str] = "subscriber"
    __table_args__ = (
        CheckConstraint("email <> ''", name="email_not_empty"),
        CheckConstraint("country IS NULL OR length(country) = 2", name="country_alpha_2"),
        # An index rather than a constraint, so that a large import can create it once, at the end.
        Index("uq_subscriber_email", "email", unique=True),
        # Everything needed to count an audience by country, so that only the index is read.
        Index(None, "country", "status", "paused_until"),
        # People look others up by the beginning of a name; the ID says where a page of a list goes on.
        Index("ix_subscriber_name", "name", "id"),
        Index("ix_subscriber_organisation", "organisation", "id"),
        # A number in a link must not become another person's when its row is deleted.
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(sa_type=searched_text(320))
    envelope: str = Field(max_length=320)
    name: str = Field(default="", sa_type=searched_text(300))
    organisation: str = Field(default="", sa_type=searched_text(300))
    country: str | None = Field(default=None, max_length=2)
    language: str | None = Field(default=None, max_length=35)
    status: Status = Field(default=Status.active, sa_type=text_enum(Status, "status"))
    paused_until: date | None = None
    click_consent: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    created_at: datetime
    updated_at: datetime


class SubscriberSector(SQLModel, table=True):
    """A sector a subscriber follows; ``sector`` is a configured slug."""

    __tablename__: ClassVar[str] = "subscriber_sector"
    # Without row numbers SQLite keeps one B-tree fewer; an import writes more rows here than anywhere else.
    __table_args__ = (Index(None, "sector", "subscriber_id"), {"sqlite_with_rowid": False})

    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", primary_key=True)
    sector: str = Field(primary_key=True, max_length=64)


class SubscriberCountry(SQLModel, table=True):
    """A country a subscriber follows besides their own, as alpha-2."""

    __tablename__: ClassVar[str] = "subscriber_country"
    __table_args__ = (
        CheckConstraint("length(country) = 2", name="country_alpha_2"),
        Index(None, "country", "subscriber_id"),
    )

    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", primary_key=True)
    country: str = Field(primary_key=True, max_length=2)


class MergedSubscriber(SQLModel, table=True):
    """That two subscribers are one person: ``subscriber_id`` stands for ``kept_id`` from now on.

    What was recorded of the first and mailed to them stays theirs. ``kept_id`` is never merged itself.
    """

    __tablename__: ClassVar[str] = "merged_subscriber"
    __table_args__ = (CheckConstraint("subscriber_id <> kept_id", name="two_people"),)

    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", primary_key=True)
    kept_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", index=True)
    merged_at: datetime


class SubscriberTag(SQLModel, table=True):
    """A label the team gave a subscriber."""

    __tablename__: ClassVar[str] = "subscriber_tag"
    __table_args__ = (Index(None, "tag", "subscriber_id"), {"sqlite_with_rowid": False})

    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", primary_key=True)
    tag: str = Field(primary_key=True, max_length=64)


class ImportBatch(SQLModel, table=True):
    """An imported file: its name and format, the basis for writing to its people, and the outcome. The five
    counts add up to the number of rows.
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
    """What an import overwrote, so that it can be restored: ``before`` is the old values by name, as JSON."""

    __tablename__: ClassVar[str] = "import_change"

    import_id: int = Field(foreign_key="import_batch.id", primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", primary_key=True, index=True)
    before: str


class ConsentRecord(SQLModel, table=True):
    """Append-only: what happened, when (UTC), how, under which wording, and the evidence for it.

    ``method`` says how ("one-click", "page", "import", "command line"), ``source`` where (a campaign, a file
    name), ``wording`` the text the person saw, in ``language``; ``evidence`` is whatever proves it, such as
    the IP address it came from (:mod:`subscribers.consent.status_changes`). ``basis`` is the declared reason
    for writing to an imported person, empty if none was given.

    The database itself refuses to change a record, or to delete one without its subscriber. The one exception
    is emptying the text of an erased person's records (migration ``0001_tables``).
    """

    __tablename__: ClassVar[str] = "consent_record"

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", index=True)
    event: ConsentEvent = Field(sa_type=text_enum(ConsentEvent, "event"))
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
    reason: ConsentEvent = Field(sa_type=text_enum(ConsentEvent, "reason"))
    at: datetime


class SignUpReview(SQLModel, table=True):
    """A sign-up that its owner has confirmed, and that waits until a person of the team admits it.

    The texts are those of the confirmation, for the consent record that an admission writes. ``declined_at``
    is None while it waits. The row is deleted when the subscriber is admitted, or leaves.
    """

    __tablename__: ClassVar[str] = "sign_up_review"
    __table_args__ = (Index(None, "declined_at", "confirmed_at"),)

    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE", primary_key=True)
    confirmed_at: datetime
    source: str = Field(default="", max_length=300)
    wording: str = ""
    wording_version: str = Field(default="", max_length=32)
    language: str = Field(default="", max_length=35)
    evidence: str = ""
    declined_at: datetime | None = None


class LiftedSuppression(SQLModel, table=True):
    """A suppression that was lifted: what it was, who lifted it and why. Append-only.

    The address is known by the same keyed hash; ``why`` is emptied when its owner is erased.
    """

    __tablename__: ClassVar[str] = "lifted_suppression"

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(max_length=64, index=True)
    reason: ConsentEvent = Field(sa_type=text_enum(ConsentEvent, "reason"))
    since: datetime
    lifted_at: datetime
    method: str = Field(max_length=64)
    lifted_by: str = Field(max_length=300)
    why: str = Field(max_length=300)


class SavedSegment(SQLModel, table=True):
    """A segment saved under a name and used as ``segment:NAME``; ``text`` is as it was written."""

    __tablename__: ClassVar[str] = "saved_segment"

    name: str = Field(primary_key=True, max_length=64)
    text: str
    created_at: datetime
    updated_at: datetime


class MailedLink(SQLModel, table=True):
    """A link mailed to a subscriber for one purpose, which works once and expires.

    ``id`` is random, so that the token of a deleted link never matches a later one. ``detail`` is the new
    address, for ``new_address``.
    """

    __tablename__: ClassVar[str] = "mailed_link"
    __table_args__ = (Index(None, "subscriber_id", "purpose", "issued_at"),)

    id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE")
    purpose: LinkPurpose = Field(sa_type=text_enum(LinkPurpose, "purpose"))
    issued_at: datetime
    expires_at: datetime = Field(index=True)
    used_at: datetime | None = None
    detail: str = Field(default="", max_length=320)
