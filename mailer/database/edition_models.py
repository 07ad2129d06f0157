"""The tables beside an edition's files: revisions, unsaved texts, comments, and translations."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from locales.phrase import WordedEnum, gettext_noop
from mailer.database.models import CompressedText
from subscribers.models import text_enum


class RevisionKind(WordedEnum):
    """What happened to the files of an edition."""

    found = ("found", gettext_noop("As Studio found it"))
    """They were there before Studio first saved them."""

    written = ("written", gettext_noop("Written"))
    """A member wrote in Studio, in one sitting."""

    outside = ("outside", gettext_noop("Changed outside Studio"))
    """They were changed outside Studio: in an editor, by Git, by a command."""

    merged = ("merged", gettext_noop("Put together from two texts"))
    """A member settled a conflict between two texts."""

    set_aside = ("set-aside", gettext_noop("Set aside: never in the edition"))
    """What a member had written and then left out when the conflict was settled; it was never the file."""

    restored = ("restored", gettext_noop("Restored"))
    added = ("added", gettext_noop("Added"))
    removed = ("removed", gettext_noop("Removed"))
    moved = ("moved", gettext_noop("Moved to another place"))
    imported = ("imported", gettext_noop("Came back from a translator"))


class UnsavedReason(StrEnum):
    """Why a member's text is not in the file."""

    changed = "changed"
    """The file had been changed underneath."""

    removed = "removed"
    not_written = "not-written"
    """The file could not be written: a full disk, or missing permission."""


class EditionRevision(SQLModel, table=True):
    """An entry of the history of an edition: one sitting of one member, or one change of several files.

    ``member_id`` is NULL where it is not known who it was. ``sitting`` tells the pages that a member has
    open apart; "" for what is no sitting. Entries are ordered by ``id``, because clocks jump.
    """

    __tablename__: ClassVar[str] = "edition_revision"
    __table_args__ = (Index(None, "edition"),)

    id: int | None = Field(default=None, primary_key=True)
    edition: str = Field(max_length=200)
    kind: RevisionKind = Field(sa_type=text_enum(RevisionKind, "kind"))
    member_id: int | None = Field(default=None, foreign_key="team_member.id")
    sitting: str = Field(default="", max_length=64)
    began_at: datetime
    ended_at: datetime


class RevisionText(SQLModel, table=True):
    """A text that a file of an edition once had. What is in no entry of the history, because the sitting went
    on, is kept for some days: somebody may have begun from it."""

    __tablename__: ClassVar[str] = "revision_text"
    __table_args__ = (UniqueConstraint("edition", "digest"),)

    id: int | None = Field(default=None, primary_key=True)
    edition: str = Field(max_length=200)
    digest: str = Field(max_length=64)
    text: str = Field(sa_type=CompressedText)
    saved_at: datetime


