"""The sections about pages: the public ones, Studio, and what is kept of people."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator, model_validator

from locales.phrase import gettext_noop
from mailer.network import parse_listen_address, parse_network
from mailer.settings.section import SettingsSection, SingleLineText, setting

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine, which need neither TLS nor https."""
_CONTACT = re.compile(r"https://[^\s\"<>]+|[^\s@<>\":/]+@[^\s@<>\":/]+")


class WebSettings(SettingsSection):
    """The web pages for readers."""

    base_url: str = setting(
        gettext_noop("Public address"),
        gettext_noop(
            "Such as https://news.example.org. Links in mails that were sent before lead to the old one."
        ),
        default="http://127.0.0.1:8025",
        description="The public address of `mailer serve`, without a slash at the end.",
    )
    robots: Literal["index", "noindex"] = setting(
        gettext_noop("Search engines"),
        choices={
            "index": gettext_noop("may list the archive"),
            "noindex": gettext_noop("are asked to stay away"),
        },
        default="index",
        description="Whether search engines may index the archive.",
    )
    sign_up: bool | Literal["reviewed"] = setting(
        gettext_noop("Signing up on the website"),
        choices={
            "false": gettext_noop("nobody can"),
            "true": gettext_noop("everybody who confirms it by mail"),
            "reviewed": gettext_noop("everybody, once somebody of the team has admitted them"),
        },
        default=False,
        description='Whether people can sign up themselves, at /subscribe. With `"reviewed"`, whoever has '
        "confirmed waits until a person of the team admits them.",
    )
    accessibility_contact: str = setting(
        gettext_noop("Where barriers are reported"),
        gettext_noop("An email address, or the https address of a form."),
        default="",
        description="Where readers report a barrier: an email address, or the https address of a form. "
        "Shown on /accessibility. By default, the address that answers to the newsletter go to.",
    )
    trusted_proxies: tuple[str, ...] = setting(
        gettext_noop("Our own proxies"),
        gettext_noop("An address or a network on each line."),
        default=("127.0.0.1", "::1"),
        description="Addresses and networks of your own reverse proxies. Only what they write in "
        "X-Forwarded-For is believed to be the visitor's address. By default, a proxy on the same machine.",
    )
    metrics: str = setting(
        gettext_noop("Metrics for Prometheus"),
        gettext_noop("Such as 127.0.0.1:9464. Leave it empty for none. The server has to be started again."),
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
        return self.sign_up == "reviewed"

    @property
    def is_loopback(self) -> bool:
        return urlsplit(self.base_url).hostname in LOOPBACK_HOSTS

    @property
    def supports_one_click(self) -> bool:
        """Whether one-click unsubscribe may use this address: RFC 8058 requires HTTPS; tests use loopback."""
        return self.is_loopback or urlsplit(self.base_url).scheme == "https"


class OpenIdSettings(SettingsSection):
    """Signing in to Studio at the organisation, by OpenID Connect. See docs/studio.md."""

    issuer: str = setting(
        gettext_noop("Sign-in at the organisation: its provider"),
        gettext_noop(
            "Such as https://login.microsoftonline.com/TENANT/v2.0. Leave all of these empty for none."
        ),
        description="The address of the provider, as it calls itself: "
        "https://login.microsoftonline.com/TENANT/v2.0, https://accounts.google.com.",
    )
    client_id: str = setting(
        gettext_noop("ID of the application there"),
        gettext_noop("As it was registered at the provider."),
        min_length=1,
        description="The ID of the application that you have registered at the provider.",
    )
    client_secret_file: Path | None = Field(
        default=None, description="A file with the application's secret on its first line."
    )
    name: SingleLineText = setting(
        gettext_noop("What the button calls it"),
        default="",
        max_length=60,
        description="What the button calls it. By default, the organisation.",
    )
    domains: tuple[str, ...] = setting(
        gettext_noop("Only addresses of these domains"),
        gettext_noop("A domain on each line."),
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


class StudioSettings(SettingsSection):
    """Studio, the team's own pages in the browser."""

    enabled: bool = setting(
        gettext_noop("The server for partners answers these pages, too"),
        gettext_noop("Under /studio of the public address. Without it, only this machine has them."),
        default=False,
        description="Whether `mailer serve` answers the team's pages too, under /studio of the public "
        "address. `mailer studio` starts them on this machine whatever it says.",
    )
    session_days: int = setting(
        gettext_noop("Days without a visit until one has to sign in again"),
        default=14,
        ge=1,
        le=90,
        description="After how many days without a visit people have to sign in again.",
    )
    time_zone: Annotated[str, AfterValidator(_check_zone)] = setting(
        gettext_noop("Time zone of the team"),
        gettext_noop("In which you plan campaigns, such as Asia/Shanghai."),
        default="",
        description="The time zone in which the team plans campaigns, such as Asia/Shanghai. By default, "
        'that of "*" in `[time_zones]`, or else UTC.',
    )
    oidc: OpenIdSettings | None = Field(
        default=None, description="Signing in at the organisation, beside a link, a password or a passkey."
    )


class LawSettings(SettingsSection):
    """Legal requirements by the reader's country; see consent.md. This is not legal advice."""

    opt_in: tuple[str, ...] = setting(
        gettext_noop("Countries where consent must be on record"),
        gettext_noop("The code of a country on each line, such as JP."),
        default=("JP",),
        description="Country codes. Readers in these countries only get mail if their consent is on record.",
    )

    @field_validator("opt_in")
    @classmethod
    def _check_codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [code for code in codes if not re.fullmatch("[A-Z]{2}", code)]:
            raise ValueError(
                gettext_noop("%(value)s is not a country code. Use two capital letters, such as JP")
                % {"value": f"{wrong[0]!r}"}
            )
        return codes


class ConsentSettings(SettingsSection):
    """The evidence kept of a reader's choice."""

    origin: Literal["hashed", "plain", "nothing"] = setting(
        gettext_noop("The network address that a choice came from"),
        choices={
            "hashed": gettext_noop("is kept as a keyed hash"),
            "plain": gettext_noop("is kept as it is"),
            "nothing": gettext_noop("is not kept"),
        },
        default="hashed",
        description="How to store the IP address a choice came from: as a keyed hash, in plain text, or "
        "not at all.",
    )


class RetentionSettings(SettingsSection):
    """How long personal data is kept. `mailer subscribers prune` deletes it; single clicks
    go by themselves. None means for ever."""

    pending_days: int | None = setting(
        gettext_noop("Sign-ups that nobody confirmed, in days"),
        default=30,
        ge=3,
        description="Delete an unconfirmed sign-up after this many days.",
    )
    gone_months: int | None = setting(
        gettext_noop("People who have left, in months"),
        gettext_noop("They are erased, but for a hash that keeps them from being added again. Empty: never."),
        default=None,
        ge=1,
        description="Erase people who unsubscribed, bounced or complained after this many months, except "
        "for a hash.",
    )
    reply_months: int | None = setting(
        gettext_noop("Mail servers’ replies, in months"),
        gettext_noop("What became of each mail stays. Empty: never."),
        default=None,
        ge=1,
        description="Delete the mail servers' replies after this many months; the state of each delivery "
        "stays.",
    )
    test_months: int | None = setting(
        gettext_noop("Addresses that tests were sent to, in months"),
        default=12,
        ge=1,
        description="Delete the addresses that tests were sent to after this many months; that the content "
        "was tested stays.",
    )
    reviewer_months: int | None = setting(
        gettext_noop("Addresses of reviewers outside the team, in months"),
        gettext_noop("Their names and answers stay. Empty: never."),
        default=12,
        ge=1,
        description="Delete the addresses of outside reviewers this many months after the approval ended; "
        "their names and answers stay with it.",
    )
    feedback_months: int | None = setting(
        gettext_noop("Bounces, complaints and replies, in months"),
        gettext_noop("What became of each partner stays. Empty: never."),
        default=None,
        ge=1,
        description="Delete the bounces, complaints and replies that came back after this many months; what "
        "became of each subscriber stays.",
    )
    fake_months: int | None = setting(
        gettext_noop("Fakes that people have submitted, in months"),
        gettext_noop("From the last time that one was submitted."),
        default=12,
        ge=1,
        description="Delete mails that claimed to be yours and were not after this many months since anybody "
        "last submitted them at /verify.",
    )
    comment_months: int | None = setting(
        gettext_noop("Resolved comments, in months"),
        gettext_noop("Open ones stay. Empty: never."),
        default=None,
        ge=1,
        description="Delete comments of Studio this many months after they were resolved; open ones stay.",
    )
    click_hours: int = setting(
        gettext_noop("Single clicks, in hours"),
        gettext_noop("How many followed each link stays."),
        default=36,
        ge=25,
        le=720,
        description="Delete the single clicks on links after this many hours, whatever else is set; how many "
        "people followed each link stays. With fewer than 25, one person could count twice in a day.",
    )
