"""A campaign while it is sent: its numbers live, pausing and cancelling it, who is in doubt, the machines.

The numbers come as server-sent events (WHATWG HTML §9.2), one fragment a second. A stream ends within a
minute, and the browser opens another: settings that have changed meanwhile, a session that has ended and a
proxy that has lost the line are noticed soon. It ends at once when the server stops.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlmodel import Session, col, select
from starlette.responses import Response, StreamingResponse

from mailer.activity import deeds
from mailer.activity.deeds import Deed
from mailer.campaigns.doubt_resolution import RecordResolution, Resolution, resolve_by_log, resolve_chosen
from mailer.campaigns.lifecycle import (
    CampaignStateError,
    cancel_campaign,
    find_campaign,
    pause_campaign,
    resume_campaign,
)
from mailer.campaigns.pending_launches import LAUNCHABLE_STATES
from mailer.campaigns.progress import CampaignProgress, ProgressReader
from mailer.campaigns.report.doubts import (
    find_dead_dispatchers,
    find_doubt_cause,
    find_held_messages,
    group_doubts,
    group_settled,
    list_doubts,
    make_message_id,
)
from mailer.campaigns.trial import read_trial
from mailer.campaigns.worker import list_processes
from mailer.database.models import CampaignState, Delivery
from mailer.dispatch.postfix_log import PostfixLogError
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.team.sessions import find_signed_in
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.server import find_stop_event
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep
from mailer.web.studio.notices import Notice, find_notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.upload import SentFormDep
from subscribers.errors import SubscriberError
from subscribers.queries import find_subscriber

ROUTES = Routes()
_PATIENCE = 0.1
"""How many seconds a page waits for numbers that nobody has read yet."""

_EVENTS = "text/event-stream"
_OVER_STATES = frozenset({CampaignState.finished, CampaignState.cancelled})
_LASTS = 60.0
_HEARTBEAT = 10.0
_RETRY_MILLISECONDS = 1500
_DOUBTS_ON_PAGE = 50
_MAX_DIGITS = 18
_NO_LOG = gettext_noop("Choose a log of your Postfix relay.")
_ACTS = {"arrived": True, "again": False}


@ROUTES.get_route("/campaigns/{campaign}/live", Permission.read)
def show_live(page: CampaignPageDep) -> Response:
    state = page.campaign.state
    if state in LAUNCHABLE_STATES:
        return page.go_back()
    asked = page.request.query_params.get("address", "").strip()[:320]
    looks_for = asked if page.may(Permission.see_partners) else ""
    reader = delivery = None
    if looks_for:
        with suppress(SubscriberError):
            reader = find_subscriber(page.session, looks_for)
            own = (col(Delivery.campaign_id) == page.number, col(Delivery.subscriber_id) == reader.id)
            delivery = page.session.exec(select(Delivery).where(*own)).first()
    notice = find_notice(page.request.query_params.get("notice", ""))
    has_halted = state is CampaignState.paused and notice == Notice.campaign_resumed.words
    return page.render(
        "live.html",
        notice=Notice.campaign_halted.words if has_halted else notice,
        is_mail_stuck=state is CampaignState.paused and bool(page.state.sign_in_mailer.problem),
        notice_tone="wrong" if has_halted else "right",
        is_trial=read_trial(page.session.connection()).is_on,
        is_over=state in _OVER_STATES,
        asked=asked,
        looks_for=looks_for,
        reader=reader,
        delivery=delivery,
        **_describe_progress(page, _read_progress(page)),
    )


def _read_progress(page: CampaignPage) -> CampaignProgress | None:
    return page.state.progress.watch(page.number).await_reading(_PATIENCE)


def _describe_progress(page: StudioPage, progress: CampaignProgress | None) -> dict[str, Any]:
    """Return what ``live_progress.html`` shows; ``progress`` is None while it is counted."""
    if progress is None:
        return {"progress": None}
    words, tone = progress.state.words, progress.state.tone
    if progress.state is CampaignState.paused and progress.canary is not None:
        words, tone = gettext_noop("Paused after the first %(number)s"), "careful"
    elif progress.state is CampaignState.sending and not progress.senders:
        words, tone = gettext_noop("Waits to be sent"), "careful"
    return {
        "progress": progress,
        "state_words": page.translate(words, number=str(progress.canary)),
        "state_tone": tone,
        "terms": list(progress.list_shown_terms()),
        "bar_parts": list(progress.list_bar_parts()),
        "time_left": _describe_time_left(page, progress.seconds_left),
    }


def _describe_time_left(page: StudioPage, seconds: int | None) -> str:
    """Return how long the rest will take, in words; "" if that is not known."""
    if seconds is None:
        return ""
    if seconds < 90:
        return page.ngettext("About %(num)s second left", "About %(num)s seconds left", seconds)
    if seconds < 90 * 60:
        return page.ngettext("About %(num)s minute left", "About %(num)s minutes left", round(seconds / 60))
    return page.ngettext("About %(num)s hour left", "About %(num)s hours left", round(seconds / 3600))


@ROUTES.get_route("/campaigns/{campaign}/live/events", Permission.read)
def show_events(page: CampaignPageDep) -> Response:
    if page.request.method == "HEAD":
        return Response(media_type=_EVENTS)
    stream = _stream_progress(page, page.state.progress.watch(page.number))
    return StreamingResponse(stream, media_type=_EVENTS, headers={"x-accel-buffering": "no"})


async def _stream_progress(page: StudioPage, reader: ProgressReader) -> AsyncIterator[bytes]:
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
                fragment = _render_progress(page, latest[0])
                if fragment != told:
                    told = fragment
                    yield _encode_event("progress", fragment)
            if loop.time() >= beats_at:
                beats_at = loop.time() + _HEARTBEAT
                if not await asyncio.to_thread(_is_signed_in, page):
                    yield _encode_event("ended", "")
                    return
                yield b": still here\n\n"
    finally:
        reader.remove_listener(listen)


def _encode_event(name: str, data: str) -> bytes:
    """Return an event with lines of data, as the standard wants them."""
    lines = "\n".join(f"data: {line}" for line in data.splitlines()) or "data:"
    return f"event: {name}\n{lines}\n\n".encode()


def _render_progress(page: StudioPage, progress: CampaignProgress) -> str:
    """Render a reading once for all who read it in the same language, whoever they are."""
    renderer, translator = page.state.renderer, page.translator

    def render() -> str:
        values = _describe_progress(page, progress)
        made = renderer.render("studio/live_progress.html", translator, status=200, **values)
        return bytes(made.body).decode()

    key = (progress.campaign_id, progress.read_at, translator.tag)
    return page.state.fragments.get_or_create(key, render)


async def _wait_for(*events: asyncio.Event, seconds: float) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _is_signed_in(page: StudioPage) -> bool:
    """Return whether the session that opened the stream still is one, of a member with the same role."""
    state = page.state
    secret = page.request.cookies.get(state.cookie_name, "")
    with state.read_session() as session:
        found = find_signed_in(session, secret, lifetime=state.session_lifetime, now=state.clock())
    return found is not None and found.member.role is page.member.role


@ROUTES.post_route("/campaigns/{campaign}/pause", Permission.prepare)
def pause(page: CampaignPageDep) -> Response:
    """Pause a campaign: what is being sent is finished, and nothing more is begun."""
    return _change(page, pause_campaign, deeds.paused_campaign, Notice.campaign_paused)


@ROUTES.post_route("/campaigns/{campaign}/resume", Permission.launch)
def resume(page: CampaignPageDep) -> Response:
    """Let a campaign go on; a canary is over then."""
    return _change(page, resume_campaign, deeds.resumed_campaign, Notice.campaign_resumed)


@ROUTES.get_route("/campaigns/{campaign}/cancel", Permission.launch)
def show_cancelling(page: CampaignPageDep) -> Response:
    if page.campaign.state in {*_OVER_STATES, *LAUNCHABLE_STATES}:
        return page.go_back()
    progress = _read_progress(page)
    return page.render("campaign_cancel.html", counts=progress.counts if progress is not None else None)


@ROUTES.post_route("/campaigns/{campaign}/cancel", Permission.launch)
def cancel(page: CampaignPageDep) -> Response:
    require_confirmed(page)
    return _change(page, cancel_campaign, deeds.cancelled_campaign, Notice.campaign_cancelled)


def _change(
    page: CampaignPage, change: Callable[..., object], make: Callable[..., Deed], notice: Notice
) -> Response:
    try:
        with page.writing() as session:
            row = find_campaign(session, page.number)
            before = (row.state, row.state_reason)
            change(session, page.number, now=page.state.clock())
            row = find_campaign(session, page.number)
            # A second click changes nothing, and is no second act.
            if (row.state, row.state_reason) != before:
                # The history keeps why it was paused, which the campaign forgets.
                reason = [before[1]] if make is deeds.resumed_campaign else []
                page.log(session, make, *reason)
    except CampaignStateError:
        return page.go_back(Notice.campaign_changed, "/live")
    page.state.progress.refresh(page.number)
    return page.go_back(notice, "/live")


@ROUTES.get_route("/machines", Permission.read)
def show_machines(page: PageDep) -> Response:
    processes = list_processes(page.state.workspace, page.state.engine)
    return page.render(
        "machines.html",
        workers=[one for one in processes if one.is_worker],
        others=[one for one in processes if not one.is_worker],
        has_worker=any(one.is_worker and one.is_alive for one in processes),
    )


@ROUTES.get_route("/campaigns/{campaign}/doubts", Permission.see_partners)
def show_doubts(page: CampaignPageDep) -> Response:
    return _render_doubts(page)


@ROUTES.post_route("/campaigns/{campaign}/doubts", Permission.launch)
def settle_doubts(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Settle one, all from the same cause, or all. What is no longer in doubt stays as it is."""
    arrived, state = _ACTS.get(form.get("act")), page.state
    if arrived is None:
        return page.go_back(below="/doubts")
    chosen = _find_chosen(page, form.get("what"), form.get("cause"))
    page.end_reading()
    try:
        done = resolve_chosen(
            state.workspace,
            state.engine,
            page.number,
            chosen,
            arrived=arrived,
            now=state.clock(),
            record=_make_record(page, arrived=arrived),
        )
    except CampaignStateError:
        return page.go_back(Notice.campaign_changed, "/doubts")
    state.progress.refresh(page.number)
    if not (done.sent or done.queued):
        return page.go_back(Notice.doubts_gone, "/doubts")
    return page.go_back(Notice.doubts_requeued if done.queued else Notice.doubts_settled, "/doubts")


