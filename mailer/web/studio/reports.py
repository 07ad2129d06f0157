"""The pages of reports, and their files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from types import MappingProxyType
from typing import Final

from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.delivery_history import vocabulary_of
from mailer.campaigns.lifecycle import UnknownCampaignError
from mailer.campaigns.report.campaign_report import CampaignReport, read_time_line, report_campaign
from mailer.campaigns.report.csv_export import generate_deliveries, write_table
from mailer.campaigns.report.sections import ReportTable, describe_report
from mailer.database.models import Campaign, DeliveryState
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.report_pages.campaign_page import CampaignPage, describe_campaign
from mailer.web.report_pages.overview_page import describe_overview
from mailer.web.report_pages.section import Viewer
from mailer.web.routing import GET, POST
from mailer.web.studio.campaign_place import CampaignNumber, read_campaign
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from mailer.web.studio.segment_query import make_vocabulary, say_segment
from mailer.web.studio.sign_in.confirmation import require_confirmed

TABLE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "numbers": gettext_noop("The numbers"),
        "comparison": gettext_noop("Beside other campaigns"),
        "hand-over": gettext_noop("Time to hand over"),
        "countries": gettext_noop("By country"),
        "sectors": gettext_noop("By country and sector"),
        "reasons": gettext_noop("Why it did not arrive"),
        "returned": gettext_noop("What came back"),
        "alarms": gettext_noop("What servers say about the sender"),
        "links": gettext_noop("Links"),
        "organisations": gettext_noop("Organisations without a partner"),
        "warnings": gettext_noop("Warnings of the checks"),
    }
)
"""What each table is called, in the order of the report."""

_OF_PEOPLE = frozenset({"organisations", "reasons", "returned", "alarms"})
"""Tables that may tell of one person alone."""


def find_tables(page: StudioPage, report: CampaignReport) -> Mapping[str, ReportTable]:
    """The tables of ``report`` that the member may take, by name."""
    sections = describe_report(report, vocabulary_of(page.settings))
    sees_people = page.may(Permission.see_partners)
    return {
        table.name: table
        for section in sections
        for table in section.tables
        if table.rows and (sees_people or table.name not in _OF_PEOPLE)
    }


def list_tables(page: StudioPage, report: CampaignReport) -> Sequence[tuple[str, str]]:
    """The names of these tables and what they are called, in the order of the report."""
    found = find_tables(page, report)
    return [(name, page.translator.translate(words)) for name, words in TABLE_WORDS.items() if name in found]


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


_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel reads the file in the system's own encoding instead of UTF-8."""

_CSV = "text/csv; charset=utf-8"


def send_table(page: PageDep, campaign: CampaignNumber, table: str) -> Response:
    """Send a table of the report as CSV. Figures of fewer than five people are empty cells."""
    try:
        with page.state.read_session() as session:
            report = report_campaign(session, campaign, page.state.workspace, fresh=False)
    except UnknownCampaignError as error:
        raise HTTPException(404) from error
    found = find_tables(page, report).get(table)
    if found is None:
        raise HTTPException(404)
    written = StringIO()
    write_table(found, written)
    body = f"{_BYTE_ORDER_MARK}{written.getvalue()}".encode()
    return Response(body, media_type=_CSV, headers=_as_attachment(f"campaign-{campaign}-{table}.csv"))


def export_deliveries(page: PageDep, campaign: CampaignNumber, form: OwnFormDep) -> Response:
    """Send every delivery with its state and reason as CSV, row by row, and write down that it was taken."""
    require_confirmed(page)
    wanted = form.get("state")
    states = (DeliveryState(wanted),) if wanted in list(DeliveryState) else ()
    name = f"campaign-{campaign}-deliveries.csv"
    with page.state.write_session() as session:
        record_activity(
            session,
            page.actor,
            Act.exported_report,
            edition=read_campaign(session, campaign).edition,
            subject=str(campaign),
            detail=name,
            now=page.state.clock(),
        )
    return StreamingResponse(
        _stream_deliveries(page, campaign, states), media_type=_CSV, headers=_as_attachment(name)
    )


def _stream_deliveries(page: StudioPage, campaign: int, states: tuple[DeliveryState, ...]) -> Iterator[bytes]:
    yield _BYTE_ORDER_MARK.encode()
    with page.state.read_session() as session:
        for part in generate_deliveries(session, campaign, page.state.workspace, states=states):
            yield part.encode()


def _as_attachment(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


ROUTES = (
    StudioRoute("/campaigns/{campaign}/report", show_report, GET, Permission.read),
    StudioRoute("/reports", show_over_time, GET, Permission.read),
    StudioRoute("/campaigns/{campaign}/report/tables/{table}", send_table, GET, Permission.read),
    StudioRoute("/campaigns/{campaign}/report/deliveries", export_deliveries, POST, Permission.manage),
)
