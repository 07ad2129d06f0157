"""The pages of past imports, and undoing one."""

from typing import Annotated

from starlette.responses import Response

from mailer.activity import deeds
from mailer.campaigns.subscriber_history import plan_import_rollback, roll_back_import
from mailer.i18n import gettext_noop
from mailer.list_imports.checked_file import CheckedFile, read_checked_file
from mailer.list_imports.import_files import find_file_of_import, find_importers, list_open_files
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.studio.imports.file_page import SHOWN_ROWS, send_refused
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, depend_on_number, or_404, read_row_number
from mailer.web.studio.routing import Routes
from mailer.web.studio.sign_in.confirmation import require_confirmed
from subscribers.errors import RollbackError
from subscribers.imports.importer import list_imports
from subscribers.imports.rollback import RollbackReport, list_kept
from subscribers.models import ImportBatch

PAGE_SIZE = 50
_SHOWN = 50
_QUICK = 20_000
"""How many people an import may have touched for the numbers to be counted with the page itself."""

_CHANGED = gettext_noop("More has happened since you opened this page. Look at the numbers once more.")
_MAILED = gettext_noop(
    "This import cannot be undone: people it added are in the audience of a campaign, whose deliveries must "
    "stay accounted for. Unsubscribe single people instead."
)
ImportNumber = Annotated[int, depend_on_number("number")]

ROUTES = Routes()


@ROUTES.get_route("/imports", Permission.see_partners)
def show_imports(page: PageDep) -> Response:
    before = read_row_number(page.request.query_params.get("before", ""))
    found = list_imports(page.session, before=before, limit=PAGE_SIZE + 1)
    shown = found[:PAGE_SIZE]
    may_change = page.may(Permission.change_partners)
    return page.render(
        "imports.html",
        imports=shown,
        importers=find_importers(page.session, [batch.id or 0 for batch in shown]),
        waiting=list_open_files(page.session) if may_change else [],
        is_later_page=before is not None,
        older=page.make_path("/imports", before=str(shown[-1].id)) if len(found) > PAGE_SIZE else "",
    )


@ROUTES.get_route("/imports/{number}", Permission.see_partners)
def show_import(page: PageDep, number: ImportNumber) -> Response:
    return page.render(
        "import.html",
        batch=_find(page, number),
        importer=find_importers(page.session, [number]).get(number, ""),
        report=_find_checked(page, number).report,
        most=SHOWN_ROWS,
    )


@ROUTES.get_route("/imports/{number}/refused.csv", Permission.change_partners)
def download_refused(page: PageDep, number: ImportNumber) -> Response:
    """Send the rows that an import could not use as CSV, while they are kept."""
    return send_refused(_find_checked(page, number), number)


@ROUTES.get_route("/imports/{number}/undo", Permission.change_partners)
def show_undo(page: PageDep, number: ImportNumber) -> Response:
    """Show what undoing an import would do, and whom it would leave as they are. After a large import the
    numbers come late, by a second request."""
    batch = _find(page, number)
    is_large = batch.added + batch.updated > _QUICK and "count" not in page.request.query_params
    if is_large and batch.rolled_back_at is None:
        return page.render("import_undo.html", batch=batch, plan=None, is_late=True, errors=[])
    return _render_undo(page, batch)


@ROUTES.post_route("/imports/{number}/undo", Permission.change_partners)
def undo(page: PageDep, number: ImportNumber, form: OwnFormDep) -> Response:
    """Undo an import, if it would do what the page said."""
    require_confirmed(page)
    batch = _find(page, number)
    if batch.rolled_back_at is not None:
        return page.redirect(f"/imports/{number}")
    try:
        plan = plan_import_rollback(page.session, number)
    except RollbackError:
        return _render_undo(page, batch, status=422)
    if form.get("numbers") != _name_numbers(plan):
        return _render_undo(page, batch, error=page.translate(_CHANGED), status=409)
    page.end_reading()
    try:
        roll_back_import(
            page.state.engine,
            number,
            now=page.state.clock(),
            record=lambda session, report: page.record(session, deeds.rolled_back_import(report)),
        )
    except RollbackError:
        # Another click was first, or a campaign was launched in this very moment; the page says which.
        return page.redirect(f"/imports/{number}/undo")
    return page.redirect(f"/imports/{number}", Notice.import_undone)


def _find(page: StudioPage, number: int) -> ImportBatch:
    return or_404(page.session.get(ImportBatch, number))


def _find_checked(page: StudioPage, number: int) -> CheckedFile:
    """Return what is kept of the file of an import; nothing if it did not come through Studio."""
    file = find_file_of_import(page.session, number)
    return read_checked_file(file.result if file is not None else None)


def _name_numbers(plan: RollbackReport) -> str:
    return f"{plan.removed}/{plan.restored}/{plan.kept}"


def _render_undo(page: StudioPage, batch: ImportBatch, *, error: str = "", status: int = 200) -> Response:
    plan, number = None, batch.id or 0
    try:
        plan = plan_import_rollback(page.session, number)
    except RollbackError as refused:
        if refused.is_done:
            return page.redirect(f"/imports/{number}")
        error = error or page.translate(_MAILED)
    return page.render(
        "import_undo.html",
        status=status,
        batch=batch,
        plan=plan,
        numbers=_name_numbers(plan) if plan else "",
        kept=list_kept(page.session, number, limit=_SHOWN) if plan and plan.kept else (),
        is_late=False,
        errors=[("", error)] if error else [],
    )
