"""The table of files that were uploaded to be imported into the list."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from locales.phrase import WordedEnum, gettext_noop
from mailer.database.models import CompressedText
from subscribers.models import text_enum


class ImportFileState(StrEnum):
    """How far an uploaded file is."""

    checking = "checking"
    """Its dry run is wanted, or under way."""

    checked = "checked"
    """Its dry run is there, and it waits for a person."""

    importing = "importing"
    """Its import is wanted, or under way."""

    imported = "imported"
    """It was imported; the file is deleted."""

    discarded = "discarded"
    """Nobody wanted it, or not for a week; the file is deleted."""


WORKING = frozenset({ImportFileState.checking, ImportFileState.importing})


class ImportHitch(WordedEnum):
    """Why a file waits for a person although they wanted more than a look at it."""

    changed = (
        "changed",
        gettext_noop(
            "Nothing was imported: the list or the settings have changed since the numbers were counted. "
            "These are the new ones. If they are right, import."
        ),
    )
    interrupted = (
        "interrupted",
        gettext_noop(
            "The server was stopped in the middle. Nothing was imported, and the list is as it was. Try "
            "again."
        ),
    )
    failed = (
        "failed",
        gettext_noop(
            "The server could not do it: its disk may be full, or the database busy. Nothing was imported, "
            "and the list is as it was. Try again in a moment; if it happens again, tell whoever looks after "
            "the server."
        ),
    )


class ImportFile(SQLModel, table=True):
    """A file that was uploaded: ``name`` is what the person calls it, ``stored_as`` its name in the
    workspace's folder of uploads, "" once it is deleted there.

    ``choices`` and ``result`` are JSON: how to read it
    (:class:`~mailer.list_imports.checked_file.ImportChoices`), and what the last look found
    (:class:`~mailer.list_imports.checked_file.CheckedFile`). ``version`` is the result's digest, which a form
    sends back. ``began_at`` is when a program began what the state asks for, None while nobody has; ``hitch``
    is why that was not done. ``asked_by`` wanted it imported.
    """

    __tablename__: ClassVar[str] = "import_file"
    __table_args__ = (Index(None, "state"), Index(None, "import_id"))

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=300)
    stored_as: str = Field(max_length=64)
    size: int = Field(sa_type=BigInteger)
    member_id: int = Field(foreign_key="team_member.id")
    asked_by: int | None = Field(default=None, foreign_key="team_member.id")
    state: ImportFileState = Field(sa_type=text_enum(ImportFileState, "state"))
    hitch: ImportHitch | None = Field(default=None, sa_type=text_enum(ImportHitch, "hitch"))
    choices: str = Field(sa_type=Text)
    result: str | None = Field(default=None, sa_type=CompressedText)
    version: str = Field(default="", max_length=64)
    uploaded_at: datetime
    began_at: datetime | None = None
    ended_at: datetime | None = None
    import_id: int | None = Field(default=None, foreign_key="import_batch.id")

    @property
    def is_being_worked_on(self) -> bool:
        return self.state in WORKING
