"""The settings of one workspace: ``mailer.toml``, overridden by ``MAILER_SECTION__KEY``.

There is no module-level instance: settings are passed to whatever needs them. The models below hold every key
with its default and its description. An unknown key is an error, both in the file and in the environment.
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

from locales.languages import canonical_language
from mailer.errors import ConfigurationError, WorkspaceNotFoundError
from mailer.network import parse_listen_address, parse_network

SETTINGS_FILE = "mailer.toml"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine, which need neither TLS nor https."""
_PREFIX = "MAILER_"
_CONTACT = re.compile(r"https://[^\s\"<>]+|[^\s@<>\":/]+@[^\s@<>\":/]+")
# The keys of these sections are country codes in capitals; names of variables are read in any case.
_COUNTRY_SECTIONS = {"countries", "time_zones", "subject_labels"}
# Options of the command line, which reads them itself.
_NOT_SETTINGS = {"MAILER_HOME", "MAILER_DEBUG"}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _normalise_line(name: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise ValueError("must not contain control characters")
    return " ".join(name.split())


SingleLineText = Annotated[
    str, BeforeValidator(lambda value: _normalise_line(value) if isinstance(value, str) else value)
]


class SenderSettings(_Section):
    """Who the mail is from."""

    name: SingleLineText = Field(description="The sender's name, as readers see it.")
    address: str = Field(
        description="The sender's address, for the From header.", pattern=r"^[^@\s<>]+@[^@\s<>]+$"
    )
    organisation: SingleLineText = Field(description="The organisation's name, for the footer.")
    postal_address: str = Field(
        min_length=5, description="The organisation's postal address. The law of most countries requires it."
    )
    language: str = Field(
        default="",
        description="The language of the name, organisation and postal address, for screen readers. By "
        "default English on the web pages, and the edition's language in its mails.",
    )
    reply_to: str = Field(default="", description="The address for replies, if not the sender's.")
    bounces_to: str = Field(
        default="", description="The envelope sender, to which bounces go, if not the sender's address."
    )
    list_id: str = Field(default="", description="The List-Id, such as newsletter.example.org.")
    is_sample_body: bool = Field(
        default=False,
        description="Whether you are the organisation that the sample shows. Only then may its name, "
        "organisation and postal address stand here.",
    )

    @field_validator("language")
    @classmethod
    def _check_language(cls, tag: str) -> str:
        if tag and not re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", tag):
            raise ValueError(f"{tag!r} is not a language code. Use, for example, fr, mn or zh-Hans")
        return tag

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class WarmUpSettings(_Section):
    """Warming up a new relay or IP address: few messages on the first day, more every day after it."""

    since: date = Field(description="The first day, in UTC.")
    first_day: int = Field(default=200, ge=1, description="The number of messages on the first day.")
    growth: float = Field(default=1.5, ge=1, description="The factor by which the number grows each day.")


class RelaySettings(_Section):
    """One of several mail relays. A key that is left out has its value from ``[smtp]``."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="A name for this relay, of your choice."
    )
    url: str = Field(description="smtp:// or smtps://, with a user name if it requires a login.")
    password_file: Path | None = Field(
        default=None, description="A file with the password on its first line."
    )
    token_file: Path | None = Field(
        default=None, description="A file with an OAuth token on its first line, read at every login."
    )
    auth: Literal["auto", "plain", "login", "xoauth2"] | None = Field(
        default=None, description="The login mechanism."
    )
    starttls: Literal["require", "if-offered", "never"] | None = Field(
        default=None, description="Whether an smtp:// connection must, may or must not switch to TLS."
    )
    priority: int = Field(
        default=1,
        ge=0,
        description="Relays with the lowest number are used first; the others only while none of those "
        "works.",
    )
    weight: int = Field(
        default=1, ge=1, description="This relay's share of the mail among relays of its priority."
    )
    rate: float | None = Field(
        default=None, gt=0, description="At most this many messages per second, from all machines together."
    )
    messages_per_connection: int | None = Field(
        default=None, ge=1, description="Reconnect after this many messages."
    )
    warm_up: WarmUpSettings | None = Field(
        default=None, description="Daily limits for a new relay that has no reputation yet."
    )


class SmtpSettings(_Section):
    """The mail relay."""

    url: str = Field(
        default="smtp://127.0.0.1:25",
        description="smtp://, smtps:// or maildir:PATH. Add a user name to log in, as in smtp://user@host:587.",
    )
    password_file: Path | None = Field(
        default=None, description="A file with the password on its first line."
    )
    token_file: Path | None = Field(
        default=None,
        description="A file with an OAuth token on its first line, read at every login (xoauth2).",
    )
    auth: Literal["auto", "plain", "login", "xoauth2"] = Field(
        default="auto", description="The login mechanism; auto uses the best one the server offers."
    )
    starttls: Literal["require", "if-offered", "never"] = Field(
        default="if-offered", description="Whether an smtp:// connection must, may or must not switch to TLS."
    )
    pipelining: bool = Field(
        default=True,
        description="Send commands without waiting for each reply, if the server allows it (RFC 2920).",
    )
    connections: int = Field(
        default=5, ge=1, le=50, description="The number of connections open at the same time."
    )
    messages_per_connection: int = Field(default=50, ge=1, description="Reconnect after this many messages.")
    connection_minutes: float = Field(default=5, gt=0, description="Reconnect after this many minutes.")
    timeout: float = Field(
        default=300,
        gt=0,
        description="Seconds to wait for most replies (RFC 5321 §4.5.3.2: 5 minutes; 2 for DATA).",
    )
    final_timeout: float = Field(
        default=600,
        gt=0,
        description="Seconds to wait for the reply to the final dot (RFC 5321 §4.5.3.2.6: 10 minutes).",
    )
    rate: float | None = Field(
        default=None, gt=0, description="At most this many messages per second, from all machines together."
    )
    warm_up: WarmUpSettings | None = Field(
        default=None, description="Daily limits for a new relay that has no reputation yet."
    )
    relays: tuple[RelaySettings, ...] = Field(
        default=(), description="Several relays, used instead of the one in url."
    )


class DkimSettings(_Section):
    """DKIM signatures, for a relay that does not sign (RFC 6376, RFC 8463). Off without a key."""

    domain: str = Field(
        default="", description="The signing domain. If empty, the domain of the sender's address."
    )
    selector: str = Field(default="", description="The selector of the RSA key.")
    key_file: Path | None = Field(default=None, description="The RSA key, PEM, 2048 bits.")
    ed25519_selector: str = Field(default="", description="The selector of the Ed25519 key.")
    ed25519_key_file: Path | None = Field(
        default=None, description="The Ed25519 key, PEM, for a second signature."
    )


class LogSettings(_Section):
    """The log of sending, in addition to the ledger."""

    format: Literal["text", "json"] = Field(
        default="text", description="text for lines that people read, json for programs."
    )
    file: Path | None = Field(default=None, description="The log file. By default, the terminal.")
    level: Literal["debug", "info", "warning", "error"] | None = Field(
        default=None,
        description="The lowest level to log. By default info in a file and warning on a terminal.",
    )


class DatabaseSettings(_Section):
    """Where the subscribers and the ledger are stored."""

    url: str = Field(
        default="sqlite:///mailer.db",
        description="sqlite:///FILE (relative to the workspace) or postgresql://…",
    )


class WebSettings(_Section):
    """The web pages for readers."""

    base_url: str = Field(
        default="http://127.0.0.1:8025",
        description="The public address of `mailer serve`, without a slash at the end.",
    )
    robots: Literal["index", "noindex"] = Field(
        default="index", description="Whether search engines may index the archive."
    )
    sign_up: bool = Field(default=False, description="Whether people can sign up themselves, at /subscribe.")
    accessibility_contact: str = Field(
        default="",
        description="Where readers report a barrier: an email address, or the https address of a form. "
        "Shown on /accessibility. By default, the address that answers to the newsletter go to.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="Addresses and networks of your own reverse proxies. Only what they write in "
        "X-Forwarded-For is believed to be the visitor's address. By default, a proxy on the same machine.",
    )
    metrics: str = Field(
        default="",
        description="Where `mailer serve` answers /metrics for Prometheus: 127.0.0.1:9464, or the path of a "
        "Unix socket such as /run/mailer/metrics.sock. By default, nowhere. Never on the public port.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            parse_network(value)
        return values

    @field_validator("accessibility_contact")
    @classmethod
    def _check_accessibility_contact(cls, value: str) -> str:
        if value and not _CONTACT.fullmatch(value):
            raise ValueError(
                f"accessibility_contact: {value!r} is neither an email address nor an address that begins "
                "with https://. Write, for example, access@example.org"
            )
        return value

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, value: str) -> str:
        if value:
            parse_listen_address(value)
        return value

    @model_validator(mode="after")
    def _check_base_url(self) -> Self:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or self.base_url.endswith("/"):
            raise ValueError("base_url must look like https://news.example.org, without a slash at the end")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether the address is that of this machine only."""
        return urlsplit(self.base_url).hostname in LOOPBACK_HOSTS

    @property
    def supports_one_click(self) -> bool:
        """Whether one-click unsubscribe may use this address: RFC 8058 requires HTTPS; loopback is for
        testing.
        """
        return self.is_loopback or urlsplit(self.base_url).scheme == "https"


class CampaignSettings(_Section):
    """How campaigns are sent."""

    approval: Literal["required", "optional"] = Field(
        default="optional", description="Whether a campaign must be approved before it is launched."
    )
    approval_by: Literal["anybody", "another"] = Field(
        default="anybody",
        description="Who may approve an edition: anybody, or another person than its authors and its sender.",
    )
    test_readers: tuple[str, ...] = Field(
        default=(),
        description="The addresses that `mailer send EDITION --test` sends to if it names none.",
    )
    require_test: bool = Field(
        default=False,
        description="Whether exactly the content of a campaign must have been tested before it is launched.",
    )
    in_doubt: Literal["hold", "resend"] = Field(
        default="hold",
        description="What resuming a campaign does with deliveries in doubt: hold leaves them for a person "
        "to decide, resend sends them again.",
    )
    rate: float | None = Field(
        default=None,
        gt=0,
        description="At most this many messages per second over all connections. By default, no limit.",
    )
    retry_for_hours: float = Field(
        default=72, gt=0, description="For how many hours a deferred message is tried again."
    )
    canary: int | None = Field(
        default=None,
        ge=1,
        description="Send to this many readers first. By default, to all at the same time.",
    )
    canary_minutes: float | None = Field(
        default=None,
        gt=0,
        description="Minutes to wait after the canary. By default, until a person resumes the campaign.",
    )
    archive: bool = Field(
        default=False, description="Whether editions are added to the public archive when they are sent."
    )
    halt_at_rejected: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Pause a campaign when this share of the first 200 addresses does not exist.",
    )
    window: str = Field(
        default="",
        pattern=r"^(\d{2}:\d{2}-\d{2}:\d{2})?$",
        description="The hours in which mail is sent, in the reader's time zone, such as 08:00-18:00.",
    )
    window_days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        description="The days on which mail is sent.",
    )


CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class LawSettings(_Section):
    """Legal requirements by the reader's country; see consent.md. This is not legal advice."""

    opt_in: tuple[str, ...] = Field(
        default=("JP",),
        description="Country codes. Readers in these countries only get mail if their consent is on record.",
    )

    @field_validator("opt_in")
    @classmethod
    def _check_codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [code for code in codes if not re.fullmatch("[A-Z]{2}", code)]:
            raise ValueError(f"{wrong[0]!r} is not a country code. Use two capital letters, such as JP")
        return codes


class ConsentSettings(_Section):
    """The evidence kept of a reader's choice."""

    origin: Literal["hashed", "plain", "nothing"] = Field(
        default="hashed",
        description="How to store the IP address a choice came from: as a keyed hash, in plain text, or "
        "not at all.",
    )


class RetentionSettings(_Section):
    """How long personal data is kept. `mailer subscribers prune` deletes it; none means for ever."""

    pending_days: int | None = Field(
        default=30, ge=3, description="Delete an unconfirmed sign-up after this many days."
    )
    gone_months: int | None = Field(
        default=None,
        ge=1,
        description="Erase people who unsubscribed, bounced or complained after this many months, except "
        "for a hash.",
    )
    reply_months: int | None = Field(
        default=None,
        ge=1,
        description="Delete the mail servers' replies after this many months; the state of each delivery "
        "stays.",
    )
    test_months: int | None = Field(
        default=12,
        ge=1,
        description="Delete the addresses that tests were sent to after this many months; that the content "
        "was tested stays.",
    )


