"""The webhooks of mail providers. Each has a table only if it is used."""

import base64
import binascii
import re
from pathlib import Path

from pydantic import Field, field_validator

from locales.phrase import gettext_noop
from mailer.settings.section import Section

TOPIC_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):sns:(?P<region>[a-z0-9-]{1,32}):[0-9]{12}:[A-Za-z0-9_.-]{1,256}"
)
"""The name of a topic of Amazon SNS."""


class SesWebhookSettings(Section):
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


class SendGridWebhookSettings(Section):
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


class SecretWebhookSettings(Section):
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


class WebhooksSettings(Section):
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
        """The names of the webhooks that are used."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)

    def list_secret_files(self) -> dict[str, Path]:
        """The files of their secrets, by name."""
        tables = ((name, getattr(self, name)) for name in self.list_names())
        return {name: table.secret_file for name, table in tables if isinstance(table, SecretWebhookSettings)}
