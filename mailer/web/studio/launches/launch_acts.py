"""Asking for a launch, undoing it, and confirming it as the second person."""

import re

from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.lifecycle import CampaignStateError
from mailer.campaigns.pending_launches import (
    LaunchRequest,
    OtherCountError,
    OtherLaunchError,
    PendingLaunchError,
    SamePersonError,
    ask_launch,
    confirm_launch,
    read_pending_launch,
    undo_launch,
)
from mailer.campaigns.readiness import LaunchReadiness
from mailer.database.engine import read_clock
from mailer.database.launch_models import PendingLaunchState
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.routing import POST
from mailer.web.studio.campaign_number import CampaignNumber
from mailer.web.studio.launches.launch_page import (
    LaunchPlace,
    find_readiness,
    read_place,
    render_launch,
    render_pending,
)
from mailer.web.studio.launches.typed_number import read_typed_number
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute

_PATIENCE = 20.0
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


def launch(page: PageDep, campaign: CampaignNumber, form: OwnFormDep) -> Response:
    """Ask for the launch of a campaign. It starts in ten seconds, or ten seconds after a second person has
    confirmed it."""
    with page.state.read_session() as session:
        place = read_place(session, campaign)
    if place.waits or not place.is_launchable:
        return page.redirect(place.path)
    # What was shown is known for some seconds; whoever took their time waits until it was looked at anew.
    readiness = find_readiness(page, place, patience=_PATIENCE)
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


ROUTES = (
    StudioRoute("/campaigns/{campaign}/launch", launch, POST, Permission.launch),
    StudioRoute("/campaigns/{campaign}/launch/undo", undo, POST, Permission.launch),
    StudioRoute("/campaigns/{campaign}/launch/confirm", confirm, POST, Permission.launch),
)
