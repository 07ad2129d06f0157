"""Asking for an approval: freezing what is asked for, and saying who is asked in which step."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select
from sqlmodel import col

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.approvals.approval import ApprovalRefusedError, find_approval
from mailer.campaigns.approvals.changes import SendingOptions
from mailer.campaigns.approvals.facts import gather_facts
from mailer.campaigns.approvals.round import Round
from mailer.campaigns.approvals.rounds import end_round, find_open_round, find_own_steps, find_round
from mailer.campaigns.approvals.settings_hashes import hash_settings
from mailer.campaigns.approvals.step_choice import (
    ANYBODY,
    WantedStep,
    choose_steps,
    describe_steps,
    store_steps,
)
from mailer.campaigns.approvals.steps import dump_steps
from mailer.campaigns.draft import write_draft
from mailer.campaigns.plan import Plan
from mailer.campaigns.preparation.preparation_store import reopen_campaign
from mailer.campaigns.unfinished_campaign import UnfinishedCampaign, find_unfinished_campaign
from mailer.database.approval_models import (
    ApprovalContent,
    ApprovalRound,
    RoundState,
)
from mailer.database.models import Campaign, CampaignState
from mailer.workspace import Workspace

MAX_NOTE_LENGTH = 4000


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks. ``name`` is "" where a command approves without being asked."""

    name: str = ""
    member_id: int | None = None


def ask_for_approval(
    connection: Connection,
    workspace: Workspace,
    plan: Plan,
    *,
    asker: Asker,
    steps: Sequence[WantedStep] | None = None,
    note: str = "",
    campaign_id: int | None = None,
    now: datetime,
) -> Round:
    """Ask for the approval of exactly this ``plan``, and freeze it. ``steps`` are those of the settings if
    None. ``campaign_id`` is the campaign that is prepared; one that was approved, and has changed since, is a
    draft again. The caller holds the edition's launch lock, and commits.

    Asking again for what is waited for already gives that round. An older round of the edition and segment
    is replaced.

    Raises:
        ApprovalRefusedError: it is approved already, or being sent.
        ConfigurationError: the steps of the settings ask somebody who does not belong to the team.
        LaunchRefusedError: an earlier version is on its way to this segment.
        AlreadyPreparedError: another campaign of the edition is being prepared.
    """
    unfinished = find_unfinished_campaign(connection, plan)
    if unfinished is not None:
        refuse_unscheduled(unfinished, plan)
    waiting = CampaignState.approved if unfinished is None else CampaignState.scheduled
    held = find_approval(connection, workspace, plan, states=[waiting])
    if held is not None and held.holds:
        raise ApprovalRefusedError(
            gettext_noop("%(edition)s is approved as it is: %(held)s. There is nothing to ask for.")
            % {"edition": plan.edition, "held": held}
        )
    wanted = choose_steps(connection, workspace.settings, plan) if steps is None else tuple(steps)
    former = find_open_round(connection, plan.edition, plan.segment.text)
    if former is not None:
        if asks_for(former, plan, workspace) and describe_steps(connection, former) == wanted:
            return former
        end_round(connection, former.id, RoundState.replaced, now)
    if campaign_id is not None and _is_approved(connection, campaign_id):
        reopen_campaign(connection, campaign_id, now)
    number = find_or_write_campaign(connection, plan, unfinished, now)
    return open_round(
        connection,
        workspace,
        plan,
        number,
        asker=asker,
        steps=wanted,
        is_own=steps is not None or find_own_steps(connection, plan.edition, plan.segment.text) is not None,
        note=note,
        now=now,
    )


def find_or_write_campaign(
    connection: Connection, plan: Plan, unfinished: UnfinishedCampaign | None, now: datetime
) -> int:
    """The campaign that an approval of ``plan`` is for: the one that is scheduled or was approved with this
    content, even if settings have changed since, or else the edition's draft; its number."""
    if unfinished is not None:
        return unfinished.id
    same = select(func.max(col(Campaign.id))).where(
        col(Campaign.state) == CampaignState.approved, col(Campaign.digest) == plan.digest
    )
    return connection.scalar(same) or write_draft(connection, plan, now)


def refuse_unscheduled(found: UnfinishedCampaign, plan: Plan) -> None:
    """Refuse to approve a campaign that is being sent, or was scheduled with a different --again.

    Raises:
        ApprovalRefusedError: it is, or it was.
    """
    if found.state is not CampaignState.scheduled:
        raise ApprovalRefusedError(
            Phrase(
                gettext_noop(
                    "Campaign %(number)s is already sending this to this segment. To see its progress: "
                    "`mailer campaigns show %(number)s`."
                ),
                number=found.id,
            )
        )
    if found.again != plan.again:
        raise ApprovalRefusedError(
            Phrase(
                gettext_noop("Campaign %(number)s was scheduled with --again. Approve it with --again too.")
                if found.again
                else gettext_noop(
                    "Campaign %(number)s was scheduled without --again. Approve it without --again too."
                ),
                number=found.id,
            )
        )


def open_round(
    connection: Connection,
    workspace: Workspace,
    plan: Plan,
    campaign_id: int,
    *,
    asker: Asker,
    steps: Sequence[WantedStep],
    is_own: bool = False,
    note: str = "",
    now: datetime,
) -> Round:
    """Write a round of ``plan`` with its content. The caller holds the launch lock, and commits."""
    values = {
        "campaign_id": campaign_id,
        "edition": plan.edition,
        "segment": plan.segment.text,
        "again": plan.again,
        "counts_clicks": plan.counts_clicks,
        "digest": plan.digest,
        "settings": json.dumps(hash_settings(workspace)),
        "steps": dump_steps(ANYBODY),
        "has_own_steps": is_own,
        "facts": gather_facts(plan).to_json(),
        "note": note.strip()[:MAX_NOTE_LENGTH],
        "state": RoundState.open,
        "asked_by": asker.name,
        "member_id": asker.member_id,
        "asked_at": now,
    }
    (number,) = connection.execute(insert(ApprovalRound).values(values)).inserted_primary_key or (0,)
    contents = [
        {"round_id": number, "language": mail.language, "body": zlib.compress(mail.to_bytes())}
        for mail in plan.compiled
    ]
    connection.execute(insert(ApprovalContent), contents)
    if steps:
        store_steps(connection, int(number), steps)
    return _require_round(connection, int(number))


def withdraw_round(connection: Connection, asked: Round, *, now: datetime) -> bool:
    """Take a request back; return False if it had ended. The caller commits."""
    return end_round(connection, asked.id, RoundState.withdrawn, now)


def asks_for(asked: Round, plan: Plan, workspace: Workspace) -> bool:
    """Whether a round asks for exactly ``plan``, under the settings as they are."""
    options = SendingOptions(segment=plan.segment.text, again=plan.again, counts_clicks=plan.counts_clicks)
    same = (asked.digest, asked.options) == (plan.digest, options)
    return same and dict(asked.settings) == hash_settings(workspace)


def _is_approved(connection: Connection, campaign_id: int) -> bool:
    state = connection.scalar(select(col(Campaign.state)).where(col(Campaign.id) == campaign_id))
    return state is CampaignState.approved


def _require_round(connection: Connection, round_id: int) -> Round:
    found = find_round(connection, round_id)
    assert found is not None  # noqa: S101 - it was written a line above
    return found
