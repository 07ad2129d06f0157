"""The settings of one workspace: ``mailer.toml``, overridden by ``MAILER_SECTION__KEY``.

There is no module-level instance: whoever needs settings is given them. Every key, its default and its help
are in the models below; an unknown key is an error, in the file and in the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mailer.errors import ConfigurationError, WorkspaceNotFoundError

FILE = "mailer.toml"
_PREFIX = "MAILER_"
# Read elsewhere: the workspace's place, and Click's completion switch.
_NOT_SETTINGS = {"MAILER_HOME", "MAILER_DEBUG"}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _plain_sender(name: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise ValueError("must not hold control characters")
    return " ".join(name.split())


Phrase = Annotated[
    str, BeforeValidator(lambda value: _plain_sender(value) if isinstance(value, str) else value)
]


class SenderSettings(_Section):
    """Who the mail is from."""

    name: Phrase = Field(description="The name readers see as the sender.")
    address: str = Field(description="The address in From.", pattern=r"^[^@\s<>]+@[^@\s<>]+$")
    organisation: Phrase = Field(description="The organisation, as the footer names it.")
    postal_address: str = Field(
        min_length=5, description="Where letters reach us; the law of most countries asks for it."
    )
    reply_to: str = Field(default="", description="Where answers go, if not to the sender.")
    bounces_to: str = Field(default="", description="The envelope sender, if not the sender's address.")
    list_id: str = Field(default="", description="The List-Id label, such as newsletter.example.org.")

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class SmtpSettings(_Section):
    """The relay that takes the mail."""

    url: str = Field(
        default="smtp://127.0.0.1:25",
        description="smtp://, smtps:// or maildir:PATH. With a user, as in smtp://user@host:587, it logs in.",
    )
    password_file: Path | None = Field(default=None, description="A file whose first line is the password.")
    starttls: Literal["require", "if-offered", "never"] = Field(
        default="if-offered", description="Whether smtp:// must, may or must not change to TLS."
    )
    connections: int = Field(default=4, ge=1, le=50, description="Connections kept open at once.")
    messages_per_connection: int = Field(
        default=50, ge=1, description="Messages after which a connection is renewed."
    )
    timeout: float = Field(default=60, gt=0, description="Seconds to wait for an ordinary reply.")
    final_timeout: float = Field(
        default=600,
        gt=0,
        description="Seconds to wait for the reply to the final dot (RFC 5321 §4.5.3.2.6: 10 minutes).",
    )


class DatabaseSettings(_Section):
    """Where the list and the ledger live."""

    url: str = Field(
        default="sqlite:///mailer.db",
        description="sqlite:///FILE (relative to the workspace) or postgresql://…",
    )


class WebSettings(_Section):
    """How readers reach the pages."""

    base_url: str = Field(
        default="http://127.0.0.1:8025",
        description="The public address of `mailer serve`, without a trailing slash.",
    )

    @model_validator(mode="after")
    def _absolute(self) -> Self:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or self.base_url.endswith("/"):
            raise ValueError("base_url must look like https://news.example.org, without a slash at the end")
        return self

    @property
    def is_public_safe(self) -> bool:
        """Whether one-click unsubscribe may use it: RFC 8058 asks for HTTPS; loopback is for trying out."""
        parts = urlsplit(self.base_url)
        return parts.scheme == "https" or parts.hostname in {"127.0.0.1", "localhost", "::1"}


class CampaignSettings(_Section):
    """The rules a campaign follows."""

    approval: Literal["required", "optional"] = Field(
        default="optional", description="Whether a launch needs an approval."
    )
    in_doubt: Literal["hold", "resend"] = Field(
        default="hold",
        description="What a resume does with deliveries in doubt: leave them to a person, or send again.",
    )
    rate: float | None = Field(
        default=None, gt=0, description="Messages per second over all connections; none for no limit."
    )
    retry_for_hours: float = Field(default=72, gt=0, description="How long a deferred reader is tried again.")


class Settings(_Section):
    """Everything in ``mailer.toml``. ``sectors`` maps slugs to names, ``countries`` codes to names."""

    sender: SenderSettings
    smtp: SmtpSettings = SmtpSettings()
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    campaigns: CampaignSettings = CampaignSettings()
    sectors: dict[str, str] = Field(default_factory=dict)
    countries: dict[str, str] = Field(default_factory=dict)


def load(folder: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of the workspace in ``folder``.

    Raises:
        WorkspaceNotFoundError: there is no ``mailer.toml``.
        ConfigurationError: the file or the environment holds something unknown or wrong; all of it is
            named.
    """
    path = folder / FILE
    if not path.is_file():
        raise WorkspaceNotFoundError(folder)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}. Mend the line and try again.") from error
    try:
        return Settings.model_validate(_overridden(values, environ))
    except ValidationError as error:
        raise ConfigurationError("\n".join(_complaints(path, error))) from error


def _overridden(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """``values`` with ``MAILER_SECTION__KEY`` laid over them."""
    merged = {
        name: dict(section) if isinstance(section, dict) else section for name, section in values.items()
    }
    for variable, value in environ.items():
        if not variable.startswith(_PREFIX) or variable in _NOT_SETTINGS:
            continue
        section, separator, key = variable.removeprefix(_PREFIX).lower().partition("__")
        known = Settings.model_fields.get(section)
        if not separator or not key or known is None or isinstance(merged.get(section), str):
            raise ConfigurationError(
                f"{variable}: no such setting. Variables are named MAILER_SECTION__KEY, with a section of "
                f"{', '.join(Settings.model_fields)}."
            )
        merged.setdefault(section, {})[key.upper() if section == "countries" else key] = value
    return merged


def _complaints(path: Path, error: ValidationError) -> list[str]:
    complaints = []
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            complaints.append(f"{path}: {place}: no such setting. See docs/settings.md for those there are.")
        else:
            complaints.append(f"{path}: {place}: {fault['msg']}")
    return complaints
