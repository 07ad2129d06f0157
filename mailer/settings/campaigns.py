"""How campaigns are sent."""

from email.utils import parseaddr
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from locales.phrase import gettext_noop
from mailer.settings.section import SettingsSection, SingleLineText

MAX_APPROVAL_STEPS = 5
"""More steps than that are an organisation chart."""


class ApprovalStepSettings(SettingsSection):
    """One step of an approval: who is asked, and how many of them have to approve."""

    name: SingleLineText = Field(
        default="", max_length=100, description='What the step is about, such as "Facts"; shown to people.'
    )
    needs: Literal["any", "all"] = Field(
        default="any", description="Whether any one of those who are asked is enough, or all have to approve."
    )
    members: tuple[str, ...] = Field(
        default=(), description="The addresses of members of the team who are asked."
    )
    roles: tuple[Literal["author", "approver", "manager"], ...] = Field(
        default=(),
        description="Roles of the team: one member with the role, or a higher one, answers for it.",
    )
    reviewers: tuple[SingleLineText, ...] = Field(
        default=(),
        description="People outside the team who get a link by mail, such as "
        '"Ana Diaz <ana@ministry.example>".',
    )

    @field_validator("members", "reviewers")
    @classmethod
    def _check_addresses(cls, people: tuple[str, ...]) -> tuple[str, ...]:
        for person in people:
            if "@" not in parseaddr(person)[1]:
                raise ValueError(
                    gettext_noop("%(person)s has no address. Write it as ana@example.org")
                    % {"person": f"{person!r}"}
                )
        return people

    @model_validator(mode="after")
    def _check_people(self) -> Self:
        if not (self.members or self.roles or self.reviewers):
            raise ValueError(gettext_noop("a step asks nobody. Give it members, roles or reviewers"))
        return self


class CampaignSettings(SettingsSection):
    """How campaigns are sent."""

    approval: Literal["required", "optional"] = Field(
        default="optional", description="Whether a campaign must be approved before it is launched."
    )
    approval_by: Literal["anybody", "another"] = Field(
        default="anybody",
        description="Who may approve an edition: anybody, or another person than its authors and its sender.",
    )
    launch_by: Literal["one", "two"] = Field(
        default="one",
        description="How many people launch a campaign: one, or two, of whom the second confirms it in "
        "Studio within an hour.",
    )
    approval_steps: tuple[ApprovalStepSettings, ...] = Field(
        default=(),
        max_length=MAX_APPROVAL_STEPS,
        description="The steps of an approval, in their order. By default one: anybody who may approve.",
    )
    test_readers: tuple[str, ...] = Field(
        default=(),
        description="The addresses that `mailer send EDITION --test` sends to if it names none.",
    )
    require_test: bool = Field(
        default=False,
        description="Whether exactly the content of a campaign must have been tested before it is launched.",
    )
    in_doubt: Literal["hold", "resend"] = Field(
        default="hold",
        description="What resuming a campaign does with deliveries in doubt: hold leaves them for a person "
        "to decide, resend sends them again.",
    )
    rate: float | None = Field(
        default=None,
        gt=0,
        description="At most this many messages per second over all connections. By default, no limit.",
    )
    retry_for_hours: float = Field(
        default=72, gt=0, description="For how many hours a deferred message is tried again."
    )
    canary: int | None = Field(
        default=None,
        ge=1,
        description="Send to this many readers first. By default, to all at the same time.",
    )
    canary_minutes: float | None = Field(
        default=None,
        gt=0,
        description="Minutes to wait after the canary. By default, until a person resumes the campaign.",
    )
    archive: bool = Field(
        default=False, description="Whether editions are added to the public archive when they are sent."
    )
    count_clicks: bool = Field(
        default=False,
        description="Whether clicks on the links of a mail are counted, by country and sector and without "
        "names.",
    )
    report_to: tuple[str, ...] = Field(
        default=(),
        description="The addresses of the team that the report of each campaign is mailed to, such as "
        '["team@example.org"].',
    )
    report_after_hours: float = Field(
        default=24,
        ge=0,
        le=720,
        description="How many hours after a campaign has finished its report is mailed to `report_to`.",
    )
    halt_at_rejected: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Pause a campaign when this share of the first 200 addresses does not exist.",
    )
    window: str = Field(
        default="",
        pattern=r"^(\d{2}:\d{2}-\d{2}:\d{2})?$",
        description="The hours in which mail is sent, in the reader's time zone, such as 08:00-18:00.",
    )
    window_days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        description="The days on which mail is sent.",
    )
