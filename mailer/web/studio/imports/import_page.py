"""The pages of past imports, and undoing one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.subscriber_history import plan_import_rollback, roll_back_import
from mailer.database.import_models import ImportFile
from mailer.database.team_models import TeamMember
from mailer.i18n import gettext_noop
from mailer.list_imports.import_files import find_file_of_import, list_open_files
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.imports.file_page import SHOWN_ROWS, ImportNumber, write_refused_rows
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from mailer.web.studio.sign_in.confirmation import require_confirmed
from subscribers.errors import RollbackError
from subscribers.imports.rollback import RollbackReport, list_kept
from subscribers.models import ImportBatch

PAGE_SIZE = 50
_SHOWN_WAITING = 20


@dataclass(frozen=True, kw_only=True)
class ImportRow:
    """An import as the list shows it; ``member`` is who made it, "" for the command line."""

    batch: ImportBatch
    member: str


def show_imports(page: PageDep) -> Response:
    """Show the imports, and the files that wait."""
    written = page.request.query_params.get("before", "")
    before = read_row_number(written)
    with page.state.read_session() as session:
        found = list_import_rows(session, before=before, limit=PAGE_SIZE + 1)
        waiting = (
            list_open_files(session, limit=_SHOWN_WAITING) if page.may(Permission.change_partners) else []
        )
    shown = found[:PAGE_SIZE]
    older = str(shown[-1].batch.id) if len(found) > PAGE_SIZE else ""
    return page.render(
        "imports.html",
        section="partners",
        rows=shown,
        waiting=waiting,
        is_later_page=before is not None,
        older=page.make_path("/imports", before=older) if older else "",
    )


def list_import_rows(session: Session, *, before: int | None, limit: int) -> Sequence[ImportRow]:
    """The imports with a number below ``before``, the newest first."""
    wanted = select(ImportBatch).order_by(col(ImportBatch.id).desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(col(ImportBatch.id) < before)
    batches = session.exec(wanted).all()
    names = find_importers(session, [batch.id or 0 for batch in batches])
    return [ImportRow(batch=batch, member=names.get(batch.id or 0, "")) for batch in batches]


def find_importers(session: Session, numbers: Sequence[int]) -> Mapping[int, str]:
    """The names of the members who made these imports in Studio, by the imports' numbers."""
    found = session.exec(
        select(ImportFile.import_id, TeamMember.name).where(
            col(ImportFile.import_id).in_(numbers), ImportFile.asked_by == TeamMember.id
        )
    )
    return {number: name for number, name in found if number is not None}


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


_SHOWN = 50
_QUICK = 20_000
"""How many people an import may have touched for the numbers to be counted with the page itself."""

_CHANGED = gettext_noop("More has happened since you opened this page. Look at the numbers once more.")
_MAILED = gettext_noop(
    "This import cannot be undone: people it added are in the audience of a campaign, whose deliveries must "
    "stay accounted for. Unsubscribe single people instead."
)


def show_undo(page: PageDep, number: ImportNumber) -> Response:
    """Show what undoing an import would do, and whom it would leave as they are. After a large import the
    numbers come late, by a second request."""
    with page.state.read_session() as session:
        batch = _find(session, number)
    is_large = batch.added + batch.updated > _QUICK and "count" not in page.request.query_params
    if is_large and batch.rolled_back_at is None:
        return page.render(
            "import_undo.html", section="partners", batch=batch, plan=None, is_late=True, errors=[]
        )
    return _render(page, number)


def undo(page: PageDep, number: ImportNumber, form: OwnFormDep) -> Response:
    """Undo an import, if it would do what the page said."""
    require_confirmed(page)
    with page.state.read_session() as session:
        if _find(session, number).rolled_back_at is not None:
            return page.redirect(f"/imports/{number}")
        try:
            plan = plan_import_rollback(session, number)
        except RollbackError:
            return _render(page, number, status=422)
    if form.get("numbers") != _name_numbers(plan):
        return _render(page, number, error=page.translator.translate(_CHANGED), status=409)
    now = page.state.clock()

    def record(session: Session) -> None:
        detail = f"{plan.removed} removed, {plan.restored} restored, {plan.kept} kept"
        record_activity(
            session, page.actor, Act.rolled_back_import, subject=str(number), detail=detail, now=now
        )

    try:
        roll_back_import(page.state.engine, number, now=now, record=record)
    except RollbackError:
        # Another click was first, or a campaign was launched in this very moment; the page says which.
        return page.redirect(f"/imports/{number}/undo")
    return page.redirect(f"/imports/{number}", Notice.import_undone)


def _find(session: Session, number: int) -> ImportBatch:
    batch = session.get(ImportBatch, number)
    if batch is None:
        raise HTTPException(404)
    return batch


def _name_numbers(plan: RollbackReport) -> str:
    return f"{plan.removed}/{plan.restored}/{plan.kept}"


def _render(page: StudioPage, number: int, *, error: str = "", status: int = 200) -> Response:
    plan: RollbackReport | None = None
    kept: tuple[tuple[int, str], ...] = ()
    is_mailed = False
    with page.state.read_session() as session:
        batch = _find(session, number)
        try:
            plan = plan_import_rollback(session, number)
            kept = tuple(list_kept(session, number, limit=_SHOWN)) if plan.kept else ()
        except RollbackError as refused:
            is_mailed = not refused.is_done
    if plan is None and not is_mailed:
        return page.redirect(f"/imports/{number}")
    errors = [error] if error else [page.translator.translate(_MAILED)] if is_mailed else []
    return page.render(
        "import_undo.html",
        status=status,
        section="partners",
        batch=batch,
        plan=plan,
        numbers=_name_numbers(plan) if plan is not None else "",
        kept=kept,
        is_late=False,
        errors=[("", words) for words in errors],
    )


ROUTES = (
    StudioRoute("/imports", show_imports, GET, Permission.see_partners),
    StudioRoute("/imports/{number}", show_import, GET, Permission.see_partners),
    StudioRoute("/imports/{number}/refused.csv", download_refused, GET, Permission.change_partners),
    StudioRoute("/imports/{number}/undo", show_undo, GET, Permission.change_partners),
    StudioRoute("/imports/{number}/undo", undo, POST, Permission.change_partners),
)