def _find_chosen(page: CampaignPage, what: str, cause: str) -> set[int]:
    """Return the numbers of the deliveries that a form is about."""
    number, workspace = read_number(what, digits=_MAX_DIGITS), page.state.workspace
    if number is not None:
        return {number}
    if what not in {"group", "all"}:
        return set()
    dead = find_dead_dispatchers(workspace, page.state.engine, page.number)
    doubts = list_doubts(page.session.connection(), page.number, dead)
    return {one.id for one in doubts if what == "all" or find_doubt_cause(one.code, one.reason) == cause}


def _make_record(page: CampaignPage, *, arrived: bool | None) -> RecordResolution:
    def record(connection: Connection, sent: int, queued: int) -> None:
        if not (sent or queued):
            return
        with Session(connection) as session:
            if queued and find_campaign(session, page.number).state is CampaignState.finished:
                # What is sent again is sent at once, and not when somebody thinks of it.
                resume_campaign(session, page.number, now=page.state.clock())
            page.log(session, deeds.resolved_doubts, sent + queued, arrived=arrived)
            session.flush()

    return record


@ROUTES.post_route("/campaigns/{campaign}/doubts/log", Permission.launch)
def settle_doubts_by_log(page: CampaignPageDep, form: SentFormDep) -> Response:
    content, state = form.values.get("log", b""), page.state
    if not content:
        return _render_doubts(page, ("log", page.translate(_NO_LOG)))
    try:
        done = resolve_by_log(
            state.workspace,
            state.engine,
            page.number,
            [Path("-")],
            resend_missing=form.text("again") == "1",
            now=state.clock(),
            standard_input=BytesIO(content),
            record=_make_record(page, arrived=None),
        )
    except PostfixLogError as error:
        return _render_doubts(page, ("log", str(error)))
    except CampaignStateError:
        return page.go_back(Notice.campaign_changed, "/doubts")
    state.progress.refresh(page.number)
    return _render_doubts(page, told=done)


def _render_doubts(page: CampaignPage, *errors: tuple[str, str], told: Resolution | None = None) -> Response:
    workspace, connection, number = page.state.workspace, page.session.connection(), page.number
    after = read_number(page.request.query_params.get("after", ""), digits=_MAX_DIGITS) or 0
    dead = find_dead_dispatchers(workspace, page.state.engine, number)
    doubts = list_doubts(connection, number, dead, after=after, limit=_DOUBTS_ON_PAGE + 1)
    groups = group_doubts(connection, number, dead)
    return page.render(
        "doubts.html",
        doubts=doubts[:_DOUBTS_ON_PAGE],
        find_cause=find_doubt_cause,
        find_message_id=partial(make_message_id, number, workspace=workspace),
        following=doubts[_DOUBTS_ON_PAGE - 1].id if len(doubts) > _DOUBTS_ON_PAGE else None,
        total=sum(counts.total() for _, counts in groups),
        groups=groups,
        settled=group_settled(connection, number),
        held=find_held_messages(connection, number, [one.subscriber_id for one in doubts]),
        may_send_again=page.campaign.state is not CampaignState.cancelled,
        errors=errors,
        told=told,
    )
