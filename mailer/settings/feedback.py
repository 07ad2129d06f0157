"""The sections about what comes back: the mailbox, and the webhooks of services."""

import base64
import binascii
import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from locales.phrase import gettext_noop
from mailer.network import parse_listen_address
from mailer.settings.oauth import OAuthSettings
from mailer.settings.section import SettingsSection
from mailer.settings.web import LOOPBACK_HOSTS
from subscribers.tokens import MAIL_TOKEN_LENGTH

TOPIC_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):sns:(?P<region>[a-z0-9-]{1,32}):[0-9]{12}:[A-Za-z0-9_.-]{1,256}"
)
"""The name of a topic of Amazon SNS."""
# Lower-case letters alone would do; addresses with quotes or letters outside ASCII would not reach everybody.
_ADDRESS = re.compile(r"([A-Za-z0-9._=-]+)@([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)")
_MAX_LOCAL_PART = 64  # RFC 5321, section 4.5.3.1.1
_MAX_ADDRESS = 254  # RFC 5321, section 4.5.3.1.3: a path of 256 includes its angle brackets


class SesWebhookSettings(SettingsSection):
    """Amazon SES, over SNS, at ``/hooks/ses``. Amazon signs its messages, so there is no secret."""

    topics: tuple[str, ...] = Field(
        min_length=1,
        description="The ARNs of your SNS topics, such as arn:aws:sns:eu-west-1:123456789012:feedback. "
        "Messages of other topics are refused.",
    )

    @field_validator("topics")
    @classmethod
    def _check_topics(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [topic for topic in topics if not TOPIC_ARN.fullmatch(topic)]:
            raise ValueError(
                gettext_noop(
                    "%(value)s is not the ARN of an SNS topic. Write, for example, "
                    "arn:aws:sns:eu-west-1:123456789012:feedback"
                )
                % {"value": f"{wrong[0]!r}"}
            )
        return topics


class SendGridWebhookSettings(SettingsSection):
    """SendGrid, at ``/hooks/sendgrid``. SendGrid signs with a key of its own, so there is no secret."""

    verification_key: str = Field(
        description="The verification key that SendGrid shows on the page of the signed event webhook."
    )

    @field_validator("verification_key")
    @classmethod
    def _check_key(cls, text: str) -> str:
        try:
            key = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        # A public key on the curve P-256 is 91 bytes of DER, which begin with a sequence.
        if len(key) != 91 or key[0] != 0x30:
            raise ValueError(
                gettext_noop(
                    "this is not SendGrid's verification key. Copy it from Settings, Mail Settings, "
                    "Event Webhooks; it begins with MFkw"
                )
            )
        return text


class SecretWebhookSettings(SettingsSection):
    """A webhook whose requests show our secret, or are signed with it."""

    secret_file: Path = Field(
        description="A file with the secret on its first line. It is read for every request."
    )


class PostmarkWebhookSettings(SecretWebhookSettings):
    """Postmark, at ``/hooks/postmark``. The secret is one of your own."""


class MailgunWebhookSettings(SecretWebhookSettings):
    """Mailgun, at ``/hooks/mailgun``. The secret is Mailgun's HTTP webhook signing key."""


class BrevoWebhookSettings(SecretWebhookSettings):
    """Brevo, at ``/hooks/brevo``. The secret is one of your own."""


class MailjetWebhookSettings(SecretWebhookSettings):
    """Mailjet, at ``/hooks/mailjet``. The secret is one of your own."""


class GenericWebhookSettings(SecretWebhookSettings):
    """Any other tool, at ``/hooks/generic``. The secret is the key that both sign with, in base64."""


class WebhooksSettings(SettingsSection):
    """The webhooks of mail providers, at ``/hooks/NAME``. See [webhooks](webhooks.md)."""

    ses: SesWebhookSettings | None = Field(default=None, description="Amazon SES, over SNS.")
    sendgrid: SendGridWebhookSettings | None = Field(default=None, description="SendGrid.")
    postmark: PostmarkWebhookSettings | None = Field(default=None, description="Postmark.")
    mailgun: MailgunWebhookSettings | None = Field(default=None, description="Mailgun.")
    brevo: BrevoWebhookSettings | None = Field(default=None, description="Brevo.")
    mailjet: MailjetWebhookSettings | None = Field(default=None, description="Mailjet.")
    generic: GenericWebhookSettings | None = Field(
        default=None, description="Any other tool, signed as Standard Webhooks describes."
    )

    def list_names(self) -> tuple[str, ...]:
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)

    def list_secret_files(self) -> dict[str, Path]:
        tables = ((name, getattr(self, name)) for name in self.list_names())
        return {name: table.secret_file for name, table in tables if isinstance(table, SecretWebhookSettings)}


