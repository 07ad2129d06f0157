"""The report on a campaign, and all campaigns over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.campaigns.lifecycle import UnknownCampaignError
from mailer.campaigns.report import CampaignReport, read_time_line, report_campaign
from mailer.database.models import Campaign
from mailer.team.members import Permission
from mailer.web.report_pages.campaign_page import CampaignPage, describe_campaign
from mailer.web.report_pages.overview_page import describe_overview
from mailer.web.report_pages.section import Viewer
from mailer.web.routing import GET
from mailer.web.studio.campaign_number import CampaignNumber
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.reports.tables import list_tables
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from mailer.web.studio.segment_query import make_vocabulary, say_segment

_MAX_OTHERS = 100


@dataclass(frozen=True, kw_only=True)
class OtherCampaign:
    """A campaign that a report can be compared with."""

    number: int
    label: str


def show_report(page: PageDep, campaign: CampaignNumber) -> Response:
    """Show the report on a campaign; the costly parts of a large one are as they were counted last."""
    chosen = read_row_number(page.request.query_params.get("with", ""))
    try:
        with page.state.read_session() as session:
            report = report_campaign(
                session, campaign, page.state.workspace, fresh=False, compare_with=chosen
            )
            others = _list_others(page, session, campaign) if report.summary.launched_at else []
            segment = report.summary.segment
            segment_words = say_segment(page, session, segment) if segment else ""
    except UnknownCampaignError as error:
        raise HTTPException(404) from error
    return page.render(
        "report.html",
        section="campaigns",
        campaign=campaign,
        edition=report.summary.edition,
        may_correct=_may_correct(page, report),
        page=_describe(page, report, segment_words),
        others=others,
        chosen=chosen if _is_compared(report) else None,
        tables=list_tables(page, report),
    )


def show_over_time(page: PageDep) -> Response:
    """Show all campaigns over time, and the growth of the list."""
    with page.state.read_session() as session:
        found = read_time_line(session)
    shown = describe_overview(found, now=page.state.clock(), viewer=_make_viewer(page))
    return page.render("reports.html", section="campaigns", page=shown)


def _make_viewer(page: StudioPage) -> Viewer:
    return Viewer(
        translator=page.translator,
        campaign_path="/campaigns/{number}/report",
        sees_people=page.may(Permission.see_partners),
        has_terminal=False,
    )


def _may_correct(page: StudioPage, report: CampaignReport) -> bool:
    """Whether the member may mend a story of this campaign: a correction has none of its own."""
    summary = report.summary
    is_edition = summary.launched_at is not None and not summary.correction_of
    return is_edition and page.may(Permission.prepare) and page.leads_to("/corrections/new")


def _describe(page: StudioPage, report: CampaignReport, segment_words: str) -> CampaignPage:
    now, vocabulary, viewer = page.state.clock(), make_vocabulary(page), _make_viewer(page)
    return describe_campaign(report, vocabulary, now=now, segment_words=segment_words, viewer=viewer)


def _is_compared(report: CampaignReport) -> bool:
    return report.comparison is not None and report.comparison.is_chosen


def _list_others(page: StudioPage, session: Session, campaign: int) -> Sequence[OtherCampaign]:
    """The campaigns that were launched last, without this one, the newest first."""
    launched = (
        select(Campaign.id, Campaign.edition, Campaign.launched_at)
        .where(col(Campaign.launched_at).is_not(None), col(Campaign.id) != campaign)
        .order_by(col(Campaign.launched_at).desc(), col(Campaign.id).desc())
        .limit(_MAX_OTHERS)
    )
    return [
        OtherCampaign(number=number or 0, label=f"{edition} · {page.translator.format_day(at.date())}")
        for number, edition, at in session.exec(launched)
        if at is not None
    ]


ROUTES = (
    StudioRoute("/campaigns/{campaign}/report", show_report, GET, Permission.read),
    StudioRoute("/reports", show_over_time, GET, Permission.read),
)
