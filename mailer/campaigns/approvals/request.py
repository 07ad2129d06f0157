"""Asking for an approval: freezing what is asked for, and storing it once nobody is waited for any more."""

import json
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlmodel import col

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.approvals.approval import Approval, ApprovalRefusedError, find_approval
from mailer.campaigns.approvals.changes import SendingOptions, hash_settings
from mailer.campaigns.approvals.people import (
    ANYBODY,
    WantedStep,
    choose_steps,
    describe_steps,
    store_steps,
)
from mailer.campaigns.approvals.rounds import (
    Round,
    end_round,
    find_open_round,
    find_own_steps,
    gather_facts,
    read_round_content,
    require_round,
)
from mailer.campaigns.approvals.steps import Person, dump_steps
from mailer.campaigns.counted_links import number_links, store_counted_links
from mailer.campaigns.delivery_history import read_segment
from mailer.campaigns.draft import write_draft
from mailer.campaigns.launch_faults import explain_gone, find_unfinished_campaign
from mailer.campaigns.plan import Plan
from mailer.campaigns.preparation.preparation_store import reopen_campaign
from mailer.database.approval_models import (
    ApprovalContent,
    ApprovalRound,
    RoundState,
)
from mailer.database.models import Campaign, CampaignState
from mailer.dispatch.deliveries import change_campaign_state
from mailer.workspace import Workspace

MAX_NOTE_LENGTH = 4000
_MAX_LENGTH = 200


def ask_for_approval(
    connection: Connection,
    workspace: Workspace,
    plan: Plan,
    *,
    asker: Person,
    steps: Sequence[WantedStep] | None = None,
    note: str = "",
    campaign_id: int | None = None,
    now: datetime,
) -> Round:
    """Ask for the approval of exactly this ``plan``, and freeze it. ``steps`` are those of the settings if
    None. ``campaign_id`` is the campaign that is prepared; one that was approved, and has changed since, is a
    draft again. The caller holds the edition's launch lock, and commits.

    Asking again for what is waited for already gives that round. An older round of the edition and segment
    is replaced. Raise ApprovalRefusedError if it is approved already or being sent, ConfigurationError if a
    step of the settings names a member the team does not have, LaunchRefusedError if an earlier
    version is on its way to this segment, and AlreadyPreparedError if another campaign is being prepared.
    """
    unfinished = find_unfinished_campaign(connection, plan)
    if unfinished is not None:
        refuse_unscheduled(unfinished, plan)
    waiting = CampaignState.approved if unfinished is None else CampaignState.scheduled
    held = find_approval(connection, workspace, plan, states=[waiting])
    if held is not None and held.holds:
        raise ApprovalRefusedError(
            gettext_noop("%(edition)s is approved as it is: %(held)s. There is nothing to ask for."),
            edition=plan.edition,
            held=held,
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
    connection: Connection, plan: Plan, unfinished: Row[Any] | None, now: datetime
) -> int:
    """Return the campaign that an approval of ``plan`` is for: the one that is scheduled or was approved with
    this content, even if settings have changed since, or else the edition's draft; its number."""
    if unfinished is not None:
        return int(unfinished.id)
    same = select(func.max(col(Campaign.id))).where(
        col(Campaign.state) == CampaignState.approved, col(Campaign.digest) == plan.digest
    )
    return connection.scalar(same) or write_draft(connection, plan, now)


