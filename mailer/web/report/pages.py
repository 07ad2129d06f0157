"""The pages of reports: all campaigns over time, and each campaign. They know nothing of how one gets in."""

import re

from sqlmodel import Session
from starlette.responses import Response

from mailer.campaigns.audiences.segments import read_segment, vocabulary_of
from mailer.campaigns.lifecycle import UnknownCampaignError
from mailer.campaigns.report import read_time_line, report_campaign
from mailer.web.report.desk import DeskDep, ReportDesk
from mailer.web.report_pages.campaign_page import describe_campaign
from mailer.web.report_pages.overview_page import describe_overview
from mailer.web.routing import GET, Route
from subscribers.errors import SubscriberError
from subscribers.segments.segment_description import describe_segment

_NUMBER = re.compile(r"[0-9]{1,18}")
_LARGEST_ID = 2**31 - 1
"""The largest number of a campaign that both databases know."""


def show_overview(desk: DeskDep) -> Response:
    """Show all campaigns over time."""
    with desk.read_session() as session:
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
        with desk.read_session() as session:
            found = report_campaign(session, number, desk.workspace, fresh=False)
            words = _say_segment(session, found.summary.segment, desk)
    except UnknownCampaignError as error:
        return _show_unknown(desk, error)
    vocabulary = vocabulary_of(desk.workspace.settings)
    page = describe_campaign(found, vocabulary, now=desk.clock(), segment_words=words)
    return desk.renderer.render("report_campaign.html", page=page)


def _say_segment(session: Session, segment: str, desk: ReportDesk) -> str:
    """What a segment means; "" if there is none, or it is not valid any more."""
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
