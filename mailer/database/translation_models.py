"""The table of originals: which text each translation was made from."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from mailer.database.compressed_text import CompressedText


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
    text: str = Field(sa_column=Column(CompressedText, nullable=False))
    same_texts: str = Field(default="", sa_column=Column(CompressedText, nullable=False))
    recorded_at: datetime
