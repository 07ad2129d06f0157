"""Approve a plan: freeze its content with the approver's name, for a launch to find."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update
from sqlmodel import col

from mailer.campaigns.approvals.approval import Approval, ApprovalRefusedError, find_approval
from mailer.campaigns.approvals.approver_name import is_named
from mailer.campaigns.approvals.settings_hashes import hash_settings
from mailer.campaigns.counted_links import store_counted_links
from mailer.campaigns.draft import write_draft
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.plan import Plan
from mailer.campaigns.unfinished_campaign import UnfinishedCampaign, explain_gone, find_unfinished_campaign
from mailer.database.models import Campaign, CampaignState
from mailer.dispatch.deliveries.transitions import change_campaign_state
from mailer.settings import Settings
from mailer.workspace import Workspace

_MAX_NAME_LENGTH = 200


def approve(engine: Engine, workspace: Workspace, plan: Plan, *, by: str, now: datetime) -> Approval:
    """Record that ``by`` approves exactly this plan, and freeze its content. Launching the plan finds it.

    A campaign that is already scheduled is approved as it is. If another person approves the same plan, their
    name replaces the first. A campaign with an older, approved version for this segment is cancelled.

    Raises:
        ApprovalRefusedError: ``by`` is not a valid name, or is an author when another person must approve, or
            the campaign is already being sent.
        LaunchRefusedError: the plan cannot be launched: the edition has errors, the web pages are not
            reachable, or an earlier version for this segment is not finished.
    """
    name = _read_approver(workspace.settings, plan, by)
    with launch_lock(engine, workspace, plan) as connection:
        unfinished = find_unfinished_campaign(connection, plan)
        if unfinished is not None:
            _refuse_approval_of(unfinished, plan)
        waiting = (CampaignState.approved,) if unfinished is None else (CampaignState.scheduled,)
        before = find_approval(connection, workspace, plan, states=waiting)
        if before is not None and before.holds and is_named(before.by, [name]):
            return before
        number = unfinished.id if unfinished else _find_same(connection, plan)
        values: dict[str, Any] = {
            "again": plan.again,
            "approved_by": name,
            "approved_at": now,
            "approved_digest": plan.digest,
            "approved_settings": json.dumps(hash_settings(workspace)),
        }
        if number is None:
            number = write_draft(connection, plan, now)
            change_campaign_state(connection, number, CampaignState.approved, **values)
        else:
            waits = (col(Campaign.id) == number, col(Campaign.state).in_(waiting))
            if connection.execute(update(Campaign).where(*waits).values(values)).rowcount != 1:
                raise ApprovalRefusedError(explain_gone(number))
            store_counted_links(connection, number, plan.counted)
        _cancel_replaced(connection, plan, number, now)
        return Approval(campaign_id=number, by=name, at=now)


def _read_approver(settings: Settings, plan: Plan, by: str) -> str:
    name = " ".join(by.split())
    if not name.isprintable() or not 0 < len(name) <= _MAX_NAME_LENGTH:
        raise ApprovalRefusedError(
            f"Give the approver's name with --as, in at most {_MAX_NAME_LENGTH} characters."
        )
    if settings.campaigns.approval_by != "another":
        return name
    if not plan.authors and plan.compiled:
        raise ApprovalRefusedError(
            f"{plan.edition} does not say who wrote it, and its author must not approve it "
            '(approval_by = "another"). Add `authors: [NAME]` to its edition.md.'
        )
    if is_named(name, plan.authors):
        raise ApprovalRefusedError(
            f"{name} is an author of {plan.edition}. Another person must approve it "
            '([campaigns] approval_by = "another").'
        )
    return name


def _refuse_approval_of(found: UnfinishedCampaign, plan: Plan) -> None:
    """Refuse to approve a campaign that is being sent, or was scheduled with a different --again."""
    if found.state is not CampaignState.scheduled:
        raise ApprovalRefusedError(
            f"Campaign {found.id} is already sending this to this segment. "
            f"To see its progress: `mailer campaigns show {found.id}`."
        )
    if found.again != plan.again:
        raise ApprovalRefusedError(
            f"Campaign {found.id} was scheduled {'with' if found.again else 'without'} --again. "
            f"Approve it {'with' if found.again else 'without'} --again too."
        )


def _find_same(connection: Connection, plan: Plan) -> int | None:
    """Find the campaign approved with this content for this segment, even if settings have changed since."""
    statement = select(func.max(col(Campaign.id))).where(
        col(Campaign.state) == CampaignState.approved, col(Campaign.digest) == plan.digest
    )
    return connection.scalar(statement)


def _cancel_replaced(connection: Connection, plan: Plan, number: int, now: datetime) -> None:
    """Cancel older approved campaigns of this edition and segment, so that only one approval is left."""
    older = select(col(Campaign.id)).where(
        col(Campaign.state) == CampaignState.approved,
        *(col(Campaign.edition) == plan.edition, col(Campaign.segment) == plan.segment.text),
        col(Campaign.id) != number,
    )
    reason = f"The edition has changed since it was approved; campaign {number} was approved instead."
    for replaced in connection.scalars(older).all():
        change_campaign_state(
            connection, replaced or 0, CampaignState.cancelled, reason=reason, finished_at=now
        )
