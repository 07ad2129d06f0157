"""Who the mail is from."""

import re

from pydantic import Field, field_validator

from locales.phrase import gettext_noop
from mailer.settings.section import Section, SingleLineText


class SenderSettings(Section):
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
            raise ValueError(
                gettext_noop("%(tag)s is not a language code. Use, for example, fr, mn or zh-Hans")
                % {"tag": f"{tag!r}"}
            )
        return tag

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]
