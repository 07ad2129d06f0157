"""Taking the list, or a segment of it, away as a file."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.delivery_history import read_segment
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.confirmation import require_confirmed
from subscribers.errors import SegmentError
from subscribers.export import ExportFormat, write_csv_pieces
from subscribers.segments.saved_segments import list_saved_segments
from subscribers.segments.segment import Segment

_LONGEST_QUERY = 2000

FORMAT_WORDS: Mapping[ExportFormat, tuple[str, str]] = MappingProxyType(
    {
        ExportFormat.csv: (
            gettext_noop("Our own columns"),
            gettext_noop("Opens in Excel and LibreOffice, and can be imported here again."),
        ),
        ExportFormat.mailchimp: (gettext_noop("For Mailchimp"), ""),
        ExportFormat.listmonk: (gettext_noop("For listmonk"), ""),
    }
)


def show_export(page: PageDep) -> Response:
    """Show what can be taken away."""
    query = page.request.query_params.get("q", "")[:_LONGEST_QUERY]
    return _render(page, Form([("q", query)]))


def export(page: PageDep, form: OwnFormDep) -> Response:
    """Send the chosen people as CSV, and write down that they were taken."""
    require_confirmed(page)
    query = form.get("q")[:_LONGEST_QUERY]
    wanted = form.get("format")
    export_format = ExportFormat(wanted) if wanted in list(FORMAT_WORDS) else ExportFormat.csv
    try:
        with page.state.write_session() as session:
            segment = read_segment(query, page.settings, session)
            record_activity(
                session,
                page.actor,
                Act.exported_subscribers,
                detail=f"{query}, as {export_format}" if query.strip() else f"everybody, as {export_format}",
                now=page.state.clock(),
            )
    except SegmentError as error:
        return _render(page, form, error=error)
    headers = {"content-disposition": f'attachment; filename="partners-{export_format}.csv"'}
    return StreamingResponse(
        _write(page, segment, export_format), media_type="text/csv; charset=utf-8", headers=headers
    )


def _write(page: StudioPage, segment: Segment, export_format: ExportFormat) -> Iterator[bytes]:
    if export_format is ExportFormat.csv:
        # Without this mark, Excel reads the file in the system's own encoding instead of UTF-8.
        yield b"\xef\xbb\xbf"
    with page.state.read_session() as session:
        yield from write_csv_pieces(session, segment, export_format)


def _render(page: StudioPage, form: Form, *, error: SegmentError | None = None) -> Response:
    with page.state.read_session() as session:
        saved = list_saved_segments(session.connection())
    wanted = form.get("format")
    return page.render(
        "export.html",
        status=422 if error is not None else 200,
        section="partners",
        query=form.get("q"),
        saved=saved,
        format=wanted if wanted in list(FORMAT_WORDS) else ExportFormat.csv.value,
        formats=[
            (one.value, page.translator.translate(name), page.translator.translate(use) if use else "")
            for one, (name, use) in FORMAT_WORDS.items()
        ],
        errors=[("q", error.reason)] if error is not None else [],
        error=error,
    )


ROUTES = (
    StudioRoute("/exports", show_export, GET, Permission.manage),
    StudioRoute("/exports", export, POST, Permission.manage),
)
