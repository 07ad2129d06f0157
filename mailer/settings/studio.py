"""Studio, the team's own pages."""

from pydantic import Field

from mailer.settings.section import Section


class StudioSettings(Section):
    """Studio, the team's own pages in the browser."""

    enabled: bool = Field(
        default=False,
        description="Whether `mailer serve` answers the team's pages too, under /studio of the public "
        "address. `mailer studio` starts them on this machine whatever it says.",
    )
    session_days: int = Field(
        default=14,
        ge=1,
        le=90,
        description="After how many days without a visit people have to sign in again.",
    )
