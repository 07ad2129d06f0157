"""The tables of approvals: what was asked for, who answered, and the mails about it."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from locales.phrase import WordedEnum, gettext_noop
from subscribers.models import text_enum


class RoundState(WordedEnum):
    """What became of a request for approval."""

    open = ("open", gettext_noop("Waits for answers"), "careful")
    approved = ("approved", gettext_noop("Approved"), "right")
    changes_requested = ("changes_requested", gettext_noop("Changes are asked for"), "wrong")
    withdrawn = ("withdrawn", gettext_noop("Taken back"))
    replaced = ("replaced", gettext_noop("Asked for again"))
    """The approval was asked for again, of something else."""


class ApprovalVerdict(StrEnum):
    """What somebody answered."""

    approved = "approved"
    changes_requested = "changes_requested"


class ApprovalMailKind(StrEnum):
    """What a mail about an approval says."""

    asked = "asked"
    answered = "answered"
    """To whom asked: how it ended."""


class ApprovalRound(SQLModel, table=True):
    """One request for the approval of a campaign, with what it was asked of.

    ``digest`` covers the frozen content and the segment, as that of the campaign does; ``settings`` is JSON:
    the settings and the theme then, each as a hash. ``has_own_steps`` says that the ``steps`` were chosen for
    it. They are JSON, read by :mod:`mailer.campaigns.approvals.steps`, and ``facts`` is JSON, read by
    :mod:`mailer.campaigns.approvals.rounds`. ``asked_by`` is "" if a command approved without being asked.
    """

    __tablename__: ClassVar[str] = "approval_round"
    __table_args__ = (
        Index(None, "campaign_id"),
        Index(None, "edition"),
        Index(None, "state"),
        Index(None, "digest"),
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", ondelete="CASCADE")
    edition: str = Field(max_length=100)
    segment: str
    again: bool = False
    counts_clicks: bool = False
    digest: str = Field(max_length=64)
    settings: str
    steps: str
    has_own_steps: bool = False
    facts: str
    note: str = ""
    state: RoundState = Field(sa_type=text_enum(RoundState, "state"))
    asked_by: str = Field(default="", max_length=200)
    member_id: int | None = Field(default=None, foreign_key="team_member.id")
    asked_at: datetime
    ended_at: datetime | None = None


class ApprovalContent(SQLModel, table=True):
    """What was asked for, in one language: the compiled edition, compressed by zlib."""

    __tablename__: ClassVar[str] = "approval_content"

    round_id: int = Field(foreign_key="approval_round.id", ondelete="CASCADE", primary_key=True)
    language: str = Field(primary_key=True, max_length=35)
    body: bytes


class ApprovalReviewer(SQLModel, table=True):
    """A person outside the team who is asked. ``digest`` is the SHA-256 of the secret in their link, which is
    made as it is mailed; ``expires_at`` is when the link ends. ``email`` is "" once the retention period is
    over."""

    __tablename__: ClassVar[str] = "approval_reviewer"
    __table_args__ = (Index(None, "round_id"),)

    id: int | None = Field(default=None, primary_key=True)
    round_id: int = Field(foreign_key="approval_round.id", ondelete="CASCADE")
    name: str = Field(max_length=200)
    email: str = Field(max_length=320)
    digest: str | None = Field(default=None, max_length=64, unique=True)
    expires_at: datetime | None = None


class ApprovalAnswer(SQLModel, table=True):
    """What one person answered in one round. ``person`` names them once in it: ``member:3``, ``reviewer:5``,
    or the name that a command gave. ``role`` is a member's at that time, else "". ``digest`` is that of what
    they had seen."""

    __tablename__: ClassVar[str] = "approval_answer"
    __table_args__ = (UniqueConstraint("round_id", "person"),)

    id: int | None = Field(default=None, primary_key=True)
    round_id: int = Field(foreign_key="approval_round.id", ondelete="CASCADE")
    person: str = Field(max_length=220)
    member_id: int | None = Field(default=None, foreign_key="team_member.id")
    reviewer_id: int | None = Field(default=None, foreign_key="approval_reviewer.id")
    name: str = Field(max_length=200)
    role: str = Field(default="", max_length=20)
    verdict: ApprovalVerdict = Field(sa_type=text_enum(ApprovalVerdict, "verdict"))
    words: str = ""
    digest: str = Field(max_length=64)
    answered_at: datetime


class ApprovalComment(SQLModel, table=True):
    """A comment of a member on an answer. ``request`` is the random number of the form, by which a second
    click is known."""

    __tablename__: ClassVar[str] = "approval_comment"
    __table_args__ = (Index(None, "answer_id"),)

    id: int | None = Field(default=None, primary_key=True)
    answer_id: int = Field(foreign_key="approval_answer.id", ondelete="CASCADE")
    member_id: int = Field(foreign_key="team_member.id")
    name: str = Field(max_length=200)
    text: str
    request: str = Field(max_length=64, unique=True)
    created_at: datetime


class ApprovalMail(SQLModel, table=True):
    """A mail about a round that is still to be sent, to a member or to an outside reviewer. Its row is
    deleted once it is sent. ``not_before`` is the time of the next attempt."""

    __tablename__: ClassVar[str] = "approval_mail"
    __table_args__ = (Index(None, "round_id"), Index(None, "not_before"))

    id: int | None = Field(default=None, primary_key=True)
    round_id: int = Field(foreign_key="approval_round.id", ondelete="CASCADE")
    kind: ApprovalMailKind = Field(sa_type=text_enum(ApprovalMailKind, "kind"))
    member_id: int | None = Field(default=None, foreign_key="team_member.id")
    reviewer_id: int | None = Field(default=None, foreign_key="approval_reviewer.id", ondelete="CASCADE")
    asked_at: datetime
    not_before: datetime
    attempts: int = 0
    reason: str = ""