def refuse_unscheduled(found: Row[Any], plan: Plan) -> None:
    """Raise ApprovalRefusedError if a campaign is being sent, or was scheduled with a different --again."""
    if found.state is not CampaignState.scheduled:
        raise ApprovalRefusedError(
            Phrase(
                "Campaign %(number)s is already sending this to this segment. To see its progress: "
                "`mailer campaigns show %(number)s`.",
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
    asker: Person | None,
    steps: Sequence[WantedStep],
    is_own: bool = False,
    note: str = "",
    now: datetime,
) -> Round:
    """Write a round of ``plan`` with its content; without an ``asker`` where a command approves without being
    asked. The caller holds the launch lock, and commits."""
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
        "asked_by": asker.name if asker is not None else "",
        "member_id": asker.member_id if asker is not None else None,
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
    return require_round(connection, int(number))


def asks_for(asked: Round, plan: Plan, workspace: Workspace) -> bool:
    """Return whether a round asks for exactly ``plan``, under the settings as they are."""
    options = SendingOptions(segment=plan.segment.text, again=plan.again, counts_clicks=plan.counts_clicks)
    same = (asked.digest, asked.options) == (plan.digest, options)
    return same and dict(asked.settings) == hash_settings(workspace)


def _is_approved(connection: Connection, campaign_id: int) -> bool:
    state = connection.scalar(select(col(Campaign.state)).where(col(Campaign.id) == campaign_id))
    return state is CampaignState.approved


def restore_plan(connection: Connection, workspace: Workspace, asked: Round) -> Plan:
    """Return the plan that a round asked for, of its frozen content and without counting anybody. Raise
    CompiledVersionError if another version of the program compiled it, and SegmentError if the segment is
    not valid any more.
    """
    settings, facts = workspace.settings, asked.facts
    compiled = read_round_content(connection, asked)
    counts = asked.options.counts_clicks
    return Plan(
        edition=asked.edition,
        segment=read_segment(asked.options.segment, settings, connection),
        in_words=facts.in_words,
        again=asked.options.again,
        compiled=compiled,
        problems=facts.list_problems(),
        audience=facts.audience,
        by_country=facts.by_country,
        by_language=facts.by_language,
        left_out=facts.left_out,
        authors=facts.authors,
        counted=number_links(compiled, settings.web.base_url, settings.sectors) if counts else None,
    )


def store_approval(connection: Connection, plan: Plan, asked: Round, *, now: datetime) -> Approval:
    """Store that ``plan`` is approved as the round asked, whose steps are all fulfilled, and end the round.
    A campaign with an older, approved version for this segment is cancelled. The caller holds the launch
    lock, and commits. Raise ApprovalRefusedError if the campaign is being sent or was cancelled at the same
    moment, and LaunchRefusedError if an earlier version for this segment is on its way.
    """
    unfinished = find_unfinished_campaign(connection, plan)
    if unfinished is not None:
        refuse_unscheduled(unfinished, plan)
    names = asked.approver_names
    values: dict[str, Any] = {
        "again": plan.again,
        "approved_by": join_names(names),
        "approved_at": now,
        "approved_digest": plan.digest,
        "approved_settings": json.dumps(dict(asked.settings)),
    }
    number = _write_campaign(connection, plan, unfinished, values, now)
    end_round(connection, asked.id, RoundState.approved, now)
    _cancel_replaced(connection, plan, number, now)
    return Approval(campaign_id=number, by=join_names(names), at=now, people=names)


def join_names(names: Sequence[str]) -> str:
    """Return the names of those who approved, as they are stored and shown: "Mei Lin, Bat Erdene"."""
    for length in range(len(names), 0, -1):
        others = len(names) - length
        text = ", ".join(names[:length]) + (f" and {others} more" if others else "")
        if len(text) <= _MAX_LENGTH:
            return text
    return names[0][:_MAX_LENGTH] if names else ""


def _write_campaign(
    connection: Connection,
    plan: Plan,
    unfinished: Row[Any] | None,
    values: dict[str, Any],
    now: datetime,
) -> int:
    number = find_or_write_campaign(connection, plan, unfinished, now)
    if change_campaign_state(connection, number, CampaignState.approved, **values):
        return number
    # It is scheduled, or was approved before.
    waiting = CampaignState.approved if unfinished is None else CampaignState.scheduled
    waits = (col(Campaign.id) == number, col(Campaign.state) == waiting)
    if connection.execute(update(Campaign).where(*waits).values(values)).rowcount != 1:
        raise ApprovalRefusedError(explain_gone(number))
    store_counted_links(connection, number, plan.counted)
    return number


def _cancel_replaced(connection: Connection, plan: Plan, number: int, now: datetime) -> None:
    """Cancel older approved campaigns of this edition and segment, so that only one approval is left."""
    older = select(col(Campaign.id)).where(
        col(Campaign.state) == CampaignState.approved,
        *(col(Campaign.edition) == plan.edition, col(Campaign.segment) == plan.segment.text),
        col(Campaign.id) != number,
    )
    reason = Phrase(
        "The edition has changed since it was approved; campaign %(number)s was approved instead.",
        number=number,
    )
    for replaced in connection.scalars(older).all():
        change_campaign_state(
            connection, replaced or 0, CampaignState.cancelled, reason=reason, finished_at=now
        )
