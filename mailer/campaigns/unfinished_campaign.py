"""The campaign of an edition and a segment that is on its way already."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlmodel import col

from mailer.campaigns.launch_lock import LaunchRefusedError
from mailer.campaigns.plan import Plan
from mailer.database.models import Campaign, CampaignState


@dataclass(frozen=True, kw_only=True)
class UnfinishedCampaign:
    """A campaign of the same edition to the same segment that is not finished or cancelled."""

    id: int
    state: CampaignState
    reason: str
    canary: int | None
    audience: int
    again: bool
    scheduled_at: datetime | None


def find_unfinished_campaign(connection: Connection, plan: Plan) -> UnfinishedCampaign | None:
    """The newest campaign with this ``plan`` that is scheduled, sending or paused; None if there is none.

    Raises:
        LaunchRefusedError: the campaign has an earlier version of the edition, or counts clicks where the
            plan does not, or the other way round.
    """
    states = [CampaignState.scheduled, CampaignState.sending, CampaignState.paused]
    statement = (
        select(
            *(col(Campaign.id), col(Campaign.digest), col(Campaign.state), col(Campaign.state_reason)),
            *(col(Campaign.canary), col(Campaign.audience), col(Campaign.again), col(Campaign.scheduled_at)),
            col(Campaign.counts_clicks),
        )
        .where(
            col(Campaign.edition) == plan.edition,
            col(Campaign.segment) == plan.segment.text,
            col(Campaign.state).in_(states),
        )
        .order_by(col(Campaign.id).desc())
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    if row.digest != plan.digest:
        raise LaunchRefusedError(_explain_earlier_version(row.id, row.state, plan.edition))
    if row.counts_clicks != plan.counts_clicks:
        raise LaunchRefusedError(_explain_other_links(row.id, row.state, counts_clicks=row.counts_clicks))
    return UnfinishedCampaign(
        id=row.id,
        state=row.state,
        reason=row.state_reason,
        canary=row.canary,
        audience=row.audience,
        again=row.again,
        scheduled_at=row.scheduled_at,
    )


def _explain_earlier_version(number: int, state: CampaignState, edition: str) -> str:
    cancel = f"`mailer campaigns cancel {number}`"
    if state is CampaignState.scheduled:
        return (
            f"Campaign {number} has already scheduled an earlier version of {edition} for this segment. "
            f"Cancel it with {cancel}, then schedule the new version."
        )
    return (
        f"Campaign {number} is sending an earlier version of {edition} to this segment and is not finished. "
        f"Finish it with `mailer campaigns resume {number}`, or cancel it with {cancel}."
    )


def _explain_other_links(number: int, state: CampaignState, *, counts_clicks: bool) -> str:
    does = "counts clicks" if counts_clicks else "does not count clicks"
    cancel = f"`mailer campaigns cancel {number}`"
    if state is CampaignState.scheduled:
        return (
            f"Campaign {number} has scheduled this edition for this segment and {does}. Cancel it with "
            f"{cancel}, then schedule it again."
        )
    option = "--count-clicks" if counts_clicks else "--no-count-clicks"
    return (
        f"Campaign {number} is sending this edition to this segment and {does}, which cannot change once it "
        f"has started. Continue it with {option}, or cancel it with {cancel}."
    )


def explain_gone(campaign_id: int) -> str:
    """Why a campaign is not launched that was approved when we looked, and is not now."""
    return (
        f"Campaign {campaign_id} was cancelled or launched at the same moment. "
        f"`mailer campaigns show {campaign_id}` says which."
    )
