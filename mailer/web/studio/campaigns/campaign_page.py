"""The page of one campaign: a checklist while it is prepared, and what became of it from then on."""

from dataclasses import dataclass

from sqlmodel import Session, col, select
from starlette.responses import Response

from mailer.campaigns.correction_record import SEPARATOR, find_corrections
from mailer.campaigns.preparation.preparation import Preparation
from mailer.counts.request import count_deliveries
from mailer.database.models import Campaign, CampaignState
from mailer.team.roles import Permission
from mailer.web.studio.campaigns.campaign_acts import DRAFT_STATES, UNSENT_STATES
from mailer.web.studio.campaigns.campaign_words import (
    STATUS_WORDS,
    say_moment,
)
from mailer.web.studio.campaigns.facts import look_at_campaign
from mailer.web.studio.campaigns.history import list_history
from mailer.web.studio.campaigns.place import CampaignPlace, CampaignPlaceDep, read_title
from mailer.web.studio.campaigns.sending_hours import describe_hours
from mailer.web.studio.campaigns.team_zone import find_team_zone, find_zone
from mailer.web.studio.ledger_words import CAMPAIGN_WORDS
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.segment_query import say_segment

_MAX_CORRECTIONS = 50
_LINKED = ("approval", "launch", "live", "doubts", "report")
"""Other pages of a campaign, by the last part of their paths."""


def show_campaign(page: PageDep, place: CampaignPlaceDep) -> Response:
    """Show a campaign; for htmx, the checklist alone."""
    if place.preparation is not None and place.is_prepared:
        return _show_checklist(page, place, place.preparation)
    return _show_overview(page, place)


def _show_checklist(page: StudioPage, place: CampaignPlace, preparation: Preparation) -> Response:
    # A page is there at once, and htmx fetches what has to be compiled first. Whoever has no script asks.
    compiles = page.is_fragment or "look" in page.request.query_params
    found = look_at_campaign(page, place, preparation, compiles=compiles)
    decided, settings = preparation.decisions, page.settings
    with page.state.read_session() as session:
        is_understood = decided.segment is not None and not found.segment_fault
        words = say_segment(page, session, decided.segment or "") if is_understood else ""
    zone = find_zone(decided.start_zone) or find_team_zone(settings)
    starts = say_moment(decided.start_at, zone, page.translator) if decided.start_at is not None else ""
    state, tone = CAMPAIGN_WORDS[place.campaign.state]
    return page.render(
        "campaign_checklist.html" if page.is_fragment else "campaign.html",
        section="campaigns",
        place=place,
        title=read_title(page, place),
        summary=page.state.summaries.read(preparation.edition),
        found=found,
        decided=decided,
        campaign_settings=settings.campaigns,
        segment_words=words,
        starts=starts,
        hours=describe_hours(page.translator, settings),
        status_words=STATUS_WORDS,
        state=state,
        tone=tone,
        links=_find_links(page),
        may_discard=place.campaign.state in DRAFT_STATES or page.may(Permission.launch),
    )


def _show_overview(page: StudioPage, place: CampaignPlace) -> Response:
    campaign = place.campaign
    numbers = page.state.counts.get(count_deliveries(place.number, campaign.state))
    if page.is_fragment:
        return page.render("campaign_numbers.html", place=place, campaign=campaign, numbers=numbers)
    with page.state.read_session() as session:
        words = say_segment(page, session, campaign.segment) if campaign.segment else ""
        history = list_history(session, campaign, page.translator)
        record = find_corrections(session.connection(), [campaign.edition]).get(campaign.edition)
        corrections = _list_corrections(session, campaign)
    state, tone = CAMPAIGN_WORDS[campaign.state]
    starts, was_sent = campaign.scheduled_at, campaign.launched_at is not None
    zone = find_team_zone(page.settings)
    return page.render(
        "campaign_overview.html",
        section="campaigns",
        place=place,
        campaign=campaign,
        numbers=numbers,
        title=read_title(page, place),
        segment_words=words,
        starts=say_moment(starts, zone, page.translator) if starts is not None else "",
        history=history,
        correction=record,
        corrections=corrections,
        state=state,
        tone=tone,
        links=_find_links(page),
        is_draft=campaign.state in DRAFT_STATES,
        may_discard=_may_discard(page, place),
        may_archive=was_sent and not place.is_correction,
        may_correct=was_sent and not place.is_correction and page.may_open("/corrections/new"),
    )


@dataclass(frozen=True, kw_only=True)
class CorrectionRow:
    """A campaign that corrects a story of another one."""

    number: int
    title: str
    words: str
    tone: str


def _list_corrections(session: Session, campaign: Campaign) -> list[CorrectionRow]:
    """The campaigns that correct the edition of this one, the latest first."""
    own = select(Campaign.id, Campaign.title, Campaign.state).where(
        col(Campaign.edition).startswith(f"{campaign.edition}{SEPARATOR}", autoescape=True)
    )
    rows = session.exec(own.order_by(col(Campaign.id).desc()).limit(_MAX_CORRECTIONS)).all()
    found = []
    for number, title, state in rows:
        words, tone = CAMPAIGN_WORDS[CampaignState(state)]
        found.append(CorrectionRow(number=number or 0, title=title, words=words, tone=tone))
    return found


def _may_discard(page: StudioPage, place: CampaignPlace) -> bool:
    state = place.campaign.state
    if state in DRAFT_STATES:
        return page.may(Permission.prepare)
    return state in UNSENT_STATES and page.may(Permission.launch)


def _find_links(page: StudioPage) -> frozenset[str]:
    return frozenset(name for name in _LINKED if page.leads_to(f"/campaigns/{{campaign}}/{name}"))
