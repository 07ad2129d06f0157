"""What every section of the settings is, and the small ones: the database, the DNS and the log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from locales.phrase import gettext_noop
from mailer.network import parse_listen_address


class SettingsSection(BaseModel):
    """One section: unknown keys are errors, and nothing in it changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _normalise_line(name: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise ValueError(gettext_noop("must not contain control characters"))
    return " ".join(name.split())


SingleLineText = Annotated[
    str, BeforeValidator(lambda value: _normalise_line(value) if isinstance(value, str) else value)
]


def setting(label: str, hint: str = "", *, choices: Mapping[str, str] | None = None, **more: Any) -> Any:
    """Declare a setting with the words that the team knows it by: its label, a hint with an example where one
    helps, and what each of its choices is called. ``more`` is what :func:`pydantic.Field` takes; its
    ``description`` is for docs/settings.md."""
    return Field(title=label, json_schema_extra={"hint": hint, "choices": {**(choices or {})}}, **more)


class DatabaseSettings(SettingsSection):
    """Where the subscribers and the ledger are stored."""

    url: str = Field(
        default="sqlite:///mailer.db",
        description="sqlite:///FILE (relative to the workspace) or postgresql://…",
    )


class DnsSettings(SettingsSection):
    """How the mailer asks the DNS: for our own records (`mailer doctor`) and for who receives mail (MX)."""

    resolver: str = Field(
        default="",
        description=gettext_noop(
            "The address and port of the DNS server to ask, such as 192.0.2.53:53. By "
            "default, this machine's own."
        ),
    )
    timeout: float = Field(
        default=5,
        gt=0,
        le=60,
        description=gettext_noop("After how many seconds a question counts as unanswered."),
    )
    look_up_providers: bool = Field(
        default=True,
        description=gettext_noop(
            "Whether the provider that receives the mail of a domain is looked up (its MX), "
            "so that the provider's limits hold for it."
        ),
    )

    @field_validator("resolver")
    @classmethod
    def _check_resolver(cls, value: str) -> str:
        if value and parse_listen_address(value).path is not None:
            raise ValueError(
                gettext_noop("%(value)s is not an address and a port. Write, for example, 192.0.2.53:53")
                % {"value": f"{value!r}"}
            )
        return value


class LogSettings(SettingsSection):
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
