"""The tables of what comes back: messages and what they meant, DMARC reports, providers, and fakes."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from locales.phrase import WordedEnum, gettext_noop
from mailer.database.models import partial_index
from mailer.reasons.reason import Reason
from subscribers.models import text_enum

FAILED_ACTIONS: Final = ("failed", "")
"""The actions (RFC 3464, section 2.3.3) of a bounce that is final; one that names none says that it failed. A
late message is no lost one."""

ARRIVED_ACTIONS: Final = frozenset({"delivered", "relayed", "expanded"})
"""The actions of a report of success."""


class FeedbackKind(WordedEnum):
    """What an incoming message is."""

    bounce = ("bounce", gettext_noop("Bounce"))
    """A mail server says that a message was not delivered, or is late."""

    complaint = ("complaint", gettext_noop("Complaint about spam"))
    auto_reply = ("auto-reply", gettext_noop("Automatic reply"))
    """A program answered: out of office, vacation, a receipt, a new address."""

    reply = ("reply", gettext_noop("Reply"))
    leave = ("leave", gettext_noop("Leaving by email"))
    """A mail to the leaving address: its token leaves the list."""

    other = ("other", gettext_noop("Not understood"))
    """Anything else: kept in the quarantine for a person to look at."""

    dmarc = ("dmarc", gettext_noop("Report on senders (DMARC)"))
    """A receiver reports who sends in our name (an aggregate report of DMARC)."""


class FeedbackState(WordedEnum):
    """What has become of an incoming message."""

    recorded = ("recorded", gettext_noop("Done"))
    """What follows from it was done."""

    held = ("held", gettext_noop("Waits for a judgement"), "careful")
    """In the quarantine: a person must judge it."""

    forwarding = ("forwarding", gettext_noop("Goes on to the team soon"), "careful")
    """A reply that has yet to go on to the address for replies."""

    forwarded = ("forwarded", gettext_noop("Went on to the team"), "right")
    judged = ("judged", gettext_noop("Judged"), "right")
    """A person judged it, and what follows from that was done."""


class Evidence(WordedEnum):
    """How the subscriber of an event was found, strongest first."""

    token = ("token", gettext_noop("found by our signed token"))
    """In the address it came to, in the ENVID, or in the message that it returns."""

    message_id = ("message_id", gettext_noop("found by the number of our message"))
    """By our Message-ID, which only we can compute."""

    address = ("address", gettext_noop("found by the address alone"))
    """Anyone can write that: it counts only if a message was sent there lately."""

    person = ("person", gettext_noop("named by a person"))
    refusal = ("refusal", gettext_noop("refused while it was being sent"))
    """By the ledger."""

    nothing = ("nothing", gettext_noop("nobody was found"))


class Consequence(WordedEnum):
    """What was done because of an event."""

    recorded = ("recorded", gettext_noop("Nothing was changed"))
    bounced = ("bounced", gettext_noop("Marked as bounced: gets no more mail"))
    complained = ("complained", gettext_noop("Marked as having complained: gets no more mail"))
    unsubscribed = ("unsubscribed", gettext_noop("Has left the list"))
    alarm = ("alarm", gettext_noop("It is about you, the sender: nobody was removed"))
    """It is shown to the team."""

    held = ("held", gettext_noop("Not believed without a person"))
    """Too many addresses of one campaign came back as dead."""

    unproven = ("unproven", gettext_noop("Nothing was sent that this could be about: nobody was removed"))
    outdated = ("outdated", gettext_noop("The partner has done something since: nobody was removed"))
    gone = ("gone", gettext_noop("Had left before"))


class SuccessorState(StrEnum):
    """What has become of a proposed successor."""

    proposed = "proposed"
    accepted = "accepted"
    refused = "refused"


class FeedbackMessage(SQLModel, table=True):
    """One message that came back, or one event that a provider reported.

    ``fingerprint`` is the SHA-256 of the bytes as received, or a digest of the provider's own number for the
    event: the same message counts once, whatever brings it and how often. ``source`` says what brought it
    (``imap``, ``maildir``, ``lmtp``, ``webhook:ses``). ``size`` is in bytes; ``raw`` the message itself, or
    its beginning, only while a person must judge it or it has yet to be forwarded. ``note`` says why it is
    held.
    """

    __tablename__: ClassVar[str] = "feedback_message"
    __table_args__ = (
        CheckConstraint("state <> 'judged' OR judged_by <> ''", name="judged_by_somebody"),
        CheckConstraint("state <> 'forwarding' OR raw IS NOT NULL", name="forwarding_has_raw"),
        partial_index("ix_feedback_message_held", "id", where="state = 'held'"),
        Index(None, "received_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    fingerprint: str = Field(max_length=64, unique=True)
    received_at: datetime
    source: str = Field(default="", max_length=100)
    kind: FeedbackKind = Field(sa_type=text_enum(FeedbackKind, "kind"))
    state: FeedbackState = Field(default=FeedbackState.recorded, sa_type=text_enum(FeedbackState, "state"))
    sender: str = Field(default="", max_length=320)
    subject: str = Field(default="", max_length=500)
    size: int = 0
    raw: bytes | None = None
    note: str = Field(default="", max_length=500)
    judgement: str = Field(default="", max_length=32)
    judged_by: str = Field(default="", max_length=200)
    judged_at: datetime | None = None

    @property
    def is_cut(self) -> bool:
        """Whether only its beginning is kept."""
        return self.raw is not None and len(self.raw) < self.size


class FeedbackEvent(SQLModel, table=True):
    """What an incoming message says of one recipient, and what was done about it.

    ``position`` counts the recipients of one message, from 0. ``address``, ``status``, ``code``, ``action``
    and ``words`` are the message's own, as :class:`mailer.feedback.incoming_message.ReportedRecipient` has
    them; ``address`` may be another than the subscriber's, if their mail is forwarded. ``settled_doubt`` says
    whether it proved a delivery that was in doubt.
    """

    __tablename__: ClassVar[str] = "feedback_event"
    __table_args__ = (
        UniqueConstraint("message_id", "position"),
        partial_index(
            "ix_feedback_event_subscriber_id", "subscriber_id", "at", where="subscriber_id IS NOT NULL"
        ),
        partial_index(
            "ix_feedback_event_campaign_id", "campaign_id", "reason", where="campaign_id IS NOT NULL"
        ),
        partial_index("ix_feedback_event_alarm", "at", where="consequence = 'alarm'"),
    )

    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="feedback_message.id", ondelete="CASCADE")
    position: int = 0
    subscriber_id: int | None = Field(default=None, foreign_key="subscriber.id", ondelete="CASCADE")
    campaign_id: int | None = Field(default=None, foreign_key="campaign.id", ondelete="RESTRICT")
    evidence: Evidence = Field(default=Evidence.nothing, sa_type=text_enum(Evidence, "evidence"))
    address: str = Field(default="", max_length=320)
    reason: Reason | None = Field(default=None, sa_type=text_enum(Reason, "reason"))
    action: str = Field(default="", max_length=32)
    status: str = Field(default="", max_length=32)
    code: str = Field(default="", max_length=32)
    words: str = Field(default="", max_length=1000)
    at: datetime
    consequence: Consequence = Field(
        default=Consequence.recorded, sa_type=text_enum(Consequence, "consequence")
    )
    settled_doubt: bool = False


class QueuedReply(SQLModel, table=True):
    """A reply that has yet to go on to the address for replies. Its row is deleted once it is sent.

    A sender moves ``not_before``, the time of the next attempt, on before it tries.
    """

    __tablename__: ClassVar[str] = "feedback_reply"

    message_id: int = Field(primary_key=True, foreign_key="feedback_message.id", ondelete="CASCADE")
    not_before: datetime = Field(index=True)
    attempts: int = 0
    reason: str = Field(default="", max_length=1000)


class ProposedSuccessor(SQLModel, table=True):
    """Somebody who follows a subscriber, as an automatic reply says; a person decides whether to add them."""

    __tablename__: ClassVar[str] = "feedback_successor"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "email"),
        CheckConstraint("state = 'proposed' OR decided_by <> ''", name="decided_by_somebody"),
        partial_index("ix_feedback_successor_proposed", "id", where="state = 'proposed'"),
    )

    id: int | None = Field(default=None, primary_key=True)
    message_id: int | None = Field(default=None, foreign_key="feedback_message.id", ondelete="SET NULL")
    subscriber_id: int = Field(foreign_key="subscriber.id", ondelete="CASCADE")
    email: str = Field(max_length=320)
    name: str = Field(default="", max_length=300)
    words: str = Field(default="", max_length=1000)
    state: SuccessorState = Field(default=SuccessorState.proposed, sa_type=text_enum(SuccessorState, "state"))
    at: datetime
    decided_by: str = Field(default="", max_length=200)
    decided_at: datetime | None = None


class ReadMailbox(SQLModel, table=True):
    """A mailbox that is read for what comes back, until ``leased_until`` by the machine ``owner``.

    The messages up to ``last_uid`` that are still there have been read and stay; the numbers are the
    server's, and hold while its ``uid_validity`` is the same (RFC 3501).
    """

    __tablename__: ClassVar[str] = "feedback_mailbox"

    name: str = Field(primary_key=True, max_length=500)
    uid_validity: int = Field(default=0, sa_type=BigInteger)
    last_uid: int = Field(default=0, sa_type=BigInteger)
    owner: str = Field(default="", max_length=255)
    leased_until: datetime


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
    :class:`mailer.feedback.incoming_message.ReportedSource`. ``dkim_domains`` are separated by spaces.
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


class MailDomain(SQLModel, table=True):
    """What the DNS said of one domain of the list, in small letters and A-labels, shared by all machines.

    ``provider`` is a key of :mod:`mailer.providers`, or "" if the domain has a server of its own, none at
    all, or the DNS gave no answer. After ``expires_at`` it is looked up again; until that succeeds, the row
    stays in use.
    """

    __tablename__: ClassVar[str] = "mail_domain"

    domain: str = Field(primary_key=True, max_length=255)
    provider: str = Field(default="", max_length=50)
    looked_up_at: datetime = Field(index=True)
    expires_at: datetime


class FakeMail(SQLModel, table=True):
    """A mail that claimed to be from us and was not, or was changed. Nothing says who submitted it.

    ``digest`` is a SHA-256 of sender, subject, links and verdict: the same fake, submitted by several people,
    is one row, counted in ``times``. ``verdict`` is that of :class:`mailer.verification.answer.MailVerdict`.
    ``headers`` are those of the mail without anything that names its readers. ``hosts`` are the places that
    its links lead to, sorted and separated by spaces. ``campaign`` names the edition whose code or links it
    has, "" for none.
    """

    __tablename__: ClassVar[str] = "fake_mail"
    __table_args__ = (CheckConstraint("times > 0", name="times_positive"), Index(None, "last_at"))

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(max_length=64, unique=True)
    verdict: str = Field(max_length=20)
    sender: str = Field(default="", max_length=300)
    subject: str = Field(default="", max_length=300)
    hosts: str = Field(default="", max_length=2000)
    campaign: str = Field(default="", max_length=100)
    headers: str = Field(default="", max_length=16000)
    times: int = 1
    first_at: datetime
    last_at: datetime
