"""Campaigns on the first page: those whose start is near, or has passed, and that nobody has launched."""

from collections.abc import Iterator
from datetime import timedelta

from sqlmodel import col, select

from mailer.campaigns.preparation.preparation import PREPARED_STATES
from mailer.database.models import Campaign
from mailer.database.preparation_models import CampaignPreparation
from mailer.i18n import gettext_noop
from mailer.team.roles import Permission
from mailer.web.studio.campaigns.campaign_words import say_moment
from mailer.web.studio.campaigns.place import CampaignPlace, read_title
from mailer.web.studio.campaigns.team_zone import find_team_zone, find_zone
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_NEAR = timedelta(days=2)
_FORGOTTEN = timedelta(days=30)
_MAX_SHOWN = 20
_SOON = gettext_noop("Is to start %(time)s, and nobody has launched it yet")
_PASSED = gettext_noop("Was to start %(time)s, and nobody has launched it")


def _list_campaigns(page: StudioPage) -> Iterator[WaitingItem]:
    now, translate = page.state.clock(), page.translator.translate
    start = col(CampaignPreparation.start_at)
    near = (
        select(Campaign, CampaignPreparation)
        .join(CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id))
        .where(start.between(now - _FORGOTTEN, now + _NEAR), col(Campaign.state).in_(PREPARED_STATES))
        .order_by(start, col(Campaign.id))
        .limit(_MAX_SHOWN)
    )
    with page.state.read_session() as session:
        found = [(campaign, prepared) for campaign, prepared in session.exec(near).all()]
        session.expunge_all()
    for campaign, prepared in found:
        at = prepared.start_at
        assert at is not None  # noqa: S101 - the statement asks for it
        zone = find_zone(prepared.start_zone) or find_team_zone(page.settings)
        yield WaitingItem(
            title=read_title(page, CampaignPlace(campaign=campaign, preparation=None)),
            words=translate(_SOON if at > now else _PASSED, time=say_moment(at, zone, page.translator)),
            act=translate(gettext_noop("Prepare its launch")),
            path=f"/campaigns/{campaign.id}",
            tone="careful" if at > now else "wrong",
            detail=campaign.edition,
        )


WAITING_CAMPAIGNS = WaitingSource(
    name=gettext_noop("Campaigns"), permission=Permission.prepare, list_items=_list_campaigns
)
