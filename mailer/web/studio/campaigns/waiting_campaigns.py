"""Campaigns on the first page that nobody has launched: those that are approved, and those whose start is
near or has passed."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import and_, case, or_
from sqlmodel import Session, col, select

from mailer.campaigns.pending_launches.pending_launch import find_pending_launch
from mailer.campaigns.preparation.preparation import PREPARED_STATES
from mailer.database.clock import read_clock
from mailer.database.models import Campaign, CampaignState
from mailer.database.preparation_models import CampaignPreparation
from mailer.i18n import gettext_noop
from mailer.team.members import list_members
from mailer.team.roles import Permission, is_allowed
from mailer.web.studio.campaigns.campaign_words import say_moment
from mailer.web.studio.campaigns.place import CampaignPlace, read_title
from mailer.web.studio.campaigns.team_zone import find_team_zone, find_zone
from mailer.web.studio.page import StudioPage
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_NEAR = timedelta(days=2)
_FORGOTTEN = timedelta(days=30)
_MAX_SHOWN = 20
_APPROVED = gettext_noop("Is approved, and nobody has launched it yet")
_SOON = gettext_noop("Is to start %(time)s, and nobody has launched it yet")
_PASSED = gettext_noop("Was to start %(time)s, and nobody has launched it")


def _list_campaigns(page: StudioPage) -> Iterator[WaitingItem]:
    now = page.state.clock()
    start = col(CampaignPreparation.start_at)
    is_near = and_(start.between(now - _FORGOTTEN, now + _NEAR), col(Campaign.state).in_(PREPARED_STATES))
    waits = (
        select(Campaign, CampaignPreparation)
        .join(CampaignPreparation, col(CampaignPreparation.campaign_id) == col(Campaign.id))
        .where(or_(is_near, col(Campaign.state) == CampaignState.approved))
        .order_by(case((is_near, start), else_=None).nulls_last(), col(Campaign.id).desc())
        .limit(_MAX_SHOWN)
    )
    with page.state.read_session() as session:
        found = [
            (campaign, prepared)
            for campaign, prepared in session.exec(waits).all()
            if not _is_being_launched(session, campaign)
        ]
        launchers = [one.name for one in list_members(session) if is_allowed(one.role, Permission.launch)]
        session.expunge_all()
    for campaign, prepared in found:
        yield _describe(page, campaign, prepared, launchers)


def _is_being_launched(session: Session, campaign: Campaign) -> bool:
    """Whether somebody has asked for its launch, which then waits by itself."""
    asked = find_pending_launch(session, campaign.id or 0, now=read_clock(session.connection()))
    return asked is not None and asked.is_active


def _describe(
    page: StudioPage, campaign: Campaign, prepared: CampaignPreparation, launchers: Sequence[str]
) -> WaitingItem:
    """A campaign that is approved waits for whoever may launch it, any other for whoever prepares it."""
    translate, is_approved = page.translator.translate, campaign.state is CampaignState.approved
    is_for_others = is_approved and not page.may(Permission.launch)
    act, path = gettext_noop("Prepare its launch"), f"/campaigns/{campaign.id}"
    if is_for_others:
        act = gettext_noop("Open the campaign")
    elif is_approved:
        act, path = gettext_noop("Go on to the launch"), f"{path}/launch"
    words, tone = _say_what_waits(page, prepared)
    return WaitingItem(
        title=read_title(page, CampaignPlace(campaign=campaign, preparation=None)),
        words=words,
        act=translate(act),
        path=path,
        tone=tone,
        detail=campaign.edition,
        waits_for=", ".join(launchers) if is_for_others else "",
    )


def _say_what_waits(page: StudioPage, prepared: CampaignPreparation) -> tuple[str, str]:
    """The words and their tone: that its start is near or has passed, or else that it is approved."""
    now, at = page.state.clock(), prepared.start_at
    if at is None or not now - _FORGOTTEN <= at <= now + _NEAR:
        return page.translator.translate(_APPROVED), "right"
    zone = find_zone(prepared.start_zone) or find_team_zone(page.settings)
    words = _SOON if at > now else _PASSED
    said = page.translator.translate(words, time=say_moment(at, zone, page.translator))
    return said, "careful" if at > now else "wrong"


WAITING_CAMPAIGNS = WaitingSource(
    name=gettext_noop("Campaigns"), permission=Permission.prepare, list_items=_list_campaigns
)
