"""The words for how deliveries came to be in doubt, and for what has settled them."""

from io import BytesIO
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection
from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.doubt_resolution import RecordResolution, Resolution, resolve_by_log, resolve_chosen
from mailer.campaigns.lifecycle import CampaignStateError, resume_campaign
from mailer.campaigns.report.doubts import (
    ListedDoubt,
    find_dead_dispatchers,
    find_held_messages,
    group_doubts,
    group_settled,
    list_doubts,
)
from mailer.database.models import CampaignState
from mailer.dispatch.postfix_log import PostfixLogError
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.dependencies import BodyDep
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.studio.campaign_place import CampaignNumber, load_campaign, read_campaign
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.upload import UploadedForm, read_uploaded_form

ROUTES = Routes()

_PAGE = 50
_MAX_DIGITS = 18
_NO_LOG = gettext_noop("Choose a log of your Postfix relay.")
_ACTS = {"arrived": True, "again": False}


@ROUTES.get_route("/campaigns/{campaign}/doubts", Permission.see_partners)
def show_doubts(page: PageDep, campaign: CampaignNumber) -> Response:
    """Show who is in doubt, fifty to a page."""
    return _render(page, campaign, [])


@ROUTES.post_route("/campaigns/{campaign}/doubts", Permission.launch)
def settle(page: PageDep, campaign: CampaignNumber, form: OwnFormDep) -> Response:
    """Settle one, all from the same cause, or all. Who is not in doubt any more stays as they are."""
    arrived = _ACTS.get(form.get("act"))
    if arrived is None:
        return page.redirect(f"/campaigns/{campaign}/doubts")
    load_campaign(page, campaign)
    state = page.state
    chosen = _find_chosen(page, campaign, form.get("what"), form.get("cause"))
    try:
        done = resolve_chosen(
            state.workspace,
            state.engine,
            campaign,
            chosen,
            arrived=arrived,
            now=state.clock(),
            record=_make_record(page, campaign, "they have it" if arrived else "send again"),
        )
    except CampaignStateError:
        return page.redirect(f"/campaigns/{campaign}/doubts", Notice.campaign_changed)
    return _lead_back(page, campaign, done)


def _find_chosen(page: StudioPage, campaign: int, what: str, cause: str) -> set[int]:
    """The numbers of the deliveries that a form is about."""
    number = read_number(what, digits=_MAX_DIGITS)
    if number is not None:
        return {number}
    doubts = _list_all(page, campaign) if what in {"group", "all"} else []
    return {one.delivery_id for one in doubts if what == "all" or one.cause == cause}


def _list_all(page: StudioPage, campaign: int) -> list[ListedDoubt]:
    state = page.state
    dead = find_dead_dispatchers(state.workspace, state.engine, campaign)
    with state.read_session() as session:
        return list_doubts(session.connection(), state.workspace, campaign, dead)


def _make_record(page: StudioPage, campaign: int, how: str) -> RecordResolution:
    def record(connection: Connection, sent: int, queued: int) -> None:
        if not (sent or queued):
            return
        with Session(connection) as session:
            row = read_campaign(session, campaign)
            edition = row.edition
            if queued and row.state is CampaignState.finished:
                # What is sent again is sent at once, and not when somebody thinks of it.
                resume_campaign(session, campaign, now=page.state.clock())
            record_activity(
                session,
                page.actor,
                Act.resolved_doubts,
                edition=edition,
                subject=str(campaign),
                detail=f"{how}: {sent + queued:,}",
                now=page.state.clock(),
            )
            session.flush()

    return record


def _lead_back(page: StudioPage, campaign: int, done: Resolution) -> Response:
    page.state.progress.refresh(campaign)
    if not (done.sent or done.queued):
        return page.redirect(f"/campaigns/{campaign}/doubts", Notice.doubts_gone)
    notice = Notice.doubts_requeued if done.queued else Notice.doubts_settled
    return page.redirect(f"/campaigns/{campaign}/doubts", notice)


def _read_form(request: Request, body: BodyDep) -> UploadedForm:
    form = read_uploaded_form(body, request.headers.get("content-type", ""))
    return form or UploadedForm(values={}, file_names={})


@ROUTES.post_route("/campaigns/{campaign}/doubts/log", Permission.launch)
def settle_by_log(
    page: PageDep, campaign: CampaignNumber, form: Annotated[UploadedForm, Depends(_read_form)]
) -> Response:
    """Settle what a log of the relay proves."""
    load_campaign(page, campaign)
    content = form.values.get("log", b"")
    if not content:
        return _render(page, campaign, [("log", page.translator.translate(_NO_LOG))])
    state = page.state
    try:
        done = resolve_by_log(
            state.workspace,
            state.engine,
            campaign,
            [Path("-")],
            resend_missing=form.text("again") == "1",
            now=state.clock(),
            standard_input=BytesIO(content),
            record=_make_record(page, campaign, "by the relay’s log"),
        )
    except PostfixLogError as error:
        return _render(page, campaign, [("log", str(error))])
    except CampaignStateError:
        return page.redirect(f"/campaigns/{campaign}/doubts", Notice.campaign_changed)
    page.state.progress.refresh(campaign)
    return _render(page, campaign, [], told=done)


def _render(
    page: StudioPage,
    campaign: int,
    errors: list[tuple[str, str]],
    *,
    told: Resolution | None = None,
) -> Response:
    row = load_campaign(page, campaign)
    state = page.state
    after = read_number(page.request.query_params.get("after", ""), digits=_MAX_DIGITS) or 0
    dead = find_dead_dispatchers(state.workspace, state.engine, campaign)
    with state.read_session() as session:
        connection = session.connection()
        doubts = list_doubts(connection, state.workspace, campaign, dead, after=after, limit=_PAGE + 1)
        groups = group_doubts(connection, campaign, dead)
        settled = group_settled(connection, campaign)
        held = find_held_messages(connection, campaign, [one.subscriber_id for one in doubts])
    return page.render(
        "doubts.html",
        status=422 if errors else 200,
        section="campaigns",
        campaign=row,
        doubts=doubts[:_PAGE],
        following=doubts[_PAGE - 1].delivery_id if len(doubts) > _PAGE else None,
        total=sum(group.number for group in groups),
        groups=groups,
        settled=settled,
        held=held,
        may_send_again=row.state is not CampaignState.cancelled,
        errors=errors,
        told=told,
    )
