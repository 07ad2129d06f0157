"""Undoing an import: first what that would do, then doing it."""

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.campaigns.subscriber_history import plan_import_rollback, roll_back_import
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.imports.number import ImportNumber
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.sign_in.confirmation import require_confirmed
from subscribers.errors import RollbackError
from subscribers.imports.rollback import RollbackReport, list_kept
from subscribers.models import ImportBatch

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
    StudioRoute("/imports/{number}/undo", show_undo, GET, Permission.change_partners),
    StudioRoute("/imports/{number}/undo", undo, POST, Permission.change_partners),
)
