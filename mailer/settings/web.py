"""The web pages for readers."""

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from locales.phrase import gettext_noop
from mailer.network import parse_listen_address, parse_network
from mailer.settings.section import Section

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine, which need neither TLS nor https."""
_CONTACT = re.compile(r"https://[^\s\"<>]+|[^\s@<>\":/]+@[^\s@<>\":/]+")


class WebSettings(Section):
    """The web pages for readers."""

    base_url: str = Field(
        default="http://127.0.0.1:8025",
        description="The public address of `mailer serve`, without a slash at the end.",
    )
    robots: Literal["index", "noindex"] = Field(
        default="index", description="Whether search engines may index the archive."
    )
    sign_up: bool | Literal["reviewed"] = Field(
        default=False,
        description='Whether people can sign up themselves, at /subscribe. With `"reviewed"`, whoever has '
        "confirmed waits until a person of the team admits them.",
    )
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

    @field_validator("sign_up", mode="before")
    @classmethod
    def _check_sign_up(cls, value: object) -> object:
        known = {"true": True, "false": False, "reviewed": "reviewed"}
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and (word := value.strip().lower()) in known:
            return known[word]
        raise ValueError(f'sign_up is {value!r}. Write true, false, or "reviewed"')

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
                gettext_noop(
                    "accessibility_contact: %(value)s is neither an email address nor an address "
                    "that begins with https://. Write, for example, access@example.org"
                )
                % {"value": f"{value!r}"}
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
            raise ValueError(
                gettext_noop("base_url must look like https://news.example.org, without a slash at the end")
            )
        return self

    @property
    def reviews_sign_ups(self) -> bool:
        """Whether a person of the team admits those who have signed up."""
        return self.sign_up == "reviewed"

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
