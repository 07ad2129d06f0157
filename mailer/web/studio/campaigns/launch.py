"""Launching a campaign: what will happen, the number to type, undoing it, a second person, and trial mode."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import quote

from starlette.responses import Response

from mailer.activity import deeds
from mailer.campaigns.launch_faults import LaunchFault, LaunchFaultKind
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
from mailer.campaigns.preparation.preparation import Decisions
from mailer.campaigns.readiness import Readiness
from mailer.campaigns.trial import TrialError, begin_trial, end_trial, find_private_links, read_trial
from mailer.campaigns.worker import count_workers
from mailer.database.engine import read_clock
from mailer.database.launch_models import PendingLaunchState
from mailer.doctor import Health, diagnose_workspace
from mailer.doctor.diagnosis import keep_diagnosis
from mailer.i18n import gettext_noop
from mailer.team.members import Permission, list_members
from mailer.web.forms import Form, OwnFormDep
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import say_segment
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.waiting_item import WaitingItem

ROUTES = Routes()
_PATIENCE, _LONG_PATIENCE = 0.08, 20.0
"""How many seconds a page, and an act, wait for what is not known yet."""

_K = LaunchFaultKind
FAULT_ACTS: Mapping[LaunchFaultKind, tuple[str, str]] = MappingProxyType(
    {
        _K.segment: ("/campaigns/{campaign}", gettext_noop("Choose who gets it")),
        _K.content: ("/editions/{edition}/problems", gettext_noop("See its problems")),
        _K.sender: ("/settings/sender", gettext_noop("Change the sender’s settings")),
        _K.address: ("/settings/pages", gettext_noop("Change the web settings")),
        _K.links: ("/settings/pages", gettext_noop("Change the web settings")),
        _K.audience: ("/campaigns/{campaign}", gettext_noop("Choose who gets it")),
        _K.people: ("/campaigns/{campaign}/launch", gettext_noop("Confirm the launch")),
        _K.trial: ("/trial", gettext_noop("See trial mode")),
        _K.approval: ("/campaigns/{campaign}/approval", gettext_noop("See its approval")),
        _K.test: ("/campaigns/{campaign}", gettext_noop("Send a test")),
        _K.running: ("/campaigns", gettext_noop("See that campaign")),
    }
)
"""Where each of them is mended, below /studio, and what the link to it says."""

_NO_NUMBER = gettext_noop("Type the number of partners who get it, in digits.")
_OTHER_NUMBER = gettext_noop("You typed %(typed)s, and %(number)s partners get it.")
_NOT_READY = gettext_noop("It cannot be launched yet. Nothing was sent.")
_CHANGED = gettext_noop(
    "The campaign or the number of partners has changed since you opened the page. Nothing was sent. Look at "
    "it, then type the number again."
)
_SAME_PERSON = gettext_noop("You have asked for this launch. Another person has to confirm it.")
_WRONG_CONFIRMATION = gettext_noop("The launch is for %(number)s partners. Type that number to confirm it.")
_SEPARATORS = re.compile(r"[\s.,'’_]")
_MAX_DIGITS = 12
_SAID_STATES = frozenset({PendingLaunchState.refused, PendingLaunchState.expired})
_FORGOTTEN = timedelta(days=30)


@ROUTES.get_route("/campaigns/{campaign}/launch", Permission.launch)
def show_launch(page: CampaignPageDep) -> Response:
    pending = _find_pending(page)
    if pending is not None and pending.is_active:
        return _render_pending(page, pending)
    if not _is_launchable(page):
        return page.go_back(below="/live")
    return _render(page, pending)


@ROUTES.get_route("/campaigns/{campaign}/launch/check", Permission.launch)
def show_check(page: CampaignPageDep) -> Response:
    """The part of the page that comes late: what stands in the way, or the form."""
    pending = _find_pending(page)
    if not _is_launchable(page) or (pending is not None and pending.is_active):
        return _lead_on(page, pending)
    return _render(page, pending, template="launch_check.html")


@ROUTES.get_route("/campaigns/{campaign}/launch/pending", Permission.launch)
def show_pending(page: CampaignPageDep) -> Response:
    """The part of the page that counts the seconds; once they are over, the browser is led on."""
    pending = _find_pending(page)
    if pending is None or not pending.is_active:
        return _lead_on(page, pending)
    return _render_pending(page, pending, template="launch_pending.html")


@ROUTES.post_route("/campaigns/{campaign}/launch", Permission.launch)
def ask(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Ask for the launch of a campaign. It starts in ten seconds, or ten seconds after a second person has
    confirmed it."""
    pending = _find_pending(page)
    if not _is_launchable(page) or (pending is not None and pending.is_active):
        return page.go_back(below="/launch")
    page.end_reading()
    # What was shown is known for some seconds; whoever took their time waits until it was looked at anew.
    readiness = _find_readiness(page, patience=_LONG_PATIENCE)
    words = _find_error(page, form, readiness)
    if words or readiness is None or readiness.plan is None or page.preparation is None:
        return _render(page, pending, words, typed=form.get("count")[:20])
    plan, decided = readiness.plan, page.preparation.decisions
    request = LaunchRequest(
        campaign_id=page.number,
        edition=plan.edition,
        segment=plan.segment.text,
        again=plan.again,
        counts_clicks=plan.counts_clicks,
        options=decided,
        digest=plan.digest,
        count=plan.audience,
        scheduled_at=decided.start_at,
        preparation_version=page.preparation.version,
    )
    needs_second = page.settings.campaigns.launch_by == "two"
    try:
        with page.writing() as session:
            now = read_clock(session.connection())
            asked = ask_launch(session, request, member_id=page.member.id, needs_second=needs_second, now=now)
            if asked.asked_at == now:
                make = deeds.asked_launch if needs_second else deeds.launched_campaign
                page.log(session, make, request.describe())
    except OtherLaunchError as error:
        return page.redirect(f"/campaigns/{error.campaign_id}/launch")
    except CampaignStateError:
        return page.go_back(Notice.campaign_changed, "/launch")
    return page.go_back(below="/launch")


