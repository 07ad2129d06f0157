"""The database."""

from pydantic import Field

from mailer.settings.section import Section


class DatabaseSettings(Section):
    """Where the subscribers and the ledger are stored."""

    url: str = Field(
        default="sqlite:///mailer.db",
        description="sqlite:///FILE (relative to the workspace) or postgresql://…",
    )
