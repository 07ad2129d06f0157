"""A campaign live: its numbers and their sum, and what became of one partner's message."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select
from starlette.responses import Response, StreamingResponse

from mailer.campaigns.pending_launches import LAUNCHABLE_STATES
from mailer.campaigns.progress import CampaignProgress
from mailer.campaigns.trial import read_trial
from mailer.database.models import CampaignState, Delivery
from mailer.i18n import Translator
from mailer.team.members import Permission
from mailer.web.page_renderer import PageRenderer
from mailer.web.routing import GET
from mailer.web.studio.campaign_number import CampaignNumber
from mailer.web.studio.live.event_stream import stream_progress
from mailer.web.studio.live.progress_words import (
    describe_state,
    describe_time_left,
    list_bar_parts,
    list_refusals,
    list_terms,
)
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.status_words import DELIVERY_WORDS
from mailer.web.studio.stored_campaign import load_campaign
from subscribers.address import normalise_address
from subscribers.errors import AddressError
from subscribers.models import Subscriber

_PATIENCE = 0.1
"""How many seconds a page waits for numbers that nobody has read yet."""

_EVENTS = "text/event-stream"


@dataclass(frozen=True, kw_only=True)
class FoundPerson:
    """What became of one partner's message. ``words`` are empty if the campaign is not for them, and
    ``subscriber_id`` is None if nobody has the address."""

    address: str
    name: str = ""
    words: str = ""
    tone: str = "quiet"
    told: str = ""
    at: datetime | None = None
    subscriber_id: int | None = None


def show_live(page: PageDep, campaign: CampaignNumber) -> Response:
    """Show how far a campaign is. One that is not launched has a page of its own."""
    row = load_campaign(page, campaign)
    if row.state in LAUNCHABLE_STATES:
        return page.redirect(f"/campaigns/{campaign}")
    progress = page.state.progress.watch(campaign).await_reading(_PATIENCE)
    return page.render(
        "live.html",
        status=200,
        section="campaigns",
        campaign=row,
        is_trial=_is_trial(page),
        is_over=row.state in {CampaignState.finished, CampaignState.cancelled},
        **describe_progress(progress, page.translator),
        asked=page.request.query_params.get("address", "")[:320],
        person=_find_person(page, campaign),
    )


def show_events(page: PageDep, campaign: CampaignNumber) -> Response:
    """Send the numbers whenever they change, for at most a minute; the browser then asks again."""
    load_campaign(page, campaign)
    if page.request.method == "HEAD":
        return Response(media_type=_EVENTS)
    headers = {"x-accel-buffering": "no"}
    stream = stream_progress(page, page.state.progress.watch(campaign), render_progress)
    return StreamingResponse(stream, media_type=_EVENTS, headers=headers)


def render_progress(renderer: PageRenderer, progress: CampaignProgress, translator: Translator) -> str:
    """The part of the page that changes, for all members alike."""
    values = describe_progress(progress, translator)
    return bytes(renderer.render("studio/live_progress.html", translator, status=200, **values).body).decode()


def describe_progress(progress: CampaignProgress | None, translator: Translator) -> dict[str, object]:
    """What ``live_progress.html`` shows; ``progress`` is None while it is counted."""
    if progress is None:
        return {"progress": None}
    words, tone = describe_state(progress, translator)
    terms = list_terms(progress, translator)
    return {
        "progress": progress,
        "state_words": words,
        "state_tone": tone,
        "terms": terms,
        "bar_parts": list_bar_parts(terms, progress.counts.audience),
        "time_left": describe_time_left(progress, translator),
        "refusals": list_refusals(progress.groups, translator),
    }


def _is_trial(page: StudioPage) -> bool:
    with page.state.read_session() as session:
        return read_trial(session.connection(), page.settings).is_on


def _find_person(page: StudioPage, campaign: int) -> FoundPerson | None:
    """The partner that is looked for; None if none is, or the member may not see partners."""
    asked = page.request.query_params.get("address", "").strip()[:320]
    if not asked or not page.may(Permission.see_partners):
        return None
    try:
        address = normalise_address(asked).email
    except AddressError:
        return FoundPerson(address=asked)
    with page.state.read_session() as session:
        return _read_person(session, campaign, address, page.translator) or FoundPerson(address=asked)


def _read_person(session: Session, campaign: int, address: str, translator: Translator) -> FoundPerson | None:
    reader = session.exec(select(Subscriber).where(Subscriber.email == address)).first()
    if reader is None:
        return None
    delivery = session.exec(
        select(Delivery).where(
            col(Delivery.campaign_id) == campaign, col(Delivery.subscriber_id) == reader.id
        )
    ).first()
    if delivery is None:
        return FoundPerson(address=reader.email, name=reader.name, subscriber_id=reader.id)
    words, tone = DELIVERY_WORDS[delivery.state]
    return FoundPerson(
        address=reader.email,
        name=reader.name,
        words=translator.translate(words),
        tone=tone,
        told=" ".join(part for part in (str(delivery.code or ""), delivery.reason) if part),
        at=delivery.updated_at,
        subscriber_id=reader.id,
    )


ROUTES = (
    StudioRoute("/campaigns/{campaign}/live", show_live, GET, Permission.read),
    StudioRoute("/campaigns/{campaign}/live/events", show_events, GET, Permission.read),
)