class RevisionFile(SQLModel, table=True):
    """A file of an entry, with its whole text when the entry ended; no text if the file was removed.

    ``story`` is the slug of its story, "" for edition.md; ``language`` that of a translation, "" for the
    original. ``name`` is the file's name at that time, relative to the edition. ``digest`` is the SHA-256 of
    the text, "" if removed. ``sequence`` is the number of the last save in the sitting. The counts of words
    compare the text with that of the entry before.
    """

    __tablename__: ClassVar[str] = "revision_file"
    __table_args__ = (
        Index(None, "edition", "story", "language"),
        Index(None, "revision_id"),
        Index(None, "text_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    revision_id: int = Field(foreign_key="edition_revision.id", ondelete="CASCADE")
    edition: str = Field(max_length=200)
    story: str = Field(default="", max_length=200)
    language: str = Field(default="", max_length=35)
    name: str = Field(max_length=300)
    text_id: int | None = Field(default=None, foreign_key="revision_text.id")
    digest: str = Field(default="", max_length=64)
    sequence: int = 0
    words_added: int = 0
    words_removed: int = 0


class UnsavedText(SQLModel, table=True):
    """What a member wrote last (``mine``) and could not be saved, until it is settled.

    ``base_digest`` is that of the text they began from, ``base`` that text if it is known. ``detail`` is the
    system's own word for what is wrong. ``story``, ``language`` and ``name`` are those of
    :class:`RevisionFile`.
    """

    __tablename__: ClassVar[str] = "unsaved_text"
    __table_args__ = (Index(None, "edition", "story", "language"), Index(None, "member_id"))

    id: int | None = Field(default=None, primary_key=True)
    edition: str = Field(max_length=200)
    story: str = Field(default="", max_length=200)
    language: str = Field(default="", max_length=35)
    name: str = Field(max_length=300)
    member_id: int = Field(foreign_key="team_member.id")
    sitting: str = Field(default="", max_length=64)
    reason: UnsavedReason = Field(sa_type=text_enum(UnsavedReason, "reason"))
    detail: str = Field(default="", max_length=300)
    base_digest: str = Field(default="", max_length=64)
    base: str | None = Field(default=None, sa_type=CompressedText)
    mine: str = Field(sa_type=CompressedText)
    sequence: int = 0
    created_at: datetime
    updated_at: datetime


class StoryPresence(SQLModel, table=True):
    """A page with a story that a member has open; deleted when they close it, or no sign of it comes."""

    __tablename__: ClassVar[str] = "story_presence"
    __table_args__ = (Index(None, "edition", "story", "language"),)

    sitting: str = Field(max_length=64, primary_key=True)
    member_id: int = Field(foreign_key="team_member.id", ondelete="CASCADE")
    edition: str = Field(max_length=200)
    story: str = Field(default="", max_length=200)
    language: str = Field(default="", max_length=35)
    seen_at: datetime


class CommentThread(SQLModel, table=True):
    """A comment on a story with the replies to it. The row is deleted with its last comment.

    ``story`` is the story's slug, "" for the letter, and ``title`` its title when the thread began, which is
    all that is left of one that was removed. ``language`` is that of the translation it is about, "" for the
    original. ``quote`` is the passage it is about as it read then, "" for the whole story; ``block_digest``
    is the SHA-256 of the block in which the passage began, and ``block`` the block's place from zero.
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
    resolved_by: int | None = Field(default=None, foreign_key="team_member.id")


class Comment(SQLModel, table=True):
    """One comment. Threads are read in the order of ``id``, because clocks jump.

    ``text`` is "" once the member deleted it while others had replied. ``request`` is the random number of
    the form that sent it, so that a second click adds nothing.
    """

    __tablename__: ClassVar[str] = "comment"
    __table_args__ = (Index(None, "thread_id"), Index(None, "member_id"))

    id: int | None = Field(default=None, primary_key=True)
    thread_id: int = Field(foreign_key="comment_thread.id", ondelete="CASCADE")
    member_id: int = Field(foreign_key="team_member.id")
    text: str = Field(sa_type=Text)
    request: str = Field(max_length=64, unique=True)
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None


class CommentMention(SQLModel, table=True):
    """A member whom a comment speaks to. ``read_at`` is when they said that they have read it."""

    __tablename__: ClassVar[str] = "comment_mention"
    __table_args__ = (UniqueConstraint("comment_id", "member_id"), Index(None, "member_id"))

    id: int | None = Field(default=None, primary_key=True)
    comment_id: int = Field(foreign_key="comment.id", ondelete="CASCADE")
    member_id: int = Field(foreign_key="team_member.id")
    read_at: datetime | None = None


class CommentMail(SQLModel, table=True):
    """A mail that tells a member of a mention and is still to be sent. The row is deleted when the relay has
    it.

    A sender moves ``not_before``, the time of the next attempt, on before it tries.
    """

    __tablename__: ClassVar[str] = "comment_mail"

    mention_id: int = Field(foreign_key="comment_mention.id", ondelete="CASCADE", primary_key=True)
    asked_at: datetime
    not_before: datetime = Field(index=True)
    attempts: int = 0
    reason: str = ""


class TranslationBase(SQLModel, table=True):
    """The original's text that a translation was made from, so that a translator sees what has changed since.

    ``story`` is the slug, "" for edition.md. ``digest`` is that of the text as the translation has it in its
    key ``translated_from``: that file decides, and a row with another digest says nothing. ``same_texts`` are
    the digests of texts that are meant to be as in the original, parted by spaces.
    """

    __tablename__: ClassVar[str] = "translation_base"
    __table_args__ = (UniqueConstraint("edition", "story", "language"),)

    id: int | None = Field(default=None, primary_key=True)
    edition: str = Field(max_length=200)
    story: str = Field(max_length=200)
    language: str = Field(max_length=35)
    digest: str = Field(max_length=12)
    text: str = Field(sa_type=CompressedText)
    same_texts: str = Field(default="", sa_type=CompressedText)
    recorded_at: datetime
