"""The tables of the team: its members, and where they are signed in to Studio."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, Integer
from sqlmodel import Field, SQLModel

from subscribers.models import text_enum


class Role(StrEnum):
    """What a member of the team may do in Studio; :mod:`mailer.team.members` says it act by act."""

    guest = "guest"
    """Reads everything that is written, and comments."""

    author = "author"
    """Writes editions, too."""

    approver = "approver"
    """Writes, and approves what others have written."""

    manager = "manager"
    """Does all of that, and decides who belongs to the team."""


class SignInMethod(StrEnum):
    """How a member proved who they are."""

    link = "link"
    """By a link mailed to their address, or printed in the terminal for the first of them."""

    password = "password"  # noqa: S105 - the name of the method
    """By their password."""

    passkey = "passkey"
    """By a passkey."""

    organisation = "organisation"
    """By the organisation's own sign-in (OpenID Connect)."""


class TeamMember(SQLModel, table=True):
    """A person of the team.

    ``email`` is normalised, and unique among all who ever belonged to it. ``name`` is what the others see.
    ``language`` is that of their pages, "" for the browser's. Who has left keeps the row, with
    ``removed_at``, so that what they did stays theirs in the history.
    """

    __tablename__: ClassVar[str] = "team_member"

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(max_length=320, unique=True)
    name: str = Field(max_length=200)
    role: Role = Field(sa_column=Column(text_enum(Role, "role"), nullable=False))
    language: str = Field(default="", max_length=35)
    created_at: datetime
    removed_at: datetime | None = None


class TeamSession(SQLModel, table=True):
    """Where a member is signed in. The row is deleted when the session ends.

    ``digest`` is the SHA-256 of the secret in the browser's cookie. ``browser`` is the User-Agent, shortened.
    ``confirmed_at`` is when they last proved who they are: some acts ask for it again.
    """

    __tablename__: ClassVar[str] = "team_session"
    __table_args__ = (Index(None, "member_id"),)

    id: int | None = Field(default=None, primary_key=True)
    digest: str = Field(max_length=64, unique=True)
    member_id: int = Field(
        sa_column=Column(Integer, ForeignKey("team_member.id", ondelete="CASCADE"), nullable=False)
    )
    method: SignInMethod = Field(sa_column=Column(text_enum(SignInMethod, "method"), nullable=False))
    browser: str = Field(default="", max_length=300)
    created_at: datetime
    confirmed_at: datetime
    last_seen_at: datetime
