"""Approving: a plan is frozen with the name of the person who approves it, for a launch to find."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update
from sqlmodel import col

from mailer.campaigns.approval import Approval, ApprovalRefusedError, find_approval, hash_settings, is_named
from mailer.campaigns.launch import (
    UnfinishedCampaign,
    explain_gone,
    find_unfinished_campaign,
    launch_lock,
    write_draft,
)
from mailer.campaigns.plan import Plan
from mailer.database.models import Campaign, CampaignState
from mailer.dispatch.deliveries.transitions import change_campaign_state
from mailer.settings import Settings
from mailer.workspace import Workspace

_LONGEST_NAME = 200


def approve(engine: Engine, workspace: Workspace, plan: Plan, *, by: str, now: datetime) -> Approval:
    """Record that ``by`` approves exactly this plan, and freeze its content. Launching the plan finds it.

    What is scheduled already is approved where it stands. Who approves the same plan again takes the place of
    whoever did before; an earlier approval of another version for this segment is cancelled with the reason.

    Raises:
        ApprovalRefusedError: ``by`` is no name, or that of an author where another person has to approve; or
            the campaign is being sent already.
        LaunchRefusedError: the plan could not be launched: the edition has errors, the pages could not be
            reached, or an earlier version for this segment is not finished.
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
        _cancel_replaced(connection, plan, number, now)
        return Approval(campaign_id=number, by=name, at=now)


def _read_approver(settings: Settings, plan: Plan, by: str) -> str:
    name = " ".join(by.split())
    if not name.isprintable() or not 0 < len(name) <= _LONGEST_NAME:
        raise ApprovalRefusedError(
            f"Give the name of the person who approves, in at most {_LONGEST_NAME} letters."
        )
    if settings.campaigns.approval_by != "another":
        return name
    if not plan.authors and plan.compiled:
        raise ApprovalRefusedError(
            f'Another person than its author has to approve {plan.edition} (approval_by = "another"), and '
            "the edition does not say who wrote it. Add `authors: [NAME]` to its edition.md."
        )
    if is_named(name, plan.authors):
        raise ApprovalRefusedError(
            f"{name} is one of the authors of {plan.edition}, and another person has to approve it "
            '(approval_by = "another").'
        )
    return name


def _refuse_approval_of(found: UnfinishedCampaign, plan: Plan) -> None:
    """Refuse to approve what is on its way, or scheduled on other terms than those of ``plan``."""
    if found.state is not CampaignState.scheduled:
        raise ApprovalRefusedError(
            f"Campaign {found.id} sends exactly this to this segment already. "
            f"`mailer campaigns show {found.id}` says how far it is."
        )
    if found.again != plan.again:
        raise ApprovalRefusedError(
            f"Campaign {found.id} has this scheduled {'with' if found.again else 'without'} --again. "
            f"Approve it {'with' if found.again else 'without'} it too."
        )


def _find_same(connection: Connection, plan: Plan) -> int | None:
    """The campaign that was approved with this content for this segment, whatever has changed besides."""
    statement = select(func.max(col(Campaign.id))).where(
        col(Campaign.state) == CampaignState.approved, col(Campaign.digest) == plan.digest
    )
    return connection.scalar(statement)


def _cancel_replaced(connection: Connection, plan: Plan, number: int, now: datetime) -> None:
    """Cancel what was approved of the edition for this segment before, so that one approval is left."""
    older = select(col(Campaign.id)).where(
        col(Campaign.state) == CampaignState.approved,
        *(col(Campaign.edition) == plan.edition, col(Campaign.segment) == plan.segment.text),
        col(Campaign.id) != number,
    )
    reason = f"Its edition has changed since it was approved; campaign {number} was approved in its place."
    for replaced in connection.scalars(older).all():
        change_campaign_state(
            connection, replaced or 0, CampaignState.cancelled, reason=reason, finished_at=now
        )
