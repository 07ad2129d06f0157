"""Taking the list, or a segment of it, away as a file."""

from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from mailer.activity import deeds
from mailer.campaigns.delivery_history import read_segment
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.confirmation import require_confirmed
from subscribers.errors import SegmentError
from subscribers.export import ExportFormat, write_csv_pieces
from subscribers.segments.saved_segments import list_saved_segments
from subscribers.segments.segment import Segment

_LONGEST_QUERY = 2000
_FORMATS = [one for one in ExportFormat if one.words]
_OPENS_IN = gettext_noop("Opens in Excel and LibreOffice, and can be imported here again.")

ROUTES = Routes()


@ROUTES.get_route("/exports", Permission.manage)
def show_export(page: PageDep) -> Response:
    return _render(page, page.request.query_params.get("q", "")[:_LONGEST_QUERY], ExportFormat.csv)


@ROUTES.post_route("/exports", Permission.manage)
def export(page: PageDep, form: OwnFormDep) -> Response:
    require_confirmed(page)
    query, wanted = form.get("q")[:_LONGEST_QUERY], form.get("format")
    chosen = next((one for one in _FORMATS if one == wanted), ExportFormat.csv)
    try:
        with page.writing() as session:
            segment = read_segment(query, page.settings, session)
            page.record(session, deeds.exported_subscribers(query, chosen))
    except SegmentError as error:
        return _render(page, form.get("q"), chosen, error=error)
    headers = {"content-disposition": f'attachment; filename="partners-{chosen}.csv"'}
    return StreamingResponse(
        _write(page, segment, chosen), media_type="text/csv; charset=utf-8", headers=headers
    )


def _write(page: StudioPage, segment: Segment, chosen: ExportFormat) -> Iterator[bytes]:
    with page.state.read_session() as session:
        yield from write_csv_pieces(session, segment, chosen, for_excel=chosen is ExportFormat.csv)


def _render(
    page: StudioPage, query: str, chosen: ExportFormat, *, error: SegmentError | None = None
) -> Response:
    hints = {ExportFormat.csv: page.translate(_OPENS_IN)}
    return page.render(
        "export.html",
        query=query,
        saved=list_saved_segments(page.session.connection()),
        format=chosen,
        formats=[(one.value, page.translate(one.words), hints.get(one, "")) for one in _FORMATS],
        errors=[("q", error.reason)] if error is not None else [],
        error=error,
    )
