"""The tables of the team: its members, how they sign in, and who did what."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from locales.phrase import ChoiceEnum, gettext_noop
from subscribers.models import text_enum


class Role(ChoiceEnum):
    """What a member of the team may do in Studio, beside what the roles before it let them do;
    :mod:`mailer.team.members` says it act by act."""

    guest = (
        "guest",
        gettext_noop("Guest"),
        gettext_noop("Reads everything that is written, and comments."),
    )
    author = (
        "author",
        gettext_noop("Author"),
        gettext_noop("Also writes editions, sees and changes partners, and prepares campaigns."),
    )
    approver = (
        "approver",
        gettext_noop("Approver"),
        gettext_noop("Also approves, launches and cancels campaigns."),
    )
    manager = (
        "manager",
        gettext_noop("Manager"),
        gettext_noop("Also decides about the team and the settings, takes the list away, and sees the log."),
    )


class SignInMethod(StrEnum):
    """How a member proved who they are."""

    link = "link"
    """By a link mailed to their address, or printed in the terminal for the first of them."""

    password = "password"  # noqa: S105 - the name of the method
    passkey = "passkey"
    organisation = "organisation"
    """By the organisation's own sign-in (OpenID Connect)."""


class TeamMember(SQLModel, table=True):
    """A person of the team.

    ``email`` is normalised, and unique among all who ever belonged to it. ``language`` is that of their
    pages, "" for the browser's. Who has left keeps the row, with ``removed_at``, so that what they did stays
    theirs in the history.
    """

    __tablename__: ClassVar[str] = "team_member"

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(max_length=320, unique=True)
    name: str = Field(max_length=200)
    role: Role = Field(sa_type=text_enum(Role, "role"))
    language: str = Field(default="", max_length=35)
    created_at: datetime
    removed_at: datetime | None = None


class TeamSession(SQLModel, table=True):
    """Where a member is signed in. The row is deleted when the session ends.

    ``digest`` is the SHA-256 of the secret in the browser's cookie. ``browser`` is the User-Agent, shortened.
    Some acts ask members to prove again who they are, which they last did at ``confirmed_at``.
    """

    __tablename__: ClassVar[str] = "team_session"
    __table_args__ = (Index(None, "member_id"),)

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(max_length=64, unique=True)
    member_id: int = Field(foreign_key="team_member.id", ondelete="CASCADE")
    method: SignInMethod = Field(sa_type=text_enum(SignInMethod, "method"))
    browser: str = Field(default="", max_length=300)
    created_at: datetime
    confirmed_at: datetime
    last_seen_at: datetime


class SignInLinkPurpose(StrEnum):
    """What a link of Studio is for."""

    first = "first"
    """Printed in the terminal while nobody belongs to the team: who opens it becomes the first manager."""

    sign_in = "sign_in"
    """Mailed to a member who asked for it on the sign-in page."""

    invitation = "invitation"
    """Mailed to a person whom a manager has invited, or printed in the terminal for them."""


class SignInLink(SQLModel, table=True):
    """A link that signs somebody in, once.

    ``digest`` is the SHA-256 of the secret in the link, ``browser_digest`` that of the secret in the cookie
    of the browser that asked, and so may use it; "" lets any. ``member_id`` is None for the first account
    until it is made.
    """

    __tablename__: ClassVar[str] = "sign_in_link"
    __table_args__ = (Index(None, "member_id"),)

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(max_length=64, unique=True)
    purpose: SignInLinkPurpose = Field(sa_type=text_enum(SignInLinkPurpose, "purpose"))
    member_id: int | None = Field(default=None, foreign_key="team_member.id", ondelete="CASCADE")
    browser_digest: str = Field(default="", max_length=64)
    next_path: str = Field(default="", max_length=1000)
    created_at: datetime
    expires_at: datetime = Field(index=True)
    used_at: datetime | None = None


