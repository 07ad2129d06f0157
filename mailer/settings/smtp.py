"""The sections about sending: the sender, DKIM and the relays."""

import re
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyAddress, field_validator

from locales.phrase import gettext_noop
from mailer.settings.oauth import OAuthSettings
from mailer.settings.section import SettingsSection, SingleLineText, setting

MAIN_RELAY = "main"
"""The name of the relay that ``[smtp] url`` sets when no others are listed."""


class SenderSettings(SettingsSection):
    """Who the mail is from."""

    name: SingleLineText = setting(
        gettext_noop("Sender’s name"),
        gettext_noop("As partners see it in their inbox."),
        description="The sender's name, as readers see it.",
    )
    address: str = setting(
        gettext_noop("Sender’s address"),
        gettext_noop("The mail comes from it. Such as news@example.org."),
        description="The sender's address, for the From header.",
        pattern=r"^[^@\s<>]+@[^@\s<>]+$",
    )
    organisation: SingleLineText = setting(
        gettext_noop("Organisation"),
        gettext_noop("It stands below each mail."),
        description="The organisation's name, for the footer.",
    )
    postal_address: str = setting(
        gettext_noop("Postal address"),
        gettext_noop("The law of most countries asks for it below each mail."),
        min_length=5,
        description="The organisation's postal address. The law of most countries requires it.",
    )
    language: str = setting(
        gettext_noop("Language of these names"),
        gettext_noop("A tag such as en, zh-Hans, mn, ja, ko or fr, for programs that read aloud."),
        default="",
        description="The language of the name, organisation and postal address, for screen readers. By "
        "default English on the web pages, and the edition's language in its mails.",
    )
    reply_to: str = setting(
        gettext_noop("Address for replies"),
        gettext_noop("Leave it empty for the sender’s address."),
        default="",
        description="The address for replies, if not the sender's.",
    )
    bounces_to: str = setting(
        gettext_noop("Address for bounces"),
        gettext_noop("Leave it empty for the sender’s address."),
        default="",
        description="The envelope sender, to which bounces go, if not the sender's address.",
    )
    list_id: str = setting(
        gettext_noop("Name of the list"),
        gettext_noop("Mail programs sort by it. Such as newsletter.example.org. Do not change it later."),
        default="",
        description="The List-Id, such as newsletter.example.org.",
    )
    is_sample_body: bool = setting(
        gettext_noop("We are the organisation that the sample shows"),
        gettext_noop("Only then may its name and its postal address stand here."),
        default=False,
        description="Whether you are the organisation that the sample shows. Only then may its name, "
        "organisation and postal address stand here.",
    )

    @field_validator("language")
    @classmethod
    def _check_language(cls, tag: str) -> str:
        if tag and not re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", tag):
            raise ValueError(
                gettext_noop("%(tag)s is not a language code. Use, for example, fr, mn or zh-Hans")
                % {"tag": f"{tag!r}"}
            )
        return tag

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class DkimSettings(SettingsSection):
    """DKIM signatures, for a relay that does not sign (RFC 6376, RFC 8463). Off without a key."""

    domain: str = Field(
        default="",
        description=gettext_noop("The signing domain. If empty, the domain of the sender's address."),
    )
    selector: str = Field(
        default="",
        description=gettext_noop(
            "The selector of the RSA key. Without a key, that of a relay which signs: "
            "`mailer doctor` looks for its key."
        ),
    )
    key_file: Path | None = Field(default=None, description=gettext_noop("The RSA key, PEM, 2048 bits."))
    ed25519_selector: str = Field(default="", description=gettext_noop("The selector of the Ed25519 key."))
    ed25519_key_file: Path | None = Field(
        default=None, description=gettext_noop("The Ed25519 key, PEM, for a second signature.")
    )


class WarmUpSettings(SettingsSection):
    """Warming up a new relay or IP address: few messages on the first day, more every day after it."""

    since: date = Field(description="The first day, in UTC.")
    first_day: int = Field(default=200, ge=1, description="The number of messages on the first day.")
    growth: float = Field(default=1.5, ge=1, description="The factor by which the number grows each day.")


