"""Storing an approval with its campaign, once nobody is waited for any more: a launch then finds it."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update
from sqlmodel import col

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.approvals.approval import Approval, ApprovalRefusedError
from mailer.campaigns.approvals.request import find_or_write_campaign, refuse_unscheduled
from mailer.campaigns.approvals.round import Round
from mailer.campaigns.approvals.rounds import end_round, read_round_content
from mailer.campaigns.audiences.segments import read_segment
from mailer.campaigns.counted_links import number_links, store_counted_links
from mailer.campaigns.plan import Plan
from mailer.campaigns.unfinished_campaign import UnfinishedCampaign, explain_gone, find_unfinished_campaign
from mailer.database.approval_models import RoundState
from mailer.database.models import Campaign, CampaignState
from mailer.dispatch.deliveries import change_campaign_state
from mailer.workspace import Workspace

_MAX_LENGTH = 200


def restore_plan(connection: Connection, workspace: Workspace, asked: Round) -> Plan:
    """The plan that a round asked for, of its frozen content and without counting anybody.

    Raises:
        CompiledVersionError: another version of the program compiled it.
        SegmentError: the segment is not valid any more.
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
        switched_off=(),
        audience=facts.audience,
        by_country=facts.by_country,
        by_sector={},
        by_language=facts.by_language,
        left_out=facts.left_out,
        held_back=(),
        variants={},
        authors=facts.authors,
        counted=number_links(compiled, settings.web.base_url, settings.sectors) if counts else None,
    )


def store_approval(connection: Connection, plan: Plan, asked: Round, *, now: datetime) -> Approval:
    """Store that ``plan`` is approved as the round asked, whose steps are all fulfilled, and end the round.
    A campaign with an older, approved version for this segment is cancelled. The caller holds the launch
    lock, and commits.

    Raises:
        ApprovalRefusedError: the campaign is being sent, or was cancelled at the same moment.
        LaunchRefusedError: an earlier version for this segment is on its way.
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
    """The names of those who approved, as they are stored and shown: "Mei Lin, Bat Erdene"."""
    for length in range(len(names), 0, -1):
        others = len(names) - length
        text = ", ".join(names[:length]) + (f" and {others} more" if others else "")
        if len(text) <= _MAX_LENGTH:
            return text
    return names[0][:_MAX_LENGTH] if names else ""


def _write_campaign(
    connection: Connection,
    plan: Plan,
    unfinished: UnfinishedCampaign | None,
    values: dict[str, Any],
    now: datetime,
) -> int:
    """Write the approval into the campaign that it is for; return its number."""
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
        gettext_noop(
            "The edition has changed since it was approved; campaign %(number)s was approved instead."
        ),
        number=number,
    )
    for replaced in connection.scalars(older).all():
        change_campaign_state(
            connection, replaced or 0, CampaignState.cancelled, reason=reason, finished_at=now
        )
