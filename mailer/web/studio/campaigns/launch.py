"""Launching a campaign: what will happen, the number to type, undoing it, and a second person."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.lifecycle import CampaignStateError
from mailer.campaigns.pending_launches import (
    LAUNCHABLE_STATES,
    LaunchRequest,
    OtherCountError,
    OtherLaunchError,
    PendingLaunch,
    PendingLaunchError,
    SamePersonError,
    ask_launch,
    confirm_launch,
    find_pending_launch,
    list_not_started,
    list_unconfirmed,
    read_pending_launch,
    undo_launch,
)
from mailer.campaigns.preparation.preparation import Decisions, Preparation
from mailer.campaigns.preparation.preparation_store import read_preparation
from mailer.campaigns.readiness import LaunchFault, LaunchFaultKind, LaunchReadiness
from mailer.campaigns.worker import count_workers
from mailer.database.engine import read_clock
from mailer.database.launch_models import PendingLaunchState
from mailer.database.models import Campaign
from mailer.i18n import Translator, gettext_noop
from mailer.settings import Settings
from mailer.team.members import Permission, find_member
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.campaign_place import CampaignNumber, read_campaign
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

ROUTES = Routes()

_K = LaunchFaultKind
_WORDS: Mapping[LaunchFaultKind, tuple[str, str]] = MappingProxyType(
    {
        _K.segment: (gettext_noop("Nobody has chosen who gets it."), gettext_noop("Choose who gets it")),
        _K.content: (gettext_noop("The edition cannot be sent as it is."), gettext_noop("See its problems")),
        _K.sender: (
            gettext_noop("The settings do not say who sends it."),
            gettext_noop("Change the sender’s settings"),
        ),
        _K.address: (
            gettext_noop("Partners could not unsubscribe with one click."),
            gettext_noop("Change the web settings"),
        ),
        _K.audience: (gettext_noop("Nobody would get it."), gettext_noop("Choose who gets it")),
        _K.trial: (
            gettext_noop("Trial mode is on, so campaigns go to test readers alone."),
            gettext_noop("See trial mode"),
        ),
        _K.approval: (gettext_noop("It has no valid approval."), gettext_noop("See its approval")),
        _K.test: (gettext_noop("It has not been tested in this form."), gettext_noop("Send a test")),
        _K.running: (
            gettext_noop("Another campaign is already sending this edition to these partners."),
            gettext_noop("See that campaign"),
        ),
    }
)
FAULT_PATHS: Mapping[LaunchFaultKind, str] = MappingProxyType(
    {
        _K.segment: "/campaigns/{campaign}",
        _K.content: "/editions/{edition}/problems",
        _K.sender: "/settings/sender",
        _K.address: "/settings/pages",
        _K.audience: "/campaigns/{campaign}",
        _K.trial: "/trial",
        _K.approval: "/campaigns/{campaign}/approval",
        _K.test: "/campaigns/{campaign}",
        _K.running: "/campaigns",
    }
)
"""Where each of them is mended, below /studio."""


@dataclass(frozen=True, kw_only=True)
class FaultRow:
    """A fault as the page shows it: what is wrong, the details, and the page where it is mended."""

    words: str
    details: str
    act: str
    path: str


def list_faults(readiness: LaunchReadiness, translator: Translator) -> list[FaultRow]:
    """All that stands in the way of a launch."""
    return [_describe_fault(fault, readiness, translator) for fault in readiness.faults]


def _describe_fault(fault: LaunchFault, readiness: LaunchReadiness, translator: Translator) -> FaultRow:
    words, act = _WORDS[fault.kind]
    path = FAULT_PATHS[fault.kind].format(
        campaign=readiness.preparation.campaign_id, edition=quote(readiness.preparation.edition, safe="")
    )
    if fault.campaign_id is not None:
        path = f"/campaigns/{fault.campaign_id}/live"
    return FaultRow(
        words=translator.translate(words),
        details=fault.words,
        act=translator.translate(act),
        path=path,
    )


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


@ROUTES.get_route("/campaigns/{campaign}/launch", Permission.launch)
def show_launch(page: PageDep, campaign: CampaignNumber) -> Response:
    """Show what a launch would do, or the launch that waits."""
    with page.state.read_session() as session:
        place = read_place(session, campaign)
    if not place.is_launchable and not place.waits:
        return page.redirect(f"/campaigns/{campaign}/live")
    if place.waits:
        return render_pending(page, place)
    return render_launch(page, place)


@ROUTES.get_route("/campaigns/{campaign}/launch/check", Permission.launch)
def show_check(page: PageDep, campaign: CampaignNumber) -> Response:
    """The part of the page that comes late: what stands in the way, or the form."""
    with page.state.read_session() as session:
        place = read_place(session, campaign)
    if not place.is_launchable or place.waits:
        return _lead_on(page, place)
    return page.render("launch_check.html", status=200, **_describe_launch(page, place, [], ""))


@ROUTES.get_route("/campaigns/{campaign}/launch/pending", Permission.launch)
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
        **_describe_launch(page, place, errors or [], typed),
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


def _describe_launch(
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


_SEPARATORS = re.compile(r"[\s.,'’_]")
_MAX_DIGITS = 12


def read_typed_number(text: str) -> int | None:
    """The number that ``text`` is; None if it is none."""
    digits = _SEPARATORS.sub("", text)
    return int(digits) if digits.isdecimal() and len(digits) <= _MAX_DIGITS else None


_LONG_PATIENCE = 20.0
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NO_NUMBER = gettext_noop("Type the number of partners who get it, in digits.")
_OTHER_NUMBER = gettext_noop("You typed %(typed)s, and %(number)s partners get it.")
_NOT_READY = gettext_noop("It cannot be launched yet. Nothing was sent.")
_CHANGED = gettext_noop(
    "The campaign or the number of partners has changed since you opened the page. Nothing was sent. Look at "
    "it, then type the number again."
)
_SAME_PERSON = gettext_noop("You have asked for this launch. Another person has to confirm it.")
_WRONG_CONFIRMATION = gettext_noop("The launch is for %(number)s partners. Type that number to confirm it.")


@ROUTES.post_route("/campaigns/{campaign}/launch", Permission.launch)
def launch(page: PageDep, campaign: CampaignNumber, form: OwnFormDep) -> Response:
    """Ask for the launch of a campaign. It starts in ten seconds, or ten seconds after a second person has
    confirmed it."""
    with page.state.read_session() as session:
        place = read_place(session, campaign)
    if place.waits or not place.is_launchable:
        return page.redirect(place.path)
    # What was shown is known for some seconds; whoever took their time waits until it was looked at anew.
    readiness = find_readiness(page, place, patience=_LONG_PATIENCE)
    words = _find_error(page, form, readiness)
    if words:
        return render_launch(page, place, errors=[("count", words)], typed=form.get("count")[:20])
    assert readiness is not None  # noqa: S101 - without it there is an error
    return _ask(page, place, readiness)


def _find_error(page: StudioPage, form: Form, readiness: LaunchReadiness | None) -> str:
    """Why the form asks for no launch; "" if it does."""
    translate = page.translator.translate
    typed = read_typed_number(form.get("count"))
    if readiness is None or form.get("digest") != readiness.digest or not _DIGEST.fullmatch(readiness.digest):
        return translate(_CHANGED)
    if not readiness.is_ready:
        return translate(_NOT_READY)
    if typed is None:
        return translate(_NO_NUMBER)
    if typed != readiness.audience:
        return translate(_OTHER_NUMBER, typed=f"{typed:,}", number=f"{readiness.audience:,}")
    return ""


def _ask(page: StudioPage, place: LaunchPlace, readiness: LaunchReadiness) -> Response:
    needs_second = page.settings.campaigns.launch_by == "two"
    request = _make_request(readiness)
    try:
        with page.state.write_session() as session:
            now = read_clock(session.connection())
            pending = ask_launch(
                session, request, member_id=page.member.id, needs_second=needs_second, now=now
            )
            if pending.asked_at == now:
                record_activity(
                    session,
                    page.actor,
                    Act.asked_launch if needs_second else Act.launched_campaign,
                    edition=request.edition,
                    subject=str(request.campaign_id),
                    detail=_describe_request(request),
                    now=page.state.clock(),
                )
    except OtherLaunchError as error:
        return page.redirect(f"/campaigns/{error.campaign_id}/launch")
    except CampaignStateError:
        return page.redirect(place.path, Notice.campaign_changed)
    return page.redirect(place.path)


def _make_request(readiness: LaunchReadiness) -> LaunchRequest:
    preparation = readiness.preparation
    decided = preparation.decisions
    return LaunchRequest(
        campaign_id=preparation.campaign_id,
        edition=preparation.edition,
        segment=readiness.segment,
        again=decided.again,
        counts_clicks=readiness.counts_clicks,
        options=decided,
        digest=readiness.digest,
        count=readiness.audience,
        scheduled_at=decided.start_at,
        preparation_version=preparation.version,
    )


def _describe_request(request: LaunchRequest) -> str:
    at = f", at {request.scheduled_at:%Y-%m-%d %H:%M} UTC" if request.scheduled_at else ""
    return f"{request.count:,} partners, {request.segment}{at}"


@ROUTES.post_route("/campaigns/{campaign}/launch/undo", Permission.launch)
def undo(page: PageDep, campaign: CampaignNumber, form: OwnFormDep) -> Response:
    """Undo a launch that has not begun."""
    number = read_typed_number(form.get("number")) or 0
    with page.state.write_session() as session:
        place = read_place(session, campaign)
        pending = read_pending_launch(session, number)
        if pending is None or pending.request.campaign_id != campaign:
            return page.redirect(place.path)
        is_undone = undo_launch(session, number, now=read_clock(session.connection()))
        if is_undone:
            record_activity(
                session,
                page.actor,
                Act.undid_launch,
                edition=pending.request.edition,
                subject=str(campaign),
                now=page.state.clock(),
            )
    if is_undone or pending.launched_id is None:
        # The other window, or a first click, has undone it.
        is_over = is_undone or pending.state is PendingLaunchState.undone
        return page.redirect(place.path, Notice.launch_undone if is_over else None)
    return page.redirect(f"/campaigns/{pending.campaign_id}/live", Notice.launch_begun)


@ROUTES.post_route("/campaigns/{campaign}/launch/confirm", Permission.launch)
def confirm(page: PageDep, campaign: CampaignNumber, form: OwnFormDep) -> Response:
    """Confirm a launch as the second person; it starts in ten seconds."""
    number = read_typed_number(form.get("number")) or 0
    count = read_typed_number(form.get("count"))
    words, expected = "", 0
    try:
        with page.state.write_session() as session:
            pending = read_pending_launch(session, number)
            if pending is None or pending.request.campaign_id != campaign:
                return page.redirect(f"/campaigns/{campaign}/launch")
            expected = pending.request.count
            now = read_clock(session.connection())
            confirmed = confirm_launch(
                session, number, count=-1 if count is None else count, member_id=page.member.id, now=now
            )
            if confirmed != pending:
                record_activity(
                    session,
                    page.actor,
                    Act.launched_campaign,
                    edition=pending.request.edition,
                    subject=str(campaign),
                    detail=f"confirmed: {_describe_request(pending.request)}",
                    now=page.state.clock(),
                )
    except SamePersonError:
        words = page.translator.translate(_SAME_PERSON)
    except OtherCountError:
        words = page.translator.translate(_WRONG_CONFIRMATION, number=f"{expected:,}")
    except PendingLaunchError:
        return page.redirect(f"/campaigns/{campaign}/launch", Notice.campaign_changed)
    else:
        return page.redirect(f"/campaigns/{campaign}/launch", Notice.launch_confirmed)
    with page.state.read_session() as session:
        place = read_place(session, campaign)
    return render_pending(page, place, errors=[("count", words)])


_FORGOTTEN = timedelta(days=30)


def _list_items(page: StudioPage) -> Iterator[WaitingItem]:
    translate = page.translator.translate
    with page.state.read_session() as session:
        now = read_clock(session.connection())
        not_started = list_not_started(session, since=now - _FORGOTTEN, now=now)
        waiting = list_unconfirmed(session, now=now)
        names = {one.number: find_member(session, one.asked_by) for one in waiting}
    for one in not_started:
        # Whoever has launched it and gone believes that it was sent.
        yield WaitingItem(
            title=one.request.edition,
            words=translate(gettext_noop("The last launch did not start. Nothing was sent.")),
            act=translate(gettext_noop("See what to do")),
            path=f"/campaigns/{one.request.campaign_id}/launch",
            tone="wrong",
        )
    for one in waiting:
        asked_by = names[one.number]
        is_own = one.asked_by == page.member.id
        yield WaitingItem(
            title=one.request.edition,
            words=translate(
                gettext_noop("%(name)s wants to send it to %(number)s partners"),
                name=asked_by.name if asked_by is not None else "…",
                number=f"{one.request.count:,}",
            ),
            act=translate(gettext_noop("Confirm the launch")),
            path=f"/campaigns/{one.request.campaign_id}/launch",
            tone="wrong",
            waits_for=translate(gettext_noop("a second person")) if is_own else "",
        )


WAITING_LAUNCHES = WaitingSource(
    name=gettext_noop("Launches"), permission=Permission.launch, list_items=_list_items
)