class Settings(_Section):
    """All settings in ``mailer.toml``.

    ``sectors`` maps slugs to names and ``countries`` country codes to names, in the organisation's own
    language. ``sector_names`` and ``country_names`` have such tables for other languages, by language tag.
    ``domain_rates`` are
    messages per second by the readers' mail domain, with ``"*"`` for all other domains. ``time_zones`` maps
    country codes to time zones such as Asia/Shanghai, and ``subject_labels`` maps them to a label put before
    the subject there.
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
    sectors: dict[str, SingleLineText] = Field(default_factory=dict)
    sector_names: dict[str, dict[str, SingleLineText]] = Field(default_factory=dict)
    countries: dict[str, str] = Field(default_factory=dict)
    country_names: dict[str, dict[str, str]] = Field(default_factory=dict)
    domain_rates: dict[str, float] = Field(default_factory=dict)
    time_zones: dict[str, str] = Field(default_factory=dict)
    subject_labels: dict[CountryCode, SingleLineText] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_sector_names(self) -> Self:
        for tag, names in self.sector_names.items():
            if canonical_language(tag) != tag:
                raise ValueError(
                    f"sector_names.{tag}: {tag!r} is not a language code. Use, for example, fr, mn or zh-Hans"
                )
            if unknown := [slug for slug in names if slug not in self.sectors]:
                raise ValueError(
                    f"sector_names.{tag}.{unknown[0]}: there is no such sector. Choose from: "
                    f"{', '.join(self.sectors) or 'none yet, because [sectors] is empty'}"
                )
        return self

    def find_sector_name(self, slug: str, language: str) -> str | None:
        """The name that ``[sector_names]`` has for a sector in ``language``, or in another variety of it
        (``zh-Hans`` for ``zh``); None if it has none."""
        base = language.partition("-")[0]
        tags = (language, base, *(tag for tag in self.sector_names if tag.partition("-")[0] == base))
        names = (self.sector_names.get(tag, {}).get(slug) for tag in tags)
        return next((name for name in names if name), None)


def load_settings(folder: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of the workspace in ``folder``.

    Raises:
        WorkspaceNotFoundError: there is no ``mailer.toml``.
        ConfigurationError: the file or the environment contains an unknown or invalid setting; the message
            names every one.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise WorkspaceNotFoundError(folder)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}. Fix the line and try again.") from error
    try:
        return Settings.model_validate(_apply_environment(values, environ))
    except ValidationError as error:
        raise ConfigurationError("\n".join(_describe_errors(path, error))) from error


def _apply_environment(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """``values``, overridden by the variables ``MAILER_SECTION__KEY``."""
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
                f"{variable}: unknown setting. Variables are named MAILER_SECTION__KEY; the sections are "
                f"{', '.join(Settings.model_fields)}."
            )
        merged.setdefault(section, {})[key.upper() if section in _COUNTRY_SECTIONS else key] = value
    return merged


def _describe_errors(path: Path, error: ValidationError) -> list[str]:
    complaints = []
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            complaints.append(f"{path}: {place}: unknown setting. See docs/settings.md for all settings.")
        else:
            complaints.append(f"{path}: {place}: {fault['msg'].removeprefix('Value error, ')}")
    return complaints
