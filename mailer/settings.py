"""The settings of one workspace: ``mailer.toml``, overridden by ``MAILER_SECTION__KEY``.

There is no module-level instance: whoever needs settings is given them. Every key, its default and its help
are in the models below; an unknown key is an error, in the file and in the environment.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from mailer.errors import ConfigurationError, WorkspaceNotFoundError

FILE = "mailer.toml"
_PREFIX = "MAILER_"
# Read elsewhere: the workspace's place, and Click's completion switch.
# Their keys are country codes, and variables are usually read without regard to case.
_BY_COUNTRY = {"countries", "time_zones", "subject_labels"}
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
    language: str = Field(
        default="",
        description="The language of the name, organisation and postal address, for screen readers. If none: "
        "English on the pages, an edition's own in its mails.",
    )
    reply_to: str = Field(default="", description="Where answers go, if not to the sender.")
    bounces_to: str = Field(default="", description="The envelope sender, if not the sender's address.")
    list_id: str = Field(default="", description="The List-Id label, such as newsletter.example.org.")

    @field_validator("language")
    @classmethod
    def _is_tag(cls, tag: str) -> str:
        if tag and not re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", tag):
            raise ValueError(f"{tag!r} is no language code such as fr, mn or zh-Hans")
        return tag

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class WarmUpSettings(_Section):
    """How a new relay or address is made known to the world: few messages at first, more every day."""

    since: date = Field(description="The first day, in UTC.")
    first_day: int = Field(default=200, ge=1, description="Messages on the first day.")
    growth: float = Field(default=1.5, ge=1, description="How many times as many on each day after it.")


class RelaySettings(_Section):
    """A relay that takes the mail. What is left out is as ``[smtp]`` says."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="What we call it.")
    url: str = Field(description="smtp:// or smtps://, with a user where it logs in.")
    password_file: Path | None = Field(default=None, description="A file whose first line is the password.")
    token_file: Path | None = Field(
        default=None, description="A file whose first line is an OAuth token, read at every login."
    )
    auth: Literal["auto", "plain", "login", "xoauth2"] | None = Field(
        default=None, description="How to log in."
    )
    starttls: Literal["require", "if-offered", "never"] | None = Field(
        default=None, description="Whether smtp:// must, may or must not change to TLS."
    )
    priority: int = Field(
        default=1,
        ge=0,
        description="A higher number is used while no lower one works.",
    )
    weight: int = Field(default=1, ge=1, description="Its share among the relays of its priority.")
    rate: float | None = Field(
        default=None, gt=0, description="Messages per second it takes, from all machines."
    )
    messages_per_connection: int | None = Field(
        default=None, ge=1, description="Messages after which a connection is renewed."
    )
    warm_up: WarmUpSettings | None = Field(
        default=None, description="Limits by the day for a relay that nobody knows yet."
    )


class SmtpSettings(_Section):
    """The relay that takes the mail."""

    url: str = Field(
        default="smtp://127.0.0.1:25",
        description="smtp://, smtps:// or maildir:PATH. With a user, as in smtp://user@host:587, it logs in.",
    )
    password_file: Path | None = Field(default=None, description="A file whose first line is the password.")
    token_file: Path | None = Field(
        default=None, description="A file whose first line is an OAuth token, read at every login (xoauth2)."
    )
    auth: Literal["auto", "plain", "login", "xoauth2"] = Field(
        default="auto", description="How to log in; auto takes the best the server offers."
    )
    starttls: Literal["require", "if-offered", "never"] = Field(
        default="if-offered", description="Whether smtp:// must, may or must not change to TLS."
    )
    pipelining: bool = Field(
        default=True, description="Send commands ahead of the replies where the server allows it (RFC 2920)."
    )
    connections: int = Field(default=5, ge=1, le=50, description="Connections kept open at once.")
    messages_per_connection: int = Field(
        default=50, ge=1, description="Messages after which a connection is renewed."
    )
    connection_minutes: float = Field(
        default=5, gt=0, description="Minutes after which a connection is renewed."
    )
    timeout: float = Field(
        default=300,
        gt=0,
        description="Seconds to wait for an ordinary reply (RFC 5321 §4.5.3.2: 5 minutes; 2 for DATA).",
    )
    final_timeout: float = Field(
        default=600,
        gt=0,
        description="Seconds to wait for the reply to the final dot (RFC 5321 §4.5.3.2.6: 10 minutes).",
    )
    rate: float | None = Field(
        default=None, gt=0, description="Messages per second the relay takes, from all machines."
    )
    warm_up: WarmUpSettings | None = Field(
        default=None, description="Limits by the day for a relay that nobody knows yet."
    )
    relays: tuple[RelaySettings, ...] = Field(
        default=(), description="Several relays, in place of the one that url names."
    )


