"""What is done to a campaign besides preparing it: discarding it before its launch, and the archive."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.lifecycle import CampaignStateError, cancel_campaign, find_campaign, set_archived
from mailer.database.models import CampaignState
from mailer.team.roles import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.studio.campaigns.place import CampaignPlaceDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep

DRAFT_STATES = frozenset({CampaignState.draft, CampaignState.tested})
"""Campaigns that whoever prepares them may discard."""

UNSENT_STATES = DRAFT_STATES | {CampaignState.approved, CampaignState.scheduled}
"""Campaigns of which nobody has got anything."""


def discard_campaign(page: PageDep, place: CampaignPlaceDep) -> Response:
    """Cancel a campaign that nobody has got anything of. One that was approved or scheduled is discarded by
    who may launch it."""
    now = page.state.clock()
    try:
        with page.state.write_session() as session:
            # In this transaction: a scheduled campaign may have started since the page was opened.
            campaign = find_campaign(session, place.number)
            if campaign.state is CampaignState.cancelled:
                return page.redirect(place.path, Notice.campaign_discarded)
            if campaign.state not in UNSENT_STATES:
                return page.redirect(place.path, Notice.campaign_started)
            if campaign.state not in DRAFT_STATES:
                page.require(Permission.launch)
            edition = campaign.edition
            cancel_campaign(session, place.number, now=now)
            record_activity(
                session,
                page.actor,
                Act.cancelled_campaign,
                edition=edition,
                subject=str(place.number),
                now=now,
            )
    except CampaignStateError:
        return page.redirect(place.path, Notice.campaign_started)
    return page.redirect(place.path, Notice.campaign_discarded)


def change_archive(page: PageDep, place: CampaignPlaceDep, form: OwnFormDep) -> Response:
    """Put the edition of a campaign that was sent into the public archive, or take it out."""
    if place.is_correction or place.campaign.launched_at is None:
        raise HTTPException(404)
    wanted = form.get("archived") == "yes"
    with page.state.write_session() as session:
        if find_campaign(session, place.number).archived is not wanted:
            set_archived(session, place.number, archived=wanted)
            record_activity(
                session,
                page.actor,
                Act.archived_campaign,
                edition=place.campaign.edition,
                subject=str(place.number),
                detail="in" if wanted else "out",
                now=page.state.clock(),
            )
    return page.redirect(place.path, Notice.archived if wanted else Notice.unarchived)
