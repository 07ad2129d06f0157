"""The table of fakes: mails that claimed to be from us and were not, as people have submitted them."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel


class FakeMail(SQLModel, table=True):
    """A mail that claimed to be from us and was not, or was changed.

    ``digest`` is a SHA-256 of sender, subject, links and verdict: the same fake, submitted by several people,
    is one row, counted in ``times``. ``verdict`` is that of :class:`mailer.verification.answer.Verdict`.
    ``headers`` are those of the mail without anything that names its readers. ``hosts`` are the places that
    its links lead to, sorted and separated by spaces. ``campaign`` names the edition whose code or links it
    has, "" for none. Nothing says who submitted it.
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
