"""How campaigns are sent."""

from email.utils import parseaddr
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from locales.phrase import gettext_noop
from mailer.settings.section import SettingsSection, SingleLineText, setting

MAX_APPROVAL_STEPS = 5
"""More steps than that are an organisation chart."""


class ApprovalStepSettings(SettingsSection):
    """One step of an approval: who is asked, and how many of them have to approve."""

    name: SingleLineText = setting(
        gettext_noop("What it is about"),
        gettext_noop("Such as Facts, or The ministry."),
        default="",
        max_length=100,
        description='What the step is about, such as "Facts"; shown to people.',
    )
    needs: Literal["any", "all"] = setting(
        gettext_noop("Who has to approve"),
        choices={"any": gettext_noop("Any one of them"), "all": gettext_noop("All of them")},
        default="any",
        description="Whether any one of those who are asked is enough, or all have to approve.",
    )
    members: tuple[str, ...] = setting(
        gettext_noop("Members of the team"),
        gettext_noop("An email address on each line."),
        default=(),
        description="The addresses of members of the team who are asked.",
    )
    roles: tuple[Literal["author", "approver", "manager"], ...] = setting(
        gettext_noop("Or anybody with this role"),
        gettext_noop("One of them answers for it."),
        choices={
            "author": gettext_noop("Author"),
            "approver": gettext_noop("Approver"),
            "manager": gettext_noop("Manager"),
        },
        default=(),
        description="Roles of the team: one member with the role, or a higher one, answers for it.",
    )
    reviewers: tuple[SingleLineText, ...] = setting(
        gettext_noop("People outside the team"),
        gettext_noop(
            "One on each line, such as Ana Diaz &lt;ana@ministry.example&gt;. They get a link by mail."
        ),
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

    approval: Literal["required", "optional"] = setting(
        gettext_noop("Approval"),
        choices={
            "required": gettext_noop("Nothing is sent that nobody has approved"),
            "optional": gettext_noop("A campaign may be sent without it"),
        },
        default="optional",
        description="Whether a campaign must be approved before it is launched.",
    )
    approval_by: Literal["anybody", "another"] = setting(
        gettext_noop("Who may approve"),
        choices={
            "anybody": gettext_noop("Every approver"),
            "another": gettext_noop("An approver who has neither written nor prepared it"),
        },
        default="anybody",
        description="Who may approve an edition: anybody, or another person than its authors and its sender.",
    )
    launch_by: Literal["one", "two"] = setting(
        gettext_noop("Who launches"),
        choices={
            "one": gettext_noop("One person"),
            "two": gettext_noop("Two people: the second confirms the same number"),
        },
        default="one",
        description="How many people launch a campaign: one, or two, of whom the second confirms it in "
        "Studio within an hour.",
    )
    approval_steps: tuple[ApprovalStepSettings, ...] = Field(
        default=(),
        max_length=MAX_APPROVAL_STEPS,
        description="The steps of an approval, in their order. By default one: anybody who may approve.",
    )
    test_readers: tuple[str, ...] = setting(
        gettext_noop("Test readers"),
        gettext_noop("An email address on each line."),
        default=(),
        description="The addresses that `mailer send EDITION --test` sends to if it names none.",
    )
    require_test: bool = setting(
        gettext_noop("Exactly this content must have been tested before"),
        default=False,
        description="Whether exactly the content of a campaign must have been tested before it is launched.",
    )
    in_doubt: Literal["hold", "resend"] = setting(
        gettext_noop("Deliveries in doubt, when a campaign goes on"),
        choices={
            "hold": gettext_noop("wait until a person decides"),
            "resend": gettext_noop("are sent again; some will get the mail twice"),
        },
        default="hold",
        description="What resuming a campaign does with deliveries in doubt: hold leaves them for a person "
        "to decide, resend sends them again.",
    )
    rate: float | None = setting(
        gettext_noop("Messages per second"),
        gettext_noop("At most, over all relays. Leave it empty for no limit."),
        default=None,
        gt=0,
        description="At most this many messages per second over all connections. By default, no limit.",
    )
    retry_for_hours: float = setting(
        gettext_noop("Hours to keep trying"),
        gettext_noop("For messages that a server puts off."),
        default=72,
        gt=0,
        description="For how many hours a deferred message is tried again.",
    )
    canary: int | None = setting(
        gettext_noop("Partners who get it first"),
        gettext_noop("The others follow when these were sent. Leave it empty to send to all at once."),
        default=None,
        ge=1,
        description="Send to this many readers first. By default, to all at the same time.",
    )
    canary_minutes: float | None = setting(
        gettext_noop("Minutes to wait after them"),
        gettext_noop("Leave it empty to wait until a person lets the campaign go on."),
        default=None,
        gt=0,
        description="Minutes to wait after the canary. By default, until a person resumes the campaign.",
    )
    archive: bool = setting(
        gettext_noop("Add editions to the public archive when they are sent"),
        default=False,
        description="Whether editions are added to the public archive when they are sent.",
    )
    count_clicks: bool = setting(
        gettext_noop("Count clicks"),
        gettext_noop("By country and sector, without names."),
        default=False,
        description="Whether clicks on the links of a mail are counted, by country and sector and without "
        "names.",
    )
    report_to: tuple[str, ...] = setting(
        gettext_noop("Who gets the report"),
        gettext_noop("An email address on each line."),
        default=(),
        description="The addresses of the team that the report of each campaign is mailed to, such as "
        '["team@example.org"].',
    )
    report_after_hours: float = setting(
        gettext_noop("Hours from the end of a campaign to its report"),
        default=24,
        ge=0,
        le=720,
        description="How many hours after a campaign has finished its report is mailed to `report_to`.",
    )
    halt_at_rejected: float = setting(
        gettext_noop("Share of dead addresses that pauses a campaign"),
        gettext_noop("Of the first 200; 0.1 is a tenth."),
        default=0.1,
        gt=0,
        le=1,
        description="Pause a campaign when this share of the first 200 addresses does not exist.",
    )
    window: str = setting(
        gettext_noop("Hours"),
        gettext_noop("In the partner’s time zone, such as 08:00-18:00. Leave it empty for any hour."),
        default="",
        pattern=r"^(\d{2}:\d{2}-\d{2}:\d{2})?$",
        description="The hours in which mail is sent, in the reader's time zone, such as 08:00-18:00.",
    )
    window_days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = setting(
        gettext_noop("Days"),
        choices={
            "mon": gettext_noop("Monday"),
            "tue": gettext_noop("Tuesday"),
            "wed": gettext_noop("Wednesday"),
            "thu": gettext_noop("Thursday"),
            "fri": gettext_noop("Friday"),
            "sat": gettext_noop("Saturday"),
            "sun": gettext_noop("Sunday"),
        },
        default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
        description="The days on which mail is sent.",
    )
