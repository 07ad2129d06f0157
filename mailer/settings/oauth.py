"""Signing in to a relay or a mailbox without a password (OAuth 2.0)."""

import re
from datetime import date
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from locales.phrase import gettext_noop
from mailer.settings.section import SettingsSection
from mailer.settings.web import LOOPBACK_HOSTS

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_NOT_ONE_TENANT = frozenset({"", "common", "organizations", "consumers"})


class OAuthSettings(SettingsSection):
    """Signing in by OAuth 2.0, in place of a password. ``mailer login`` uses it; see docs/sign-in.md."""

    provider: Literal["microsoft", "google", "other"] = Field(
        description="Who signs you in: Microsoft 365, Google, or another provider, whose addresses you set."
    )
    client_id: str = Field(
        min_length=1, description="The ID of the application that you have registered at the provider."
    )
    tenant: str = Field(
        default="",
        description="Your directory (tenant) at Microsoft: its ID, or a domain of yours. By default, the "
        "person who signs in decides.",
    )
    client_secret_file: Path | None = Field(
        default=None,
        description="A file with the application's secret on its first line. Google always gives one; "
        "Microsoft asks for one only with client_credentials.",
    )
    client_secret_expires: date | None = Field(
        default=None,
        description="The last day of the application's secret. `mailer doctor` warns before it.",
    )
    grant: Literal["authorization_code", "device_code", "client_credentials"] = Field(
        default="authorization_code",
        description="How to sign in: a person in the browser of this machine, a person in any browser with a "
        "code to type in, or the application by itself.",
    )
    testing: bool = Field(
        default=False,
        description="Whether the consent screen at Google is in testing: a sign-in then ends after 7 days.",
    )
    scopes: tuple[str, ...] = Field(
        default=(), description="What to ask for, where that is not what the provider usually needs."
    )
    authorization_url: str = Field(
        default="", description="Where a person signs in, if not at the provider's usual address."
    )
    device_url: str = Field(
        default="", description="Where a code for another browser is asked for, if not at the usual address."
    )
    token_url: str = Field(
        default="", description="Where tokens are asked for, if not at the provider's usual address."
    )
    revocation_url: str = Field(
        default="", description="Where a sign-in is ended (RFC 7009), if not at the provider's usual address."
    )

    @field_validator("tenant")
    @classmethod
    def _check_tenant(cls, value: str) -> str:
        if value and not _TENANT.fullmatch(value):
            raise ValueError(
                gettext_noop("%(value)s is neither the ID of a directory nor a domain")
                % {"value": f"{value!r}"}
            )
        return value

    @field_validator("authorization_url", "device_url", "token_url", "revocation_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
        if value and not (parts.hostname and (parts.scheme == "https" or is_local)):
            raise ValueError(
                gettext_noop("%(value)s must begin with https://, so that nobody reads the tokens on the way")
                % {"value": f"{value!r}"}
            )
        return value

    @model_validator(mode="after")
    def _check_grant(self) -> Self:
        match self.provider:
            case "google":
                self._check_google()
            case "microsoft":
                self._check_microsoft()
            case _:
                self._check_other()
        return self

    def _check_google(self) -> None:
        if self.grant == "device_code" and not self.device_url:
            raise ValueError(
                "Google gives no access to mail with a code (its device flow refuses the scope). Set grant = "
                '"authorization_code"; on a machine without a browser, use `mailer login --paste`'
            )
        if self.grant == "client_credentials":
            raise ValueError('Google has no client_credentials. Set grant = "authorization_code"')

    def _check_microsoft(self) -> None:
        if self.grant != "client_credentials":
            return
        if self.tenant in _NOT_ONE_TENANT:
            raise ValueError("client_credentials needs tenant, the ID of your directory at Microsoft")
        if self.client_secret_file is None:
            raise ValueError(
                "client_credentials needs client_secret_file, a file with the application's secret"
            )

    def _check_other(self) -> None:
        needed = {
            "authorization_code": "authorization_url",
            "device_code": "device_url",
            "client_credentials": "client_secret_file",
        }[self.grant]
        missing = [name for name in (needed, "token_url", "scopes") if not getattr(self, name)]
        if missing:
            raise ValueError(f'provider = "other" with {self.grant} also needs {", ".join(missing)}')
