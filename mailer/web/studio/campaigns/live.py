"""A campaign while it is sent: its numbers live, pausing and cancelling it, and the machines that send."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlmodel import Session, col, select
from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.lifecycle import (
    CampaignStateError,
    cancel_campaign,
    pause_campaign,
    resume_campaign,
)
from mailer.campaigns.pending_launches import LAUNCHABLE_STATES
from mailer.campaigns.progress import CampaignProgress, ProgressReader
from mailer.campaigns.report.reasons import ReasonGroup
from mailer.campaigns.trial import read_trial
from mailer.campaigns.worker import list_processes
from mailer.database.models import CampaignState, Delivery
from mailer.dispatch.deliveries import Counts
from mailer.i18n import Translator, gettext_noop
from mailer.reasons.reason import Fault
from mailer.team.members import Permission
from mailer.team.sessions import find_signed_in
from mailer.web.page_renderer import PageRenderer
from mailer.web.server import find_stop_event
from mailer.web.studio.campaign_place import CampaignNumber, load_campaign, read_campaign
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.status_words import DELIVERY_WORDS
from subscribers.address import normalise_address
from subscribers.errors import AddressError
from subscribers.models import Subscriber

ROUTES = Routes()

_LASTS = 60.0
_HEARTBEAT = 10.0
_RETRY_MILLISECONDS = 1500

Render = Callable[[PageRenderer, CampaignProgress, Translator], str]


async def stream_progress(page: StudioPage, reader: ProgressReader, render: Render) -> AsyncIterator[bytes]:
    """Send each reading of a campaign that says something new, until the stream's time is over."""
    loop = asyncio.get_running_loop()
    stopping = find_stop_event(page.request.scope)
    latest: list[CampaignProgress] = []
    changed = asyncio.Event()

    def take(progress: CampaignProgress) -> None:
        latest[:] = [progress]
        changed.set()

    def listen(progress: CampaignProgress) -> None:
        loop.call_soon_threadsafe(take, progress)

    reader.add_listener(listen)
    try:
        yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
        # Pages are opened together, when a campaign begins. What costs something is spread over time, or they
        # would all ask for it in one moment, and a reader who leaves just then would wait for them.
        part = random.uniform(0.1, 1)  # noqa: S311 - spreads look-ups, guards nothing
        ends_at = loop.time() + _LASTS * (1 - part / 4)
        beats_at, told = loop.time() + _HEARTBEAT * part, ""
        while loop.time() < ends_at and not stopping.is_set():
            await _wait_for(changed, stopping, seconds=1.0)
            if changed.is_set() and latest:
                changed.clear()
                fragment = _render_once(page, latest[0], render)
                if fragment != told:
                    told = fragment
                    yield encode_event("progress", fragment)
            if loop.time() >= beats_at:
                beats_at = loop.time() + _HEARTBEAT
                if not await asyncio.to_thread(_is_signed_in, page):
                    yield encode_event("ended", "")
                    return
                yield b": still here\n\n"
    finally:
        reader.remove_listener(listen)


def encode_event(name: str, data: str) -> bytes:
    """An event with lines of data, as the standard wants them."""
    lines = "\n".join(f"data: {line}" for line in data.splitlines()) or "data:"
    return f"event: {name}\n{lines}\n\n".encode()


def _render_once(page: StudioPage, progress: CampaignProgress, render: Render) -> str:
    """Render a reading once for all who read it in the same language."""
    renderer, translator = page.state.renderer, page.translator
    key = (progress.campaign_id, progress.read_at, translator.tag)
    return page.state.fragments.get_or_create(key, lambda: render(renderer, progress, translator))


async def _wait_for(*events: asyncio.Event, seconds: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _is_signed_in(page: StudioPage) -> bool:
    """Whether the session that opened the stream still is one, of a member with the same role."""
    state = page.state
    secret = page.request.cookies.get(state.cookie_name, "")
    with state.read_session() as session:
        found = find_signed_in(session, secret, lifetime=state.session_lifetime, now=state.clock())
    return found is not None and found.member.role is page.member.role


TERM_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "sent": gettext_noop("sent"),
        "rejected": gettext_noop("refused"),
        "failed": gettext_noop("failed"),
        "suppressed": gettext_noop("left before their turn"),
        "in_doubt": gettext_noop("in doubt"),
        "on_way": gettext_noop("being sent"),
        "deferred": gettext_noop("put off by their server"),
        "queued": gettext_noop("still to send"),
    }
)
"""What the terms of a campaign's sum are called."""
_NEVER_SENT = gettext_noop("do not get it")
"""What is called the rest of a campaign that was cancelled."""

_FAULT_WORDS: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.reader: gettext_noop("The fault is on the partner’s side."),
        Fault.sender: gettext_noop("The fault is on our side."),
        Fault.provider: gettext_noop("The fault is with the provider, or on the way."),
        Fault.nobody: gettext_noop("Nobody is at fault."),
    }
)


@dataclass(frozen=True, kw_only=True)
class SumTerm:
    """A number of the sum: what it is called, how many, and the name of its colour."""

    name: str
    words: str
    number: int


