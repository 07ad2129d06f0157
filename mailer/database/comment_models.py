"""The tables of what the team says to each other about stories."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Column, ForeignKey, Index, Integer, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

_MEMBER = "team_member.id"


class CommentThread(SQLModel, table=True):
    """A comment on a story with the replies to it. The row is deleted with its last comment.

    ``story`` is the story's slug, "" for the letter, and ``title`` its title when the thread began, which is
    all that is left of one that was removed. ``language`` is that of the translation it is about, "" for the
    original. ``quote`` is the passage it is about as it read then, "" for the whole story;
    ``block_digest`` is the SHA-256 of the block in which the passage began, and ``block`` the block's place
    from zero. ``resolved_at`` is None while it is open.
    """

    __tablename__: ClassVar[str] = "comment_thread"
    __table_args__ = (Index(None, "edition", "story"), Index(None, "resolved_at"))

    id: int | None = Field(default=None, primary_key=True)
    edition: str = Field(max_length=200)
    story: str = Field(default="", max_length=200)
    title: str = Field(default="", max_length=300)
    language: str = Field(default="", max_length=35)
    quote: str = Field(default="", max_length=1000)
    block_digest: str = Field(default="", max_length=64)
    block: int = 0
    created_at: datetime
    resolved_at: datetime | None = None
    resolved_by: int | None = Field(
        default=None, sa_column=Column(Integer, ForeignKey(_MEMBER), nullable=True)
    )


class Comment(SQLModel, table=True):
    """One comment. Threads are read in the order of ``id``, because clocks jump.

    ``text`` is what the member wrote, "" once they deleted it while others had replied. ``request`` is the
    random number of the form that sent it, so that a second click adds nothing.
    """

    __tablename__: ClassVar[str] = "comment"
    __table_args__ = (Index(None, "thread_id"), Index(None, "member_id"))

    id: int | None = Field(default=None, primary_key=True)
    thread_id: int = Field(
        sa_column=Column(Integer, ForeignKey("comment_thread.id", ondelete="CASCADE"), nullable=False)
    )
    member_id: int = Field(sa_column=Column(Integer, ForeignKey(_MEMBER), nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    request: str = Field(max_length=64, unique=True)
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None


class CommentMention(SQLModel, table=True):
    """A member whom a comment speaks to. ``read_at`` is when they said that they have read it."""

    __tablename__: ClassVar[str] = "comment_mention"
    __table_args__ = (UniqueConstraint("comment_id", "member_id"), Index(None, "member_id"))

    id: int | None = Field(default=None, primary_key=True)
    comment_id: int = Field(
        sa_column=Column(Integer, ForeignKey("comment.id", ondelete="CASCADE"), nullable=False)
    )
    member_id: int = Field(sa_column=Column(Integer, ForeignKey(_MEMBER), nullable=False))
    read_at: datetime | None = None


class CommentMail(SQLModel, table=True):
    """A mail that tells a member of a mention and is still to be sent. The row is deleted when the relay has
    the mail.

    ``not_before`` is the time of the next attempt; a sender moves it on before it tries. ``reason`` says why
    the last one failed.
    """

    __tablename__: ClassVar[str] = "comment_mail"

    mention_id: int = Field(
        sa_column=Column(Integer, ForeignKey("comment_mention.id", ondelete="CASCADE"), primary_key=True)
    )
    asked_at: datetime
    not_before: datetime = Field(index=True)
    attempts: int = 0
    reason: str = ""
