"""Studio, the team's own pages."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator

from locales.phrase import gettext_noop
from mailer.settings.section import Section, SingleLineText
from mailer.settings.web import LOOPBACK_HOSTS


class OpenIdSettings(Section):
    """Signing in to Studio at the organisation, by OpenID Connect. See docs/studio.md."""

    issuer: str = Field(
        description="The address of the provider, as it calls itself: "
        "https://login.microsoftonline.com/TENANT/v2.0, https://accounts.google.com."
    )
    client_id: str = Field(
        min_length=1, description="The ID of the application that you have registered at the provider."
    )
    client_secret_file: Path | None = Field(
        default=None, description="A file with the application's secret on its first line."
    )
    name: SingleLineText = Field(
        default="", max_length=60, description="What the button calls it. By default, the organisation."
    )
    domains: tuple[str, ...] = Field(
        default=(),
        description="Only addresses of these domains are accepted from the provider. By default, any that "
        "belongs to a member of the team.",
    )

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
        if not (parts.hostname and (parts.scheme == "https" or is_local)) or parts.query or parts.fragment:
            raise ValueError(
                gettext_noop(
                    "%(value)s must begin with https:// and be exactly what the provider calls its issuer"
                )
                % {"value": f"{value!r}"}
            )
        return value

    @field_validator("domains")
    @classmethod
    def _check_domains(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if "@" in value or "." not in value or value != value.strip().lower():
                raise ValueError(
                    gettext_noop("%(value)s is not a domain. Write, for example, example.org")
                    % {"value": f"{value!r}"}
                )
        return values


def _check_zone(name: str) -> str:
    try:
        return name and ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            gettext_noop("%(name)s is no time zone. Write, for example, Asia/Shanghai")
            % {"name": f"{name!r}"}
        ) from error


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
    time_zone: Annotated[str, AfterValidator(_check_zone)] = Field(
        default="",
        description="The time zone in which the team plans campaigns, such as Asia/Shanghai. By default, "
        'that of "*" in `[time_zones]`, or else UTC.',
    )
    oidc: OpenIdSettings | None = Field(
        default=None, description="Signing in at the organisation, beside a link, a password or a passkey."
    )
