"""The pages of reports, and their files."""

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO

from sqlmodel import col, select
from starlette.responses import Response, StreamingResponse

from mailer.activity import deeds
from mailer.campaigns.delivery_history import vocabulary_of
from mailer.campaigns.report.campaign_report import CampaignReport, read_time_line, report_campaign
from mailer.campaigns.report.csv_export import generate_deliveries, write_table
from mailer.campaigns.report.sections import ReportTable, describe_report
from mailer.database.models import Campaign, DeliveryState
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.report_pages.campaign_page import TABLE_WORDS, describe_campaign
from mailer.web.report_pages.overview_page import describe_overview
from mailer.web.report_pages.section import Viewer
from mailer.web.studio.campaign_place import CampaignPage, CampaignPageDep
from mailer.web.studio.page import PageDep, StudioPage, or_404, read_row_number
from mailer.web.studio.routing import Routes
from mailer.web.studio.segment_query import make_vocabulary, say_segment
from mailer.web.studio.sign_in.confirmation import require_confirmed

ROUTES = Routes()

_OF_PEOPLE = frozenset({"organisations", "reasons", "returned", "alarms"})
"""Tables that may tell of one person alone."""

_MAX_OTHERS = 100
_CSV = "text/csv; charset=utf-8"
_BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel reads the file in the system's own encoding instead of UTF-8."""


@ROUTES.get_route("/campaigns/{campaign}/report", Permission.read)
def show_report(page: CampaignPageDep) -> Response:
    """Show the report on a campaign; the costly parts of a large one are as they were counted last."""
    chosen = read_row_number(page.request.query_params.get("with", ""))
    report, segment = _read_report(page, compare_with=chosen), page.campaign.segment
    tables, now, viewer = _find_tables(page, report), page.state.clock(), _make_viewer(page)
    words = say_segment(page, page.session, segment) if segment else ""
    return page.render(
        "report.html",
        may_correct=page.was_sent_as_edition and page.may(Permission.prepare),
        page=describe_campaign(report, now=now, segment_words=words, viewer=viewer),
        others=_list_others(page) if page.campaign.launched_at else [],
        chosen=chosen if report.comparison is not None and report.comparison.is_chosen else None,
        tables=[(name, page.translate(words)) for name, words in TABLE_WORDS.items() if name in tables],
    )


@ROUTES.get_route("/reports", Permission.read)
def show_over_time(page: PageDep) -> Response:
    found = read_time_line(page.session)
    shown = describe_overview(found, now=page.state.clock(), viewer=_make_viewer(page))
    return page.render("reports.html", page=shown)


@ROUTES.get_route("/campaigns/{campaign}/report/tables/{table}", Permission.read)
def send_table(page: CampaignPageDep, table: str) -> Response:
    """Send a table of the report as CSV. Figures of fewer than five people are empty cells."""
    found = or_404(_find_tables(page, _read_report(page)).get(table))
    written = StringIO()
    write_table(found, written)
    body = f"{_BYTE_ORDER_MARK}{written.getvalue()}".encode()
    return Response(body, media_type=_CSV, headers=_as_attachment(f"campaign-{page.number}-{table}.csv"))


@ROUTES.post_route("/campaigns/{campaign}/report/deliveries", Permission.manage)
def export_deliveries(page: CampaignPageDep, form: OwnFormDep) -> Response:
    """Send every delivery with its state and reason as CSV, row by row, and write down that it was taken."""
    require_confirmed(page)
    wanted = form.get("state")
    states = (DeliveryState(wanted),) if wanted in list(DeliveryState) else ()
    name = f"campaign-{page.number}-deliveries.csv"
    with page.writing() as session:
        page.log(session, deeds.exported_report, name)
    return StreamingResponse(_stream_deliveries(page, states), media_type=_CSV, headers=_as_attachment(name))


def _read_report(page: CampaignPage, compare_with: int | None = None) -> CampaignReport:
    workspace = page.state.workspace
    return report_campaign(page.session, page.number, workspace, fresh=False, compare_with=compare_with)


def _find_tables(page: StudioPage, report: CampaignReport) -> Mapping[str, ReportTable]:
    """The tables of ``report`` that the member may take, by name."""
    sections = describe_report(report, vocabulary_of(page.settings))
    sees_people = page.may(Permission.see_partners)
    return {
        table.name: table
        for section in sections
        for table in section.tables
        if table.rows and (sees_people or table.name not in _OF_PEOPLE)
    }


def _make_viewer(page: StudioPage) -> Viewer:
    return Viewer(
        translator=page.translator,
        vocabulary=make_vocabulary(page),
        campaign_path="/campaigns/{number}/report",
        sees_people=page.may(Permission.see_partners),
        has_terminal=False,
    )


def _list_others(page: CampaignPage) -> Sequence[tuple[int | None, str]]:
    """The campaigns that a report can be compared with: those launched last, the newest first."""
    launched = (
        select(Campaign.id, Campaign.edition, Campaign.launched_at)
        .where(col(Campaign.launched_at).is_not(None), col(Campaign.id) != page.number)
        .order_by(col(Campaign.launched_at).desc(), col(Campaign.id).desc())
        .limit(_MAX_OTHERS)
    )
    return [
        (number, f"{edition} · {page.translator.format_day(at.date())}")
        for number, edition, at in page.session.exec(launched)
        if at is not None
    ]


def _stream_deliveries(page: CampaignPage, states: tuple[DeliveryState, ...]) -> Iterator[bytes]:
    yield _BYTE_ORDER_MARK.encode()
    with page.state.read_session() as session:
        for part in generate_deliveries(session, page.number, page.state.workspace, states=states):
            yield part.encode()


def _as_attachment(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
