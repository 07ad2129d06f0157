"""The log."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from locales.phrase import gettext_noop
from mailer.settings.section import Section


class LogSettings(Section):
    """The log of sending, in addition to the ledger."""

    format: Literal["text", "json"] = Field(
        default="text", description=gettext_noop("text for lines that people read, json for programs.")
    )
    file: Path | None = Field(
        default=None, description=gettext_noop("The log file. By default, the terminal.")
    )
    level: Literal["debug", "info", "warning", "error"] | None = Field(
        default=None,
        description=gettext_noop(
            "The lowest level to log. By default info in a file and warning on a terminal."
        ),
    )
