"""The figures of a report as files: a table of it, or every delivery by name."""

from collections.abc import Iterator
from io import StringIO

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.lifecycle import UnknownCampaignError
from mailer.campaigns.report import generate_deliveries, report_campaign
from mailer.campaigns.report.csv_export import write_table
from mailer.database.models import DeliveryState
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.campaign_number import CampaignNumber
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.reports.tables import find_tables
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.confirmation import require_confirmed
from mailer.web.studio.stored_campaign import read_campaign

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
    StudioRoute("/campaigns/{campaign}/report/tables/{table}", send_table, GET, Permission.read),
    StudioRoute("/campaigns/{campaign}/report/deliveries", export_deliveries, POST, Permission.manage),
)
