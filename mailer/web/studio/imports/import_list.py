"""All imports, the newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select
from starlette.responses import Response

from mailer.database.import_models import ImportFile
from mailer.database.team_models import TeamMember
from mailer.list_imports.import_files import list_open_files
from mailer.team.members import Permission
from mailer.web.routing import GET
from mailer.web.studio.page import PageDep
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
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


ROUTES = (StudioRoute("/imports", show_imports, GET, Permission.see_partners),)