class DkimSettings(_Section):
    """Signing messages ourselves, where the relay does not (RFC 6376, RFC 8463). Off without a key."""

    domain: str = Field(default="", description="The domain that signs; the sender's, if empty.")
    selector: str = Field(default="", description="The selector of the RSA key.")
    key_file: Path | None = Field(default=None, description="The RSA key, PEM, 2048 bits.")
    ed25519_selector: str = Field(default="", description="The selector of the Ed25519 key.")
    ed25519_key_file: Path | None = Field(default=None, description="The Ed25519 key, PEM, which signs too.")


class LogSettings(_Section):
    """What is written down while sending, beside the ledger."""

    format: Literal["text", "json"] = Field(default="text", description="Lines for people or for programs.")
    file: Path | None = Field(default=None, description="Where to write; the terminal, if none.")
    level: Literal["debug", "info", "warning", "error"] | None = Field(
        default=None,
        description="The least important that is written. If none: info in a file, warning on a terminal.",
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
    robots: Literal["index", "noindex"] = Field(
        default="index", description="Whether search engines may list the archive."
    )
    sign_up: bool = Field(default=False, description="Whether anybody may subscribe, at /subscribe.")

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
    canary: int | None = Field(
        default=None, ge=1, description="How many readers go first, before the rest; none for all at once."
    )
    canary_minutes: float | None = Field(
        default=None, gt=0, description="Minutes to wait after the canary; none to wait for a person."
    )
    archive: bool = Field(
        default=False, description="Whether an edition that is sent stands in the public archive."
    )
    halt_at_rejected: float = Field(
        default=0.1, gt=0, le=1, description="The share of dead addresses in the first 200 that pauses it."
    )
    window: str = Field(
        default="",
        pattern=r"^(\d{2}:\d{2}-\d{2}:\d{2})?$",
        description="Hours of the reader in which mail is sent, such as 08:00-18:00.",
    )
    window_days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        description="Days on which the window opens.",
    )


CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class LawSettings(_Section):
    """What the law of a reader's country asks of a mailing; see consent.md. Not legal advice."""

    opt_in: tuple[str, ...] = Field(
        default=("JP",),
        description="Countries whose readers get nothing unless their consent is on record, by code.",
    )

    @field_validator("opt_in")
    @classmethod
    def _are_codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [code for code in codes if not re.fullmatch("[A-Z]{2}", code)]:
            raise ValueError(f"{wrong[0]!r} is no country code of two capitals, such as JP")
        return codes


class ConsentSettings(_Section):
    """What is kept as evidence of a choice."""

    origin: Literal["hashed", "plain", "nothing"] = Field(
        default="hashed",
        description="The network address a choice came from: hashed with a key, plain, or nothing.",
    )


class RetentionSettings(_Section):
    """How long we keep what we know; `mailer subscribers prune` goes by it. None is for ever."""

    pending_days: int | None = Field(
        default=30, ge=3, description="Days after which a sign-up that nobody confirmed is deleted."
    )
    gone_months: int | None = Field(
        default=None,
        ge=1,
        description="Months after which somebody who left, bounced or complained is erased but for a hash.",
    )
    reply_months: int | None = Field(
        default=None,
        ge=1,
        description="Months after which the servers' words about a delivery are emptied; its state stays.",
    )


class Settings(_Section):
    """Everything in ``mailer.toml``.

    ``sectors`` maps slugs to names and ``countries`` codes to names, in the office's own language;
    ``country_names`` holds such tables for other languages, by their tags. ``domain_rates`` are messages per
    second by the readers' domain, ``"*"`` for every other one. ``time_zones`` maps country codes to zones
    such as Asia/Shanghai, ``subject_labels`` country codes to words that stand before the subject there.
    """

    sender: SenderSettings
    smtp: SmtpSettings = SmtpSettings()
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    campaigns: CampaignSettings = CampaignSettings()
    dkim: DkimSettings = DkimSettings()
    log: LogSettings = LogSettings()
    law: LawSettings = LawSettings()
    consent: ConsentSettings = ConsentSettings()
    retention: RetentionSettings = RetentionSettings()
    sectors: dict[str, str] = Field(default_factory=dict)
    countries: dict[str, str] = Field(default_factory=dict)
    country_names: dict[str, dict[str, str]] = Field(default_factory=dict)
    domain_rates: dict[str, float] = Field(default_factory=dict)
    time_zones: dict[str, str] = Field(default_factory=dict)
    subject_labels: dict[CountryCode, Phrase] = Field(default_factory=dict)


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
        merged.setdefault(section, {})[key.upper() if section in _BY_COUNTRY else key] = value
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
