"""What the law asks, the evidence of consent, and how long data is kept."""

import re
from typing import Literal

from pydantic import Field, field_validator

from locales.phrase import gettext_noop
from mailer.settings.section import Section


class LawSettings(Section):
    """Legal requirements by the reader's country; see consent.md. This is not legal advice."""

    opt_in: tuple[str, ...] = Field(
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


class ConsentSettings(Section):
    """The evidence kept of a reader's choice."""

    origin: Literal["hashed", "plain", "nothing"] = Field(
        default="hashed",
        description="How to store the IP address a choice came from: as a keyed hash, in plain text, or "
        "not at all.",
    )


class RetentionSettings(Section):
    """How long personal data is kept. `mailer subscribers prune` deletes it; single clicks
    go by themselves. None means for ever."""

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
    reviewer_months: int | None = Field(
        default=12,
        ge=1,
        description="Delete the addresses of outside reviewers this many months after the approval ended; "
        "their names and answers stay with it.",
    )
    feedback_months: int | None = Field(
        default=None,
        ge=1,
        description="Delete the bounces, complaints and replies that came back after this many months; what "
        "became of each subscriber stays.",
    )
    fake_months: int | None = Field(
        default=12,
        ge=1,
        description="Delete mails that claimed to be yours and were not after this many months since anybody "
        "last submitted them at /verify.",
    )
    comment_months: int | None = Field(
        default=None,
        ge=1,
        description="Delete comments of Studio this many months after they were resolved; open ones stay.",
    )
    click_hours: int = Field(
        default=36,
        ge=25,
        le=720,
        description="Delete the single clicks on links after this many hours, whatever else is set; how many "
        "people followed each link stays. With fewer than 25, one person could count twice in a day.",
    )
