"""Who may or may not have got a campaign, by name, and the acts that settle it."""

from functools import partial
from io import BytesIO
from pathlib import Path

from sqlalchemy import Connection
from sqlmodel import Session
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.campaigns.doubt_resolution import RecordResolution, Resolution, resolve_by_log, resolve_chosen
from mailer.campaigns.lifecycle import CampaignStateError, find_campaign, resume_campaign
from mailer.campaigns.report.doubts import (
    find_dead_dispatchers,
    find_doubt_cause,
    find_held_messages,
    group_doubts,
    group_settled,
    list_doubts,
    make_message_id,
)
from mailer.database.models import CampaignState
from mailer.dispatch.postfix_log import PostfixLogError
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.routing import Routes
from mailer.web.upload import SentFormDep

ROUTES = Routes()
_PAGE = 50
_MAX_DIGITS = 18
_NO_LOG = gettext_noop("Choose a log of your Postfix relay.")
_ACTS = {"arrived": True, "again": False}


@ROUTES.get_route("/campaigns/{campaign}/doubts", Permission.see_partners)
def show_doubts(page: CampaignPageDep) -> Response:
    return _render(page)


@ROUTES.post_route("/campaigns/{campaign}/doubts", Permission.launch)
def settle(page: CampaignPageDep, form: OwnFormDep) -> Response:
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
            record=_make_record(page, "they have it" if arrived else "send again"),
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


def _make_record(page: CampaignPage, how: str) -> RecordResolution:
    def record(connection: Connection, sent: int, queued: int) -> None:
        if not (sent or queued):
            return
        with Session(connection) as session:
            if queued and find_campaign(session, page.number).state is CampaignState.finished:
                # What is sent again is sent at once, and not when somebody thinks of it.
                resume_campaign(session, page.number, now=page.state.clock())
            page.log(session, Act.resolved_doubts, f"{how}: {sent + queued:,}")
            session.flush()

    return record


@ROUTES.post_route("/campaigns/{campaign}/doubts/log", Permission.launch)
def settle_by_log(page: CampaignPageDep, form: SentFormDep) -> Response:
    content, state = form.values.get("log", b""), page.state
    if not content:
        return _render(page, ("log", page.translate(_NO_LOG)))
    try:
        done = resolve_by_log(
            state.workspace,
            state.engine,
            page.number,
            [Path("-")],
            resend_missing=form.text("again") == "1",
            now=state.clock(),
            standard_input=BytesIO(content),
            record=_make_record(page, "by the relay’s log"),
        )
    except PostfixLogError as error:
        return _render(page, ("log", str(error)))
    except CampaignStateError:
        return page.go_back(Notice.campaign_changed, "/doubts")
    state.progress.refresh(page.number)
    return _render(page, told=done)


def _render(page: CampaignPage, *errors: tuple[str, str], told: Resolution | None = None) -> Response:
    workspace, connection, number = page.state.workspace, page.session.connection(), page.number
    after = read_number(page.request.query_params.get("after", ""), digits=_MAX_DIGITS) or 0
    dead = find_dead_dispatchers(workspace, page.state.engine, number)
    doubts = list_doubts(connection, number, dead, after=after, limit=_PAGE + 1)
    groups = group_doubts(connection, number, dead)
    return page.render(
        "doubts.html",
        doubts=doubts[:_PAGE],
        find_cause=find_doubt_cause,
        find_message_id=partial(make_message_id, number, workspace=workspace),
        following=doubts[_PAGE - 1].id if len(doubts) > _PAGE else None,
        total=sum(counts.total() for _, counts in groups),
        groups=groups,
        settled=group_settled(connection, number),
        held=find_held_messages(connection, number, [one.subscriber_id for one in doubts]),
        may_send_again=page.campaign.state is not CampaignState.cancelled,
        errors=errors,
        told=told,
    )