@dataclass(frozen=True, kw_only=True)
class BarPart:
    """A part of the bar, in hundredths of its length."""

    name: str
    start: float
    width: float


@dataclass(frozen=True, kw_only=True)
class RefusalRow:
    """What servers said, how often, whose fault it is and what it means; empty where that is not known."""

    words: str
    number: int
    state: str
    fault: str
    meaning: str


def describe_state(progress: CampaignProgress, translator: Translator) -> tuple[str, str]:
    """The words and the tone for a campaign's state."""
    translate = translator.translate
    if progress.state is CampaignState.paused and progress.canary is not None:
        return translate(
            gettext_noop("Paused after the first %(number)s"), number=str(progress.canary)
        ), "careful"
    if progress.state is CampaignState.sending and not progress.senders:
        return translate(gettext_noop("Waits to be sent")), "careful"
    return translate(progress.state.words), progress.state.tone


def list_terms(progress: CampaignProgress, translator: Translator) -> list[SumTerm]:
    """The terms of the sum, but for those that are nothing and seldom are anything."""
    always = {"sent", "rejected", "queued"}
    words = TERM_WORDS
    if progress.state is CampaignState.cancelled:
        words = {**TERM_WORDS, "queued": _NEVER_SENT, "deferred": _NEVER_SENT}
    return [
        SumTerm(name=name, words=translator.translate(words[name]), number=number)
        for name, number in progress.list_terms()
        if number or name in always
    ]


def list_bar_parts(terms: Sequence[SumTerm], audience: int) -> list[BarPart]:
    """The parts of a bar that is 100 long."""
    parts, start = [], 0.0
    for term in terms:
        width = 100 * term.number / audience if audience else 0.0
        if width:
            parts.append(BarPart(name=term.name, start=round(start, 2), width=round(width, 2)))
        start += width
    return parts


def describe_time_left(progress: CampaignProgress, translator: Translator) -> str:
    """How long the rest will take, in words; "" if that is not known."""
    seconds = progress.seconds_left
    if seconds is None:
        return ""
    count = translator.translations.ngettext
    if seconds < 90:
        return count("About %(num)s second left", "About %(num)s seconds left", seconds) % {"num": seconds}
    if seconds < 90 * 60:
        minutes = round(seconds / 60)
        return count("About %(num)s minute left", "About %(num)s minutes left", minutes) % {"num": minutes}
    hours = round(seconds / 3600)
    return count("About %(num)s hour left", "About %(num)s hours left", hours) % {"num": hours}


def list_refusals(groups: Sequence[ReasonGroup], translator: Translator) -> list[RefusalRow]:
    """Why some did not get it, or not yet, the most frequent first."""
    return [_describe_group(group, translator) for group in groups]


def _describe_group(group: ReasonGroup, translator: Translator) -> RefusalRow:
    told = group.explain()
    state, _ = DELIVERY_WORDS[group.state]
    return RefusalRow(
        words=group.reason,
        number=group.number,
        state=translator.translate(state),
        fault=translator.translate(_FAULT_WORDS[told.fault]) if told else "",
        meaning=f"{told.means} {told.advice}" if told else "",
    )


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


@ROUTES.get_route("/campaigns/{campaign}/live", Permission.read)
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


@ROUTES.get_route("/campaigns/{campaign}/live/events", Permission.read)
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


@ROUTES.post_route("/campaigns/{campaign}/pause", Permission.prepare)
def pause(page: PageDep, campaign: CampaignNumber) -> Response:
    """Pause a campaign: what is being sent is finished, and nothing more is begun."""
    return _change(page, campaign, _pause, Act.paused_campaign, Notice.campaign_paused)


@ROUTES.post_route("/campaigns/{campaign}/resume", Permission.launch)
def resume(page: PageDep, campaign: CampaignNumber) -> Response:
    """Let a campaign go on; a canary is over then."""
    return _change(page, campaign, _resume, Act.resumed_campaign, Notice.campaign_resumed)


@ROUTES.get_route("/campaigns/{campaign}/cancel", Permission.launch)
def show_cancelling(page: PageDep, campaign: CampaignNumber) -> Response:
    """Show what cancelling a campaign would leave unsent."""
    row = load_campaign(page, campaign)
    if row.state in {CampaignState.finished, CampaignState.cancelled, *LAUNCHABLE_STATES}:
        return page.redirect(f"/campaigns/{campaign}")
    progress = page.state.progress.watch(campaign).await_reading(_PATIENCE)
    counts: Counts | None = progress.counts if progress is not None else None
    return page.render("campaign_cancel.html", section="campaigns", campaign=row, counts=counts)


@ROUTES.post_route("/campaigns/{campaign}/cancel", Permission.launch)
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


@ROUTES.get_route("/machines", Permission.read)
def show_machines(page: PageDep) -> Response:
    """Show the programs that send, and say if there is none."""
    processes = list_processes(page.state.workspace, page.state.engine)
    return page.render(
        "machines.html",
        section="campaigns",
        workers=[one for one in processes if one.is_worker],
        others=[one for one in processes if not one.is_worker],
        has_worker=any(one.is_worker and one.is_alive for one in processes),
    )
