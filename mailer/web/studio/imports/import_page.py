"""One import: what it did, and the rows it could not use."""

from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from mailer.list_imports.import_files import find_file_of_import
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.imports.file_view import SHOWN_ROWS
from mailer.web.studio.imports.import_list import find_importers
from mailer.web.studio.imports.number import ImportNumber
from mailer.web.studio.imports.row_csv import write_refused_rows
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute
from subscribers.models import ImportBatch


def show_import(page: PageDep, number: ImportNumber) -> Response:
    """Show what an import did."""
    with page.state.read_session() as session:
        batch = session.get(ImportBatch, number)
        if batch is None:
            raise HTTPException(404)
        file = find_file_of_import(session, number)
        member = find_importers(session, [number]).get(number, "")
    report = file.checked.report if file is not None else None
    return page.render(
        "import.html",
        section="partners",
        batch=batch,
        importer=member,
        report=report,
        refused=report.refused[:SHOWN_ROWS] if report is not None else (),
        is_forgotten=report is None or (batch.refused > 0 and not report.refused),
    )


def download_refused(page: PageDep, number: ImportNumber) -> Response:
    """Send the rows that an import could not use as CSV, while they are kept."""
    with page.state.read_session() as session:
        file = find_file_of_import(session, number)
    if file is None or file.checked.report is None:
        raise HTTPException(404)
    headers = {"content-disposition": f'attachment; filename="refused-{number}.csv"'}
    rows: Iterator[bytes] = write_refused_rows(file.checked.report)
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


ROUTES = (
    StudioRoute("/imports/{number}", show_import, GET, Permission.see_partners),
    StudioRoute("/imports/{number}/refused.csv", download_refused, GET, Permission.change_partners),
)
