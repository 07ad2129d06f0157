"""The page on which a campaign is launched: what will happen, the number to type, and what waits."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlmodel import Session
from starlette.responses import Response

from mailer.campaigns.pending_launches import LAUNCHABLE_STATES, PendingLaunch, find_pending_launch
from mailer.campaigns.preparation.preparation import Decisions, Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.campaigns.readiness import LaunchReadiness
from mailer.campaigns.worker import count_workers
from mailer.database.engine import read_clock
from mailer.database.launch_models import PendingLaunchState
from mailer.database.models import Campaign
from mailer.settings import Settings
from mailer.team.members import Permission, find_member
from mailer.web.routing import GET
from mailer.web.studio.campaign_number import CampaignNumber
from mailer.web.studio.launches.fault_words import list_faults
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.segment_query import say_segment
from mailer.web.studio.stored_campaign import read_campaign

_PATIENCE = 0.08
"""How many seconds a page waits for what is not known yet."""


@dataclass(frozen=True, kw_only=True)
class LaunchPlace:
    """A campaign that may be launched: how it was prepared, and the launch that was asked for last."""

    campaign: Campaign
    preparation: Preparation | None
    pending: PendingLaunch | None
    now: datetime

    @property
    def path(self) -> str:
        return f"/campaigns/{self.campaign.id}/launch"

    @property
    def is_launchable(self) -> bool:
        return self.campaign.state in LAUNCHABLE_STATES

    @property
    def waits(self) -> bool:
        """Whether a launch was asked for that may still start."""
        return self.pending is not None and self.pending.is_active


def read_place(session: Session, number: int) -> LaunchPlace:
    """The campaign with this number.

    Raises:
        HTTPException: 404, there is no such campaign.
    """
    campaign = read_campaign(session, number)
    now = read_clock(session.connection())
    place = LaunchPlace(
        campaign=campaign,
        preparation=read_preparation(session, number),
        pending=find_pending_launch(session, number, now=now),
        now=now,
    )
    session.expunge(campaign)
    return place


def show_launch(page: PageDep, campaign: CampaignNumber) -> Response:
    """Show what a launch would do, or the launch that waits."""
    with page.state.read_session() as session:
        place = read_place(session, campaign)
    if not place.is_launchable and not place.waits:
        return page.redirect(f"/campaigns/{campaign}/live")
    if place.waits:
        return render_pending(page, place)
    return render_launch(page, place)


def show_check(page: PageDep, campaign: CampaignNumber) -> Response:
    """The part of the page that comes late: what stands in the way, or the form."""
    with page.state.read_session() as session:
        place = read_place(session, campaign)
    if not place.is_launchable or place.waits:
        return _lead_on(page, place)
    return page.render("launch_check.html", status=200, **_describe(page, place, [], ""))


def show_pending(page: PageDep, campaign: CampaignNumber) -> Response:
    """The part of the page that counts the seconds; once they are over, the browser is led on."""
    with page.state.read_session() as session:
        place = read_place(session, campaign)
    if not place.waits:
        return _lead_on(page, place)
    return page.render("launch_pending.html", status=200, **_describe_pending(page, place))


def render_launch(
    page: StudioPage,
    place: LaunchPlace,
    *,
    errors: list[tuple[str, str]] | None = None,
    typed: str = "",
) -> Response:
    """Render the page with the form."""
    last = place.pending
    return page.render(
        "launch.html",
        status=422 if errors else 200,
        section="campaigns",
        last=last if last is not None and last.state in _SAID_STATES else None,
        **_describe(page, place, errors or [], typed),
    )


def render_pending(
    page: StudioPage, place: LaunchPlace, *, errors: list[tuple[str, str]] | None = None
) -> Response:
    """Render the page of a launch that waits."""
    return page.render(
        "launch_waits.html",
        status=422 if errors else 200,
        section="campaigns",
        errors=errors or [],
        **_describe_pending(page, place),
    )


_SAID_STATES = frozenset({PendingLaunchState.refused, PendingLaunchState.expired})


def _lead_on(page: StudioPage, place: LaunchPlace) -> Response:
    """Lead the browser to where the campaign is now: htmx follows this header, and a person the redirect."""
    number = place.pending.campaign_id if place.pending is not None else place.campaign.id
    target = f"/campaigns/{number}/live" if not place.is_launchable else place.path
    # Another window may have undone it, or this one: its question may be answered after its own act.
    is_undone = place.pending is not None and place.pending.state is PendingLaunchState.undone
    notice = Notice.launch_undone if is_undone and place.is_launchable else None
    if not page.is_fragment:
        return page.redirect(target, notice)
    return Response(status_code=204, headers={"hx-redirect": page.make_path(target, notice)})


def _describe(
    page: StudioPage, place: LaunchPlace, errors: list[tuple[str, str]], typed: str
) -> dict[str, object]:
    readiness = find_readiness(page, place)
    settings = page.settings
    return {
        "campaign": place.campaign,
        "preparation": place.preparation,
        "readiness": readiness,
        "segment_words": _say_segment(page, place, readiness),
        "faults": list_faults(readiness, page.translator) if readiness is not None else [],
        "errors": errors,
        "typed": typed,
        "relay": name_relay(settings),
        "rate": settings.campaigns.rate,
        "minutes": _estimate_minutes(readiness, settings.campaigns.rate),
        "window": settings.campaigns.window,
        "canary": _find_canary(place.preparation, settings),
        "by_two": settings.campaigns.launch_by == "two",
        "has_worker": count_workers(page.state.workspace, page.state.engine) > 0,
    }


def find_readiness(
    page: StudioPage, place: LaunchPlace, *, patience: float = _PATIENCE
) -> LaunchReadiness | None:
    """What is known of the campaign; None while it is being checked, or if it was never prepared."""
    if place.preparation is None:
        return None
    return page.state.readiness.check(place.preparation, page.member.name, patience=patience)


def _say_segment(page: StudioPage, place: LaunchPlace, readiness: LaunchReadiness | None) -> str:
    if place.preparation is None or readiness is None:
        return ""
    segment = place.preparation.decisions.segment or ""
    with page.state.read_session() as session:
        return say_segment(page, session, segment, readiness.in_words)


def name_relay(settings: Settings) -> str:
    """The host that messages are handed to, or the hosts; "" for a folder on this machine."""
    urls = [relay.url for relay in settings.smtp.relays] or [settings.smtp.url]
    hosts = [urlsplit(url).hostname or "" for url in urls if not url.startswith("maildir")]
    return ", ".join(host for host in hosts if host)


def _estimate_minutes(readiness: LaunchReadiness | None, rate: float | None) -> int | None:
    if readiness is None or not rate or not readiness.audience:
        return None
    return max(1, round(readiness.audience / rate / 60))


def _find_canary(preparation: Preparation | None, settings: Settings) -> tuple[int, float | None] | None:
    decided = preparation.decisions if preparation is not None else Decisions()
    chosen = decided.resolve(settings.campaigns)
    return (chosen.canary, chosen.canary_minutes) if chosen.canary else None


def _describe_pending(page: StudioPage, place: LaunchPlace) -> dict[str, object]:
    pending = place.pending
    assert pending is not None  # noqa: S101 - the callers have looked
    with page.state.read_session() as session:
        asked_by = find_member(session, pending.asked_by)
        confirmed_by = find_member(session, pending.confirmed_by) if pending.confirmed_by else None
        segment_words = say_segment(page, session, pending.request.segment)
    return {
        "campaign": place.campaign,
        "pending": pending,
        "segment_words": segment_words,
        "asked_by": asked_by.name if asked_by is not None else "",
        "confirmed_by": confirmed_by.name if confirmed_by is not None else "",
        "is_own": pending.asked_by == page.member.id,
        "is_unconfirmed": pending.state is PendingLaunchState.unconfirmed,
        "seconds": pending.seconds_left(place.now),
        "has_worker": count_workers(page.state.workspace, page.state.engine) > 0,
    }


ROUTES = (
    StudioRoute("/campaigns/{campaign}/launch", show_launch, GET, Permission.launch),
    StudioRoute("/campaigns/{campaign}/launch/check", show_check, GET, Permission.launch),
    StudioRoute("/campaigns/{campaign}/launch/pending", show_pending, GET, Permission.launch),
)
