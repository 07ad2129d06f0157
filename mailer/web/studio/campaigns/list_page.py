"""All campaigns, the newest first, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.preparation.preparation_store import read_preparations
from mailer.database.activity_models import ActivityRecord
from mailer.database.models import Campaign
from mailer.web.plain_number import read_number
from mailer.web.studio.campaigns.place import CampaignPlace, read_title
from mailer.web.studio.ledger_words import CAMPAIGN_WORDS
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.segment_query import say_segment

_ON_PAGE = 30
_BY = (Act.launched_campaign, Act.scheduled_campaign)


@dataclass(frozen=True, kw_only=True)
class CampaignRow:
    """A campaign as the list shows it. ``segment`` is what its query means, "" while none is chosen.
    ``audience`` is None before the launch. ``by`` is who launched it, or else who changed it last."""

    number: int
    edition: str
    title: str
    language: str
    segment: str
    is_correction: bool
    words: str
    tone: str
    audience: int | None
    launched_at: datetime | None
    starts_at: datetime | None
    made_at: datetime
    by: str


def list_campaigns(page: PageDep) -> Response:
    """Show a page of the campaigns: those before the number in the address."""
    before = read_number(page.request.query_params.get("before", ""))
    found = select(Campaign).order_by(col(Campaign.id).desc()).limit(_ON_PAGE + 1)
    if before:
        found = found.where(col(Campaign.id) < before)
    with page.state.read_session() as session:
        campaigns = session.exec(found).all()
        shown = campaigns[:_ON_PAGE]
        prepared = read_preparations(session, [one.id for one in shown if one.id])
        names = _find_names(session, shown)
        rows = [_make_row(page, session, one, prepared.get(one.id or 0), names) for one in shown]
    return page.render(
        "campaigns.html",
        section="campaigns",
        rows=rows,
        is_first=not before,
        older=rows[-1].number if len(campaigns) > _ON_PAGE else 0,
    )


def _find_names(session: Session, campaigns: Sequence[Campaign]) -> Mapping[int, str]:
    """Who launched or scheduled each campaign, by number, as far as it was written down."""
    editions = {one.edition for one in campaigns}
    acts = select(ActivityRecord.subject, ActivityRecord.name).where(
        col(ActivityRecord.edition).in_(editions), col(ActivityRecord.act).in_([one.value for one in _BY])
    )
    rows = session.exec(acts.order_by(col(ActivityRecord.id))).all()
    return {int(subject): name for subject, name in rows if subject.isdigit()}


def _make_row(
    page: StudioPage,
    session: Session,
    campaign: Campaign,
    prepared: Preparation | None,
    names: Mapping[int, str],
) -> CampaignRow:
    number = campaign.id or 0
    is_open = prepared is not None and prepared.is_open
    decided = prepared.decisions if prepared is not None and is_open else None
    segment = (decided.segment if decided is not None else None) or campaign.segment
    words, tone = CAMPAIGN_WORDS[campaign.state]
    place = CampaignPlace(campaign=campaign, preparation=prepared)
    return CampaignRow(
        number=number,
        edition=campaign.edition,
        title=read_title(page, place),
        language=campaign.language,
        segment=say_segment(page, session, segment) if segment else "",
        is_correction=place.is_correction,
        words=words,
        tone=tone,
        audience=campaign.audience if campaign.launched_at is not None else None,
        launched_at=campaign.launched_at,
        starts_at=(decided.start_at if decided is not None else None) or campaign.scheduled_at,
        made_at=prepared.changed_at if prepared is not None else campaign.created_at,
        by=names.get(number) or (prepared.changed_by if prepared is not None else ""),
    )
