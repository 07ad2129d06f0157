"""Pausing a campaign, letting it go on, and cancelling it."""

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.lifecycle import (
    CampaignStateError,
    cancel_campaign,
    pause_campaign,
    resume_campaign,
)
from mailer.campaigns.pending_launches import LAUNCHABLE_STATES
from mailer.database.models import CampaignState
from mailer.dispatch.deliveries import Counts
from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.campaign_number import CampaignNumber
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.stored_campaign import load_campaign, read_campaign

_PATIENCE = 0.1


def pause(page: PageDep, campaign: CampaignNumber) -> Response:
    """Pause a campaign: what is being sent is finished, and nothing more is begun."""
    return _change(page, campaign, _pause, Act.paused_campaign, Notice.campaign_paused)


def resume(page: PageDep, campaign: CampaignNumber) -> Response:
    """Let a campaign go on; a canary is over then."""
    return _change(page, campaign, _resume, Act.resumed_campaign, Notice.campaign_resumed)


def show_cancelling(page: PageDep, campaign: CampaignNumber) -> Response:
    """Show what cancelling a campaign would leave unsent."""
    row = load_campaign(page, campaign)
    if row.state in {CampaignState.finished, CampaignState.cancelled, *LAUNCHABLE_STATES}:
        return page.redirect(f"/campaigns/{campaign}")
    progress = page.state.progress.watch(campaign).await_reading(_PATIENCE)
    counts: Counts | None = progress.counts if progress is not None else None
    return page.render("campaign_cancel.html", section="campaigns", campaign=row, counts=counts)


def cancel(page: PageDep, campaign: CampaignNumber) -> Response:
    """Cancel a campaign for good."""
    require_confirmed(page)
    return _change(page, campaign, _cancel, Act.cancelled_campaign, Notice.campaign_cancelled)


def _change(
    page: StudioPage,
    campaign: int,
    change: Callable[[Session, int, datetime], None],
    act: Act,
    notice: Notice,
) -> Response:
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            row = read_campaign(session, campaign)
            edition, before = row.edition, (row.state, row.state_reason)
            change(session, campaign, now)
            row = read_campaign(session, campaign)
            # A second click changes nothing, and is no second act.
            if (row.state, row.state_reason) != before:
                record_activity(session, page.actor, act, edition=edition, subject=str(campaign), now=now)
    except CampaignStateError:
        return page.redirect(f"/campaigns/{campaign}/live", Notice.campaign_changed)
    page.state.progress.refresh(campaign)
    return page.redirect(f"/campaigns/{campaign}/live", notice)


def _pause(session: Session, campaign: int, now: datetime) -> None:
    pause_campaign(session, campaign, now=now)


def _resume(session: Session, campaign: int, now: datetime) -> None:
    resume_campaign(session, campaign, now=now)


def _cancel(session: Session, campaign: int, now: datetime) -> None:
    cancel_campaign(session, campaign, now=now)


ROUTES = (
    StudioRoute("/campaigns/{campaign}/pause", pause, POST, Permission.prepare),
    StudioRoute("/campaigns/{campaign}/resume", resume, POST, Permission.launch),
    StudioRoute("/campaigns/{campaign}/cancel", show_cancelling, GET, Permission.launch),
    StudioRoute("/campaigns/{campaign}/cancel", cancel, POST, Permission.launch),
)