@ROUTES.post_route("/campaigns/{campaign}/launch/undo", Permission.launch)
def undo(page: CampaignPageDep, form: OwnFormDep) -> Response:
    number = _read_typed_number(form.get("number")) or 0
    with page.writing() as session:
        pending = read_pending_launch(session, number)
        if pending is None or pending.request.campaign_id != page.number:
            return page.go_back(below="/launch")
        is_undone = undo_launch(session, number, now=read_clock(session.connection()))
        if is_undone:
            page.log(session, deeds.undid_launch)
    if is_undone or pending.launched_id is None:
        # The other window, or a first click, has undone it.
        is_over = is_undone or pending.state is PendingLaunchState.undone
        return page.go_back(Notice.launch_undone if is_over else None, "/launch")
    return page.redirect(f"/campaigns/{pending.campaign_id}/live", Notice.launch_begun)


@ROUTES.post_route("/campaigns/{campaign}/launch/confirm", Permission.launch)
def confirm(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Confirm a launch as the second person; it starts in ten seconds."""
    number, count = _read_typed_number(form.get("number")) or 0, _read_typed_number(form.get("count"))
    try:
        with page.writing() as session:
            pending = read_pending_launch(session, number)
            if pending is None or pending.request.campaign_id != page.number:
                return page.go_back(below="/launch")
            confirmed = confirm_launch(
                session,
                number,
                count=-1 if count is None else count,
                member_id=page.member.id,
                now=read_clock(session.connection()),
            )
            if confirmed != pending:
                audience = pending.request.describe()
                page.log(session, deeds.launched_campaign, audience, is_confirmation=True)
    except SamePersonError:
        words = page.translate(_SAME_PERSON)
    except OtherCountError as error:
        words = page.translate(_WRONG_CONFIRMATION, number=f"{error.count:,}")
    except PendingLaunchError:
        return page.go_back(Notice.campaign_changed, "/launch")
    else:
        return page.go_back(Notice.launch_confirmed, "/launch")
    return _render_pending(page, or_404(_find_pending(page)), words)


def _find_pending(page: CampaignPage) -> PendingLaunch | None:
    return find_pending_launch(page.session, page.number, now=read_clock(page.session.connection()))


def _is_launchable(page: CampaignPage) -> bool:
    return page.campaign.state in LAUNCHABLE_STATES


def _lead_on(page: CampaignPage, pending: PendingLaunch | None) -> Response:
    """Lead the browser to where the campaign is now: htmx follows this header, and a person the redirect."""
    target, notice = f"{page.path}/launch", None
    if not _is_launchable(page):
        target = f"/campaigns/{pending.campaign_id if pending is not None else page.number}/live"
    elif pending is not None and pending.state is PendingLaunchState.undone:
        # Another window may have undone it, or this one: its question may be answered after its own act.
        notice = Notice.launch_undone
    if not page.is_fragment:
        return page.redirect(target, notice)
    return Response(status_code=204, headers={"hx-redirect": page.make_path(target, notice)})


def _find_readiness(page: CampaignPage, *, patience: float = _PATIENCE) -> Readiness | None:
    """Return what is known of the campaign; None while it is being checked, or if it was never prepared."""
    if page.preparation is None:
        return None
    return page.state.readiness.check(page.preparation, page.member.name, patience=patience)


def _find_error(page: StudioPage, form: Form, readiness: Readiness | None) -> str:
    """Return why the form asks for no launch; "" if it does."""
    plan = readiness.plan if readiness is not None else None
    typed = _read_typed_number(form.get("count"))
    if readiness is None or plan is None or form.get("digest") != plan.digest:
        return page.translate(_CHANGED)
    if not readiness.is_ready:
        return page.translate(_NOT_READY)
    if typed is None:
        return page.translate(_NO_NUMBER)
    if typed != plan.audience:
        return page.translate(_OTHER_NUMBER, typed=f"{typed:,}", number=f"{plan.audience:,}")
    return ""


def _read_typed_number(text: str) -> int | None:
    """Return the number that somebody has typed, with or without signs between its thousands."""
    digits = _SEPARATORS.sub("", text)
    return int(digits) if digits.isdecimal() and len(digits) <= _MAX_DIGITS else None


def _render(
    page: CampaignPage,
    last: PendingLaunch | None,
    error: str = "",
    *,
    typed: str = "",
    template: str = "launch.html",
) -> Response:
    readiness, prepared, settings = _find_readiness(page), page.preparation, page.settings
    decided = prepared.decisions if prepared is not None else Decisions()
    plan = readiness.plan if readiness is not None else None
    rate, segment_words = settings.campaigns.rate, ""
    if plan is not None:
        segment_words = say_segment(page, page.session, decided.segment or "", plan.in_words)
    return page.render(
        template,
        last=last if last is not None and last.state in _SAID_STATES else None,
        readiness=readiness,
        plan=plan,
        faults=list(_list_faults(page, readiness)) if readiness is not None else [],
        segment_words=segment_words,
        errors=[("count", error)] if error else [],
        typed=typed,
        relay=", ".join(filter(None, settings.smtp.hosts)),
        minutes=max(1, round(plan.audience / rate / 60)) if plan and rate else None,
        options=decided.resolve(settings.campaigns),
        campaign_settings=settings.campaigns,
        has_worker=count_workers(page.state.workspace, page.state.engine) > 0,
    )


def _list_faults(page: CampaignPage, readiness: Readiness) -> Iterator[tuple[LaunchFault, str, str]]:
    """Yield what stands in the way, the path of the page where it is mended, and the words of its link."""
    for fault in readiness.faults:
        path, act = FAULT_ACTS[fault.kind]
        if fault.campaign_id is not None:
            path = f"/campaigns/{fault.campaign_id}/live"
        edition = quote(page.campaign.edition, safe="")
        yield fault, path.format(campaign=page.number, edition=edition), act


def _render_pending(
    page: CampaignPage, pending: PendingLaunch, error: str = "", *, template: str = "launch_waits.html"
) -> Response:
    session = page.session
    names: dict[int | None, str] = {one.id: one.name for one in list_members(session)}
    return page.render(
        template,
        errors=[("count", error)] if error else [],
        pending=pending,
        segment_words=say_segment(page, session, pending.request.segment),
        asked_by=names.get(pending.asked_by, ""),
        confirmed_by=names.get(pending.confirmed_by, ""),
        is_own=pending.asked_by == page.member.id,
        is_unconfirmed=pending.state is PendingLaunchState.unconfirmed,
        seconds=pending.seconds_left(read_clock(session.connection())),
        has_worker=count_workers(page.state.workspace, page.state.engine) > 0,
    )


def list_launch_items(page: StudioPage) -> Iterator[WaitingItem]:
    translate = page.translate
    with page.state.read_session() as session:
        now = read_clock(session.connection())
        not_started = list_not_started(session, since=now - _FORGOTTEN, now=now)
        waiting = list_unconfirmed(session, now=now)
        names = {one.id: one.name for one in list_members(session)}
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
        yield WaitingItem(
            title=one.request.edition,
            words=translate(
                gettext_noop("%(name)s wants to send it to %(number)s partners"),
                name=names.get(one.asked_by, "…"),
                number=f"{one.request.count:,}",
            ),
            act=translate(gettext_noop("Confirm the launch")),
            path=f"/campaigns/{one.request.campaign_id}/launch",
            tone="wrong",
            waits_for=translate(gettext_noop("a second person")) if one.asked_by == page.member.id else "",
        )


@ROUTES.get_route("/trial", Permission.read)
def show_trial(page: PageDep) -> Response:
    return _render_trial(page)


@ROUTES.post_route("/trial/end", Permission.manage)
def end_trial_mode(page: PageDep) -> Response:
    """End trial mode, if the doctor finds nothing bad: it looks now, which takes some seconds."""
    require_confirmed(page)
    findings = diagnose_workspace(page.state.workspace)
    # The doctor's page then explains the same findings. A full disk hinders the page alone.
    with contextlib.suppress(OSError):
        keep_diagnosis(page.state.workspace, findings, now=page.state.clock())
    faults = [f"{one.subject}: {one.message}" for one in findings if one.verdict is Health.bad]
    try:
        with page.writing() as session:
            connection = session.connection()
            before, now = read_trial(connection), read_clock(connection)
            if end_trial(connection, by=page.member.name, now=now, faults=faults) != before:
                page.record(session, deeds.ended_trial())
    except TrialError:
        return _render_trial(page, faults)
    return page.redirect("/trial", Notice.trial_ended)


@ROUTES.post_route("/trial/begin", Permission.manage)
def begin_trial_mode(page: PageDep) -> Response:
    require_confirmed(page)
    try:
        with page.writing() as session:
            connection = session.connection()
            before, now = read_trial(connection), read_clock(connection)
            if begin_trial(connection, by=page.member.name, now=now) != before:
                page.record(session, deeds.began_trial())
    except TrialError:
        return _render_trial(page)
    return page.redirect("/trial", Notice.trial_begun)


def _render_trial(page: StudioPage, faults: Sequence[str] = ()) -> Response:
    trial = read_trial(page.session.connection())
    links = find_private_links(page.settings)
    return page.render("trial.html", status=422 if faults else 200, trial=trial, links=links, faults=faults)
