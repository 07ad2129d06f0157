"""Whether a campaign can be launched: all that stands in its way, found in one place.

Studio shows these faults before a launch, the command line prints them, and a launch is refused with the
first of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from locales.phrase import Phrase, gettext_noop, join_sentences
from mailer.campaigns.approvals.approval import Approval, find_approval, find_approval_fault
from mailer.campaigns.content_versions import find_test
from mailer.campaigns.launch_faults import (
    LaunchFault,
    LaunchFaultKind,
    LaunchRefusedError,
    describe_empty_audience,
    find_people_fault,
    find_plan_faults,
    find_unfinished_campaign,
    refuse,
)
from mailer.campaigns.plan import Plan
from mailer.campaigns.trial import describe_way_out, find_trial_fault, read_trial
from mailer.database.models import CampaignState
from mailer.settings import Settings
from mailer.settings.campaigns import CampaignSettings
from mailer.workspace import Workspace

_RUNNING = {
    CampaignState.scheduled: gettext_noop("Campaign %(number)s is scheduled."),
    CampaignState.sending: gettext_noop("Campaign %(number)s is sending."),
    CampaignState.paused: gettext_noop("Campaign %(number)s is paused."),
}


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """The faults of a campaign-to-be as it was at ``checked_at`` (aware), what would be sent, and the
    approval that there is. Without a ``plan`` there is at least one fault."""

    checked_at: datetime
    faults: tuple[LaunchFault, ...]
    plan: Plan | None = None
    approval: Approval | None = None

    @property
    def is_ready(self) -> bool:
        return not self.faults

    @property
    def trial_fault(self) -> str:
        """Why it may go to test readers alone; "" if it may go to all."""
        limits = (LaunchFaultKind.trial, LaunchFaultKind.links)
        return next((one.words for one in self.faults if one.kind in limits), "")

    def refuse(self) -> None:
        """Raise LaunchRefusedError with the first fault, but for those that a launch itself looks at: it goes
        on with a campaign that is running, and counts its readers as it writes them down."""
        own = (LaunchFaultKind.running, LaunchFaultKind.audience)
        refuse(one for one in self.faults if one.kind not in own)


def check_readiness(
    connection: Connection,
    workspace: Workspace,
    plan: Plan,
    *,
    launched_by: str,
    confirmed_by: str | None = None,
    now: datetime,
) -> Readiness:
    """Find all that stands in the way of launching ``plan``. ``launched_by`` is the name of the person who
    launches it, and ``confirmed_by`` that of the second one: "" if there is none, None if nobody has been
    asked yet."""
    settings = workspace.settings
    approval = find_approval(connection, workspace, plan, states=[CampaignState.approved])
    faults = (
        *find_plan_faults(settings, plan),
        *([] if plan.audience else [describe_empty_audience(plan)]),
        *_find_running_fault(connection, plan),
        *([] if confirmed_by is None else find_people_fault(settings.campaigns, confirmed_by)),
        *_find_trial_fault(connection, settings, plan, now),
        *_find_approval_fault(connection, settings, plan, approval, launched_by),
        *_find_test_fault(connection, settings.campaigns, plan),
    )
    return Readiness(checked_at=now, faults=faults, plan=plan, approval=approval)


def _find_trial_fault(
    connection: Connection, settings: Settings, plan: Plan, now: datetime
) -> Iterator[LaunchFault]:
    """Yield that a campaign may go to test readers alone, and is for others too."""
    fault = find_trial_fault(
        connection, settings, plan.segment, plan.edition, today=now.date(), again=plan.again
    )
    if fault:
        is_on = read_trial(connection).is_on
        unsent = Phrase("%(edition)s was not sent.", edition=plan.edition)
        yield LaunchFault(
            kind=LaunchFaultKind.trial if is_on else LaunchFaultKind.links,
            words=fault,
            refusal=join_sentences([unsent, fault, describe_way_out(plan.edition)]),
        )


def _find_approval_fault(
    connection: Connection, settings: Settings, plan: Plan, approval: Approval | None, launched_by: str
) -> Iterator[LaunchFault]:
    """Yield that an approval is required and missing, or is that of whoever launches or of an author, where
    another person has to approve."""
    if fault := find_approval_fault(connection, settings, plan, approval, launched_by=launched_by):
        yield LaunchFault(kind=LaunchFaultKind.approval, words=fault, refusal=fault)


def _find_test_fault(connection: Connection, settings: CampaignSettings, plan: Plan) -> Iterator[LaunchFault]:
    """Yield that a test is required and missing. Corrections are not tested."""
    if not settings.require_test or plan.correction is not None:
        return
    if find_test(connection, plan.edition, plan.content_digest) is None:
        yield LaunchFault(
            kind=LaunchFaultKind.test,
            words="[campaigns] require_test asks for a test of exactly this.",
            refusal=Phrase(
                "%(edition)s as it is now was not tested, and must be before it is sent "
                "([campaigns] require_test). Send a test with `mailer send %(edition)s --test "
                "ADDRESS`.",
                edition=plan.edition,
            ),
        )


def _find_running_fault(connection: Connection, plan: Plan) -> Iterator[LaunchFault]:
    try:
        found = find_unfinished_campaign(connection, plan)
    except LaunchRefusedError as error:
        if error.fault is not None:
            yield error.fault
        return
    if found is not None:
        words = Phrase(_RUNNING[found.state], number=found.id)
        yield LaunchFault(kind=LaunchFaultKind.running, words=words, refusal=words, campaign_id=found.id)
