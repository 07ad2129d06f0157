"""All settings of ``mailer.toml``, and how the file and the environment are read."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from locales.languages import canonical_language
from locales.phrase import gettext_noop
from mailer.errors import ConfigurationError, WorkspaceNotFoundError
from mailer.settings.campaigns import CampaignSettings
from mailer.settings.feedback import FeedbackSettings
from mailer.settings.section import (
    DatabaseSettings,
    DnsSettings,
    LogSettings,
    SettingsSection,
    SingleLineText,
    setting,
)
from mailer.settings.smtp import DkimSettings, SenderSettings, SmtpSettings
from mailer.settings.web import ConsentSettings, LawSettings, RetentionSettings, StudioSettings, WebSettings

SETTINGS_FILE = "mailer.toml"
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
_PREFIX = "MAILER_"
# The keys of these sections are country codes in capitals; names of variables are read in any case.
_COUNTRY_SECTIONS = {"countries", "time_zones", "subject_labels"}
# Options of the command line, which reads them itself.
_NOT_SETTINGS = {"MAILER_HOME", "MAILER_DEBUG"}


class SettingFault(NamedTuple):
    """What is wrong with one setting. ``place`` are the keys to it, ``kind`` is pydantic's name of the error
    and ``limits`` what that has to say, such as ``{"ge": 1}``."""

    place: tuple[str | int, ...]
    message: str
    kind: str
    limits: Mapping[str, Any]


class InvalidSettingsError(ConfigurationError):
    """Some settings are unknown or invalid; ``faults`` are all of them."""

    def __init__(self, message: str, faults: tuple[SettingFault, ...]) -> None:
        self.faults = faults
        super().__init__(message)


class Settings(SettingsSection):
    """All settings in ``mailer.toml``.

    ``sectors`` maps slugs to names and ``countries`` country codes to names, in the organisation's own
    language; other languages have such tables by language tag. ``domain_rates`` and ``provider_rates`` are
    messages per second, ``provider_daily_limits`` messages per day, by the readers' mail domain or by the
    provider that receives the mail; 0 or ``"unlimited"`` takes a limit away that the program has for a
    provider.
    """

    sender: SenderSettings
    smtp: SmtpSettings = SmtpSettings()
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    studio: StudioSettings = StudioSettings()
    campaigns: CampaignSettings = CampaignSettings()
    dkim: DkimSettings = DkimSettings()
    dns: DnsSettings = DnsSettings()
    log: LogSettings = LogSettings()
    law: LawSettings = LawSettings()
    consent: ConsentSettings = ConsentSettings()
    retention: RetentionSettings = RetentionSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    sectors: dict[str, SingleLineText] = Field(default_factory=dict)
    sector_names: dict[str, dict[str, SingleLineText]] = Field(default_factory=dict)
    countries: dict[str, str] = Field(default_factory=dict)
    country_names: dict[str, dict[str, str]] = Field(default_factory=dict)
    domain_rates: dict[str, float] = setting(
        gettext_noop("Messages per second by domain"),
        gettext_noop("One on each line, such as example.org = 2. The star stands for all others: * = 5."),
        default_factory=dict,
    )
    provider_rates: dict[str, float | Literal["unlimited"]] = setting(
        gettext_noop("Messages per second by provider"),
        gettext_noop("One on each line, such as orange = 2.5 or yahoo = unlimited."),
        default_factory=dict,
    )
    provider_daily_limits: dict[str, int | Literal["unlimited"]] = setting(
        gettext_noop("Messages per day by provider"),
        gettext_noop("One on each line, such as gmx = 5000 or gmx = unlimited."),
        default_factory=dict,
    )
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
        """Return the name that ``[sector_names]`` has for a sector in ``language``, or in another variety of
        it (``zh-Hans`` for ``zh``); None if it has none.
        """
        base = language.partition("-")[0]
        tags = (language, base, *(tag for tag in self.sector_names if tag.partition("-")[0] == base))
        names = (self.sector_names.get(tag, {}).get(slug) for tag in tags)
        return next((name for name in names if name), None)


def load_settings(folder: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of the workspace in ``folder``. Raise WorkspaceNotFoundError if there is no
    ``mailer.toml``, and ConfigurationError, which names every setting that is unknown or invalid.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise WorkspaceNotFoundError(folder)
    return parse_settings(path, path.read_bytes(), environ)


def parse_settings(path: Path, data: bytes, environ: Mapping[str, str]) -> Settings:
    """Read settings from ``data``, what the file at ``path`` has or would have. Raise InvalidSettingsError
    for unknown or invalid settings, and ConfigurationError for invalid TOML or an unknown variable.
    """
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not valid TOML: {error}. Fix the line and try again.") from error
    try:
        return Settings.model_validate(_apply_environment(values, environ))
    except ValidationError as error:
        faults = tuple(map(_make_fault, error.errors()))
        message = "\n".join(_describe_fault(path, fault) for fault in faults)
        raise InvalidSettingsError(message, faults) from error


def find_overrides(environ: Mapping[str, str] = os.environ) -> dict[tuple[str, str], str]:
    """Return the variables of ``environ`` that override settings, by section and key."""
    return {(section, key): variable for variable, section, key in _list_variables(environ)}


def _apply_environment(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    merged = {
        name: dict(section) if isinstance(section, dict) else section for name, section in values.items()
    }
    for variable, section, key in _list_variables(environ):
        if isinstance(merged.get(section), str):
            raise _refuse_variable(variable)
        merged.setdefault(section, {})[key] = environ[variable]
    return merged


def _list_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for variable in environ:
        if not variable.startswith(_PREFIX) or variable in _NOT_SETTINGS:
            continue
        section, separator, key = variable.removeprefix(_PREFIX).lower().partition("__")
        if not separator or not key or section not in Settings.model_fields:
            raise _refuse_variable(variable)
        yield variable, section, key.upper() if section in _COUNTRY_SECTIONS else key


def _refuse_variable(variable: str) -> ConfigurationError:
    return ConfigurationError(
        f"{variable}: unknown setting. Variables are named MAILER_SECTION__KEY; the sections are "
        f"{', '.join(Settings.model_fields)}."
    )


def _make_fault(error: ErrorDetails) -> SettingFault:
    message = error["msg"].removeprefix("Value error, ")
    return SettingFault(error["loc"], message, kind=error["type"], limits=error.get("ctx", {}))


def _describe_fault(path: Path, fault: SettingFault) -> str:
    place = ".".join(map(str, fault.place))
    if fault.kind == "extra_forbidden":
        return f"{path}: {place}: unknown setting. See docs/settings.md for all settings."
    return f"{path}: {place}: {fault.message}"