class SignInMail(SQLModel, table=True):
    """A link that was asked for and is still to be mailed. The row is deleted when the relay has the mail.

    ``email`` is the address as it was asked for, normalised. Whether it belongs to a member is only decided
    after the page has answered, so that the answer reveals nothing. A sender moves ``not_before``, the time
    of the next attempt, on before it tries.
    """

    __tablename__: ClassVar[str] = "sign_in_mail"

    id: int | None = Field(default=None, primary_key=True)
    purpose: SignInLinkPurpose = Field(sa_type=text_enum(SignInLinkPurpose, "purpose"))
    email: str = Field(max_length=320)
    browser_digest: str = Field(default="", max_length=64)
    next_path: str = Field(default="", max_length=1000)
    language: str = Field(default="", max_length=35)
    asked_at: datetime
    not_before: datetime = Field(index=True)
    attempts: int = 0
    reason: str = ""


class TeamInvitation(SQLModel, table=True):
    """An invitation that its member has not followed yet. The row is deleted when they sign in."""

    __tablename__: ClassVar[str] = "team_invitation"

    member_id: int = Field(foreign_key="team_member.id", ondelete="CASCADE", primary_key=True)
    invited_by: int | None = Field(default=None, foreign_key="team_member.id", ondelete="SET NULL")
    invited_at: datetime


class MemberPassword(SQLModel, table=True):
    """The password of a member who has chosen one: ``hash`` is Argon2id's, with its parameters and salt."""

    __tablename__: ClassVar[str] = "member_password"

    member_id: int = Field(foreign_key="team_member.id", ondelete="CASCADE", primary_key=True)
    hash: str = Field(max_length=300)
    changed_at: datetime


class MemberPasskey(SQLModel, table=True):
    """A passkey of a member. ``credential_id`` is in base64url, ``public_key`` in COSE (RFC 9052).
    ``sign_count`` is the authenticator's counter; 0 if it has none."""

    __tablename__: ClassVar[str] = "member_passkey"
    __table_args__ = (Index(None, "member_id"),)

    id: int | None = Field(default=None, primary_key=True)
    member_id: int = Field(foreign_key="team_member.id", ondelete="CASCADE")
    credential_id: str = Field(max_length=1400, unique=True)
    public_key: bytes
    sign_count: int = Field(default=0, sa_type=BigInteger)
    name: str = Field(max_length=100)
    created_at: datetime
    last_used_at: datetime | None = None


class OrganisationAccount(SQLModel, table=True):
    """The account by which a member signs in at the organisation: the ``subject`` that ``issuer`` calls
    them (OpenID Connect Core §2). Kept from the first time on, because an address may be given to somebody
    else."""

    __tablename__: ClassVar[str] = "organisation_account"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    member_id: int = Field(foreign_key="team_member.id", ondelete="CASCADE", primary_key=True)
    issuer: str = Field(max_length=300)
    subject: str = Field(max_length=255)
    linked_at: datetime


class ActivityRecord(SQLModel, table=True):
    """One thing that somebody did. Rows are only ever added: triggers refuse to change or delete one, except
    that a text may become the mask of an erased address, whole.

    ``member_id`` is None on the command line; ``name`` is what the member was called at the time, or the name
    of the command line's user. ``act`` is one of :class:`~mailer.activity.acts.Act`, or a newer program's.
    ``edition`` is the slug of the edition that it was about, if any; ``subject`` is what else: a story, a
    person, a campaign's number, a file.
    """

    __tablename__: ClassVar[str] = "activity_record"
    __table_args__ = (Index(None, "member_id"), Index(None, "edition"), Index(None, "at"))

    id: int | None = Field(default=None, primary_key=True)
    at: datetime
    member_id: int | None = Field(default=None, foreign_key="team_member.id")
    name: str = Field(max_length=200)
    act: str = Field(max_length=64)
    edition: str = Field(default="", max_length=200)
    subject: str = Field(default="", max_length=400)
    detail: str = Field(default="", max_length=1000)
