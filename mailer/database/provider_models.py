"""The table of mail domains: which provider receives their mail, as the DNS said."""

from datetime import datetime
from typing import ClassVar

from sqlmodel import Field, SQLModel

from mailer.database import models as models


class MailDomain(SQLModel, table=True):
    """What the DNS said of one domain of the list, shared by all machines.

    ``domain`` is in small letters and A-labels. ``provider`` is a key of :mod:`mailer.providers`, or "" if
    the domain has a server of its own, none at all, or the DNS gave no answer. After ``expires_at`` it is
    looked up again; until that succeeds, the row stays in use.
    """

    __tablename__: ClassVar[str] = "mail_domain"

    domain: str = Field(primary_key=True, max_length=255)
    provider: str = Field(default="", max_length=50)
    looked_up_at: datetime = Field(index=True)
    expires_at: datetime