class FeedbackSettings(SettingsSection):
    """What comes back: bounces, complaints, automatic replies, replies, and leaving by mail."""

    bounce_address: str = Field(
        default="",
        description=gettext_noop(
            "The address that bounces come back to, such as bounce@news.example.org. Each "
            "message has its own: a token of 50 characters stands before the @. By default, "
            "none: bounces go to `[sender] bounces_to`, and nobody reads whose they are."
        ),
    )
    leave_address: str = Field(
        default="",
        description=gettext_noop(
            "The address at which a mail unsubscribes its reader, such as "
            "leave@news.example.org; made like bounce_address. By default, none: mail "
            "programs only offer the web page."
        ),
    )
    complaint_address: str = Field(
        default="",
        description=gettext_noop(
            "The address to which any mail provider may report that a reader called a "
            "message spam (RFC 9477), such as complaints@news.example.org. It must arrive in "
            "the mailbox that is read here, and its domain must be the sender's, or below "
            "it. By default, none: only providers where you have registered report."
        ),
    )
    delimiter: Literal["+", "-", "=", "_", "."] = Field(
        default="+",
        description=gettext_noop(
            "What stands between the address and the token: the one for which your mail "
            "server delivers to the address before it."
        ),
    )
    imap: str = Field(
        default="",
        description=gettext_noop(
            "The mailbox where it arrives, such as imaps://user@mail.example.org/INBOX. "
            "imap:// without TLS is only for this machine."
        ),
    )
    password_file: Path | None = Field(
        default=None, description="A file with the mailbox's password on its first line."
    )
    token_file: Path | None = Field(
        default=None,
        description=gettext_noop("A file with an OAuth token on its first line, read at every login."),
    )
    oauth: OAuthSettings | None = Field(
        default=None, description="Signing in to the mailbox without a password; `mailer login feedback`."
    )
    maildir: Path | None = Field(
        default=None,
        description=gettext_noop("A Maildir on this machine where it arrives, instead of a mailbox."),
    )
    lmtp: str = Field(
        default="",
        description=gettext_noop(
            "Where `mailer serve` and `mailer work` accept it by LMTP from your mail server: "
            "127.0.0.1:2424, or the path of a Unix socket. By default, nowhere."
        ),
    )
    quarantine_folder: str = Field(
        default="Quarantine",
        min_length=1,
        description=gettext_noop("The folder of the mailbox to which messages go that are not understood."),
    )
    processed_folder: str = Field(
        default="Processed",
        description=gettext_noop(
            "The folder of the mailbox to which messages go that were understood and "
            "recorded. If empty, they are deleted."
        ),
    )
    shared_mailbox: bool = Field(
        default=False,
        description=gettext_noop(
            "Whether people use this mailbox, too. Then only what is about the newsletter is "
            "recorded and moved: bounces, complaints, automatic replies and mails to "
            "leave_address. Replies are not forwarded, since whoever reads them is there. "
            "Always so for the mailbox that replies go to."
        ),
    )
    successors: bool = Field(
        default=False,
        description=gettext_noop(
            "Whether automatic replies are asked for, and read for a person who followed a "
            "reader; `mailer feedback successors` proposes them."
        ),
    )
    soft_bounces: int = Field(
        default=5,
        ge=1,
        description=gettext_noop("How many bounces of a full or suspended mailbox stop the mail to it."),
    )
    soft_bounce_days: int = Field(
        default=30,
        ge=1,
        description=gettext_noop(
            "Over at least how many days, from the first of them to the last, they came back."
        ),
    )
    webhooks: WebhooksSettings = Field(
        default=WebhooksSettings(), description="The webhooks of mail providers, a table for each."
    )

    @field_validator("imap")
    @classmethod
    def _check_imap(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username):
            raise ValueError(
                gettext_noop(
                    "%(value)s is not a mailbox. Write, for example, imaps://user@mail.example.org/INBOX"
                )
                % {"value": f"{value!r}"}
            )
        if parts.password is not None:
            raise ValueError(
                gettext_noop(
                    "a password must not stand in the address. Put it into a file, and name that in "
                    "password_file"
                )
            )
        if parts.scheme == "imap" and parts.hostname not in LOOPBACK_HOSTS:
            raise ValueError(
                gettext_noop("%(value)s would be read without TLS. Write imaps://") % {"value": f"{value!r}"}
            )
        return value

    @field_validator("lmtp")
    @classmethod
    def _check_lmtp(cls, value: str) -> str:
        if value:
            parse_listen_address(value)
        return value

    @model_validator(mode="after")
    def _check_addresses(self) -> Self:
        for key, address in (("bounce_address", self.bounce_address), ("leave_address", self.leave_address)):
            if address:
                _check_address(key, address, self.delimiter)
        if self.complaint_address and not _ADDRESS.fullmatch(self.complaint_address):
            raise ValueError(
                gettext_noop(
                    "complaint_address: %(address)s is not a plain address. Write, for "
                    "example, complaints@news.example.org"
                )
                % {"address": f"{self.complaint_address!r}"}
            )
        if self.complaint_address and self.complaint_address.casefold() == self.leave_address.casefold():
            raise ValueError(
                gettext_noop(
                    "complaint_address and leave_address are the same. Give each its own, so that no "
                    "report is taken for a wish to leave"
                )
            )
        if self.bounce_address and self.bounce_address.casefold() == self.leave_address.casefold():
            raise ValueError(
                gettext_noop(
                    "bounce_address and leave_address are the same. Give each its own, so that no "
                    "bounce is taken for a wish to leave"
                )
            )
        return self


def _check_address(key: str, address: str, delimiter: str) -> None:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise ValueError(
            gettext_noop(
                "%(key)s: %(address)s is not a plain address. Write, for example, bounce@news.example.org"
            )
            % {"key": key, "address": f"{address!r}"}
        )
    room = _MAX_LOCAL_PART - MAIL_TOKEN_LENGTH - len(delimiter)
    if len(match[1]) > room:
        raise ValueError(
            gettext_noop(
                "%(key)s: %(address)s is too long, because a token of %(token)s "
                "characters follows it and mail servers take %(most)s before the @. "
                "Choose at most %(room)s characters, such as %(value)s"
            )
            % {
                "key": key,
                "address": f"{match[1]!r}",
                "token": MAIL_TOKEN_LENGTH,
                "most": _MAX_LOCAL_PART,
                "room": room,
                "value": "bounce" if key == "bounce_address" else "leave",
            }
        )
    if len(address) + len(delimiter) + MAIL_TOKEN_LENGTH > _MAX_ADDRESS:
        raise ValueError(
            gettext_noop("%(key)s: %(address)s is too long. Choose a shorter domain")
            % {"key": key, "address": f"{address!r}"}
        )
