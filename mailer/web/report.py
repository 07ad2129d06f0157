"""The reports on campaigns, as pages for the team on its own machine."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.responses import Response

from mailer.campaigns.delivery_history import read_segment, vocabulary_of
from mailer.campaigns.lifecycle import UnknownCampaignError
from mailer.campaigns.report.campaign_report import read_time_line, report_campaign
from mailer.database.engine import open_session
from mailer.web.access import LocalAccess
from mailer.web.app_factory import assemble_local_app
from mailer.web.dependencies import UtcClock, utc_now
from mailer.web.page_renderer import PageRenderer
from mailer.web.report_pages.campaign_page import describe_campaign
from mailer.web.report_pages.overview_page import describe_overview
from mailer.web.report_pages.section import Viewer
from mailer.web.routing import GET, Route
from mailer.web.security import PAGE_POLICY
from mailer.workspace import Workspace
from subscribers.errors import SubscriberError
from subscribers.segments.description import describe_segment

_NUMBER = re.compile(r"[0-9]{1,18}")
_LARGEST_ID = 2**31 - 1
"""The largest number of a campaign that both databases know."""


@dataclass(frozen=True, kw_only=True)
class ReportDesk:
    workspace: Workspace
    renderer: PageRenderer
    engine: Engine
    clock: UtcClock


def _get_desk(request: Request) -> ReportDesk:
    desk = request.app.state.report_desk
    assert isinstance(desk, ReportDesk)  # noqa: S101 - set at start by the lifespan
    return desk


DeskDep = Annotated[ReportDesk, Depends(_get_desk)]


def show_overview(desk: DeskDep) -> Response:
    with open_session(desk.engine, read_only=True) as session:
        found = read_time_line(session)
    return desk.renderer.render("report_overview.html", page=describe_overview(found, now=desk.clock()))


def show_campaign(campaign_id: str, desk: DeskDep) -> Response:
    """Show the report of a campaign; the costly parts of a large one are as they were counted last."""
    if not _NUMBER.fullmatch(campaign_id):
        return desk.renderer.render_error(404)
    number = int(campaign_id)
    try:
        if number > _LARGEST_ID:
            raise UnknownCampaignError(number)
        with open_session(desk.engine, read_only=True) as session:
            found = report_campaign(session, number, desk.workspace, fresh=False)
            words = _say_segment(session, found.summary.segment, desk)
    except UnknownCampaignError as error:
        return _show_unknown(desk, error)
    viewer = Viewer(vocabulary=vocabulary_of(desk.workspace.settings))
    page = describe_campaign(found, now=desk.clock(), segment_words=words, viewer=viewer)
    return desk.renderer.render("report_campaign.html", page=page)


def _say_segment(session: Session, segment: str, desk: ReportDesk) -> str:
    """Return what a segment means; "" if there is none, or it is not valid any more."""
    settings = desk.workspace.settings
    try:
        return (
            describe_segment(read_segment(segment, settings, session), vocabulary_of(settings))
            if segment
            else ""
        )
    except SubscriberError:
        return ""


def _show_unknown(desk: DeskDep, error: UnknownCampaignError) -> Response:
    return desk.renderer.render(
        "report_unknown.html", status=404, title=f"There is no campaign {error.campaign_id}"
    )


ROUTES: tuple[Route, ...] = (
    ("/", show_overview, GET),
    ("/campaigns/{campaign_id}", show_campaign, GET),
)
"""To be mounted at the prefix of the desk's renderer."""


def create_report_app(workspace: Workspace, *, access: LocalAccess, clock: UtcClock = utc_now) -> FastAPI:
    """Create the pages of reports, for this machine and whoever has the secret of ``access``."""
    renderer = PageRenderer(workspace.settings)

    @asynccontextmanager
    async def open_reports(app: FastAPI) -> AsyncIterator[None]:
        with workspace.use_database() as engine:
            app.state.report_desk = ReportDesk(
                workspace=workspace, renderer=renderer, engine=engine, clock=clock
            )
            yield

    return assemble_local_app(
        *(renderer, access, PAGE_POLICY, open_reports, ROUTES),
        name="report",
        command="mailer campaigns report",
    )