class RelaySettings(SettingsSection):
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
    oauth: OAuthSettings | None = Field(
        default=None, description="Signing in to this relay without a password."
    )
    auth: Literal["auto", "plain", "login", "xoauth2", "oauthbearer"] | None = Field(
        default=None, description="The login mechanism."
    )
    starttls: Literal["require", "if-offered", "never"] | None = Field(
        default=None, description="Whether an smtp:// connection must, may or must not switch to TLS."
    )
    priority: int = setting(
        gettext_noop("Priority"),
        gettext_noop("Relays with the lowest number are used first."),
        default=1,
        ge=0,
        description="Relays with the lowest number are used first; the others only while none of those "
        "works.",
    )
    weight: int = setting(
        gettext_noop("Weight"),
        gettext_noop("Its share of the mail among relays of its priority."),
        default=1,
        ge=1,
        description="This relay's share of the mail among relays of its priority.",
    )
    sending_addresses: tuple[IPvAnyAddress, ...] | None = Field(
        default=None, description="The IP addresses this relay's mail leaves from, for `mailer doctor`."
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


class SmtpSettings(SettingsSection):
    """The mail relay."""

    url: str = setting(
        gettext_noop("Address"),
        gettext_noop("Such as smtp://user@mail.example.org:587, smtps://host:465 or maildir:outbox."),
        default="smtp://127.0.0.1:25",
        description="smtp://, smtps:// or maildir:PATH. Add a user name to log in, as in smtp://user@host:587.",
    )
    password_file: Path | None = Field(
        default=None, description="A file with the password on its first line."
    )
    token_file: Path | None = Field(
        default=None,
        description="A file with an OAuth token on its first line, read at every login. Another program "
        "renews it.",
    )
    oauth: OAuthSettings | None = Field(
        default=None, description="Signing in without a password; `mailer login` does it."
    )
    auth: Literal["auto", "plain", "login", "xoauth2", "oauthbearer"] = Field(
        default="auto",
        description=gettext_noop("The login mechanism; auto uses the best one the server offers."),
    )
    starttls: Literal["require", "if-offered", "never"] = setting(
        gettext_noop("Encryption"),
        gettext_noop("For addresses that begin with smtp://."),
        choices={
            "require": gettext_noop("must be there"),
            "if-offered": gettext_noop("if the server offers it"),
            "never": gettext_noop("never"),
        },
        default="if-offered",
        description="Whether an smtp:// connection must, may or must not switch to TLS.",
    )
    pipelining: bool = Field(
        default=True,
        description=gettext_noop(
            "Send commands without waiting for each reply, if the server allows it (RFC 2920)."
        ),
    )
    connections: int = Field(
        default=5, ge=1, le=50, description=gettext_noop("The number of connections open at the same time.")
    )
    messages_per_connection: int = setting(
        gettext_noop("Messages until it is connected to anew"),
        default=50,
        ge=1,
        description="Reconnect after this many messages.",
    )
    connection_minutes: float = Field(
        default=5, gt=0, description=gettext_noop("Reconnect after this many minutes.")
    )
    timeout: float = Field(
        default=300,
        gt=0,
        description=gettext_noop(
            "Seconds to wait for most replies (RFC 5321 §4.5.3.2: 5 minutes; 2 for DATA)."
        ),
    )
    final_timeout: float = Field(
        default=600,
        gt=0,
        description=gettext_noop(
            "Seconds to wait for the reply to the final dot (RFC 5321 §4.5.3.2.6: 10 minutes)."
        ),
    )
    rate: float | None = setting(
        gettext_noop("Messages per second"),
        gettext_noop("At most, from all machines together."),
        default=None,
        gt=0,
        description="At most this many messages per second, from all machines together.",
    )
    warm_up: WarmUpSettings | None = Field(
        default=None, description="Daily limits for a new relay that has no reputation yet."
    )
    sending_addresses: tuple[IPvAnyAddress, ...] = setting(
        gettext_noop("IP addresses that its mail leaves from"),
        gettext_noop("One on each line. The checks of the set-up compare them with your SPF record."),
        default=(),
        description="The IP addresses the relay's mail leaves from. `mailer doctor` looks for them in your "
        "SPF record and in the reverse DNS; without them it takes those of the relay's name.",
    )
    relays: tuple[RelaySettings, ...] = Field(
        default=(), description="Several relays, used instead of the one in url."
    )

    @property
    def hosts(self) -> list[str]:
        """The hosts that messages are handed to, "" where an address names none; none for a folder on this
        machine."""
        urls = [urlsplit(relay.url) for relay in self.relays] or [urlsplit(self.url)]
        return [url.hostname or "" for url in urls if url.scheme != "maildir"]
