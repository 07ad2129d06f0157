"""The page of an uploaded file: what an import would do, what to correct, and importing it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.database.import_models import ImportFileState, ImportHitch
from mailer.i18n import gettext_noop
from mailer.list_imports.import_files import (
    KnownFile,
    NoImportFileError,
    NotWaitingError,
    OutdatedVersionError,
    ask_for_check,
    ask_for_import,
    delete_upload,
    discard_import_file,
    find_import_file,
)
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.imports.choice_form import read_choices_form
from mailer.web.studio.imports.file_view import describe_file
from mailer.web.studio.imports.number import FileNumber
from mailer.web.studio.imports.row_csv import write_refused_rows
from mailer.web.studio.imports.upload_page import SHORT_WAIT
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute

_OUTDATED = gettext_noop(
    "The file was read anew since you opened this page. Look at the numbers once more, and then import."
)
_CHANGED_CHOICES = gettext_noop(
    "You have changed how the file is read. These are the new numbers. If they are right, import."
)
_HITCHES: Mapping[ImportHitch, str] = MappingProxyType(
    {
        ImportHitch.changed: gettext_noop(
            "Nothing was imported: the list or the settings have changed since the numbers were counted. "
            "These are the new ones. If they are right, import."
        ),
        ImportHitch.interrupted: gettext_noop(
            "The server was stopped in the middle. Nothing was imported, and the list is as it was. Try "
            "again."
        ),
        ImportHitch.failed: gettext_noop(
            "The server could not do it: its disk may be full, or the database busy. Nothing was imported, "
            "and the list is as it was. Try again in a moment; if it happens again, tell whoever looks after "
            "the server."
        ),
    }
)


def show_file(page: PageDep, file: FileNumber) -> Response:
    """Show what an import of the file would do; once it is imported, go on to the import."""
    known = _find(page, file)
    if known.state is ImportFileState.imported:
        return page.redirect(f"/imports/{known.import_id}")
    return _render(page, known, [])


def change_file(page: PageDep, file: FileNumber, form: OwnFormDep) -> Response:
    """Have the file read as the form says, or import it."""
    known = _find(page, file)
    if known.state is ImportFileState.imported:
        return page.redirect(f"/imports/{known.import_id}")
    if known.state is not ImportFileState.checked:
        # A second click: the first is under way.
        return page.redirect(f"/imports/new/{file}")
    if form.get("version") != known.version:
        kept = replace(known, choices=replace(known.choices, basis=form.get("basis")))
        return _render(page, kept, [("", page.translator.translate(_OUTDATED))], status=409)
    return _act(page, known, form)


def _act(page: StudioPage, known: KnownFile, form: Form) -> Response:
    choices = read_choices_form(form, known)
    is_same = replace(choices, basis=known.choices.basis) == known.choices
    wants_import = form.get("act") == "import"
    try:
        with page.state.write_session() as session:
            if wants_import and is_same:
                ask_for_import(
                    session,
                    known.number,
                    version=known.version,
                    member_id=page.member.id,
                    basis=choices.basis,
                )
            else:
                ask_for_check(session, known.number, choices)
    except (NotWaitingError, OutdatedVersionError):
        # Another click was first; the page says what came of it.
        return page.redirect(f"/imports/new/{known.number}")
    page.state.imports.wake()
    page.state.imports.wait_for(known.number, SHORT_WAIT)
    if wants_import and not is_same:
        return page.redirect(f"/imports/new/{known.number}", asked="import")
    return page.redirect(f"/imports/new/{known.number}")


def discard(page: PageDep, file: FileNumber) -> Response:
    """Give the file up, and delete it."""
    known = _find(page, file)
    try:
        with page.state.write_session() as session:
            stored_as = discard_import_file(session, file, now=page.state.clock())
            record_activity(
                session, page.actor, Act.discarded_import_file, subject=known.name, now=page.state.clock()
            )
    except NotWaitingError:
        return page.redirect(f"/imports/new/{file}")
    delete_upload(page.state.workspace, stored_as)
    return page.redirect("/imports", Notice.import_file_discarded)


def download_refused(page: PageDep, file: FileNumber) -> Response:
    """Send the rows that cannot be used as CSV."""
    known = _find(page, file)
    report = known.checked.report
    if report is None:
        raise HTTPException(404)
    headers = {"content-disposition": f'attachment; filename="refused-{file}.csv"'}
    rows: Iterator[bytes] = write_refused_rows(report)
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


def _find(page: StudioPage, number: int) -> KnownFile:
    try:
        with page.state.read_session() as session:
            return find_import_file(session, number)
    except NoImportFileError as error:
        raise HTTPException(404) from error


def _render(
    page: StudioPage, known: KnownFile, errors: Sequence[tuple[str, str]], *, status: int = 200
) -> Response:
    translate = page.translator.translate
    if known.state is ImportFileState.discarded:
        return page.render("import_gone.html", status=410, section="partners", file=known)
    if known.is_being_worked_on:
        return page.render(
            "import_progress.html",
            section="partners",
            file=known,
            rows=page.state.imports.count_rows(known.number),
            total=_count_rows(known),
        )
    hitch = translate(_HITCHES[known.hitch]) if known.hitch is not None else ""
    if not hitch and page.request.query_params.get("asked") == "import" and known.checked.report:
        hitch = translate(_CHANGED_CHOICES)
    return page.render(
        "import_file.html",
        status=status,
        section="partners",
        errors=errors,
        file=known,
        hitch=hitch,
        view=describe_file(page, known),
    )


def _count_rows(known: KnownFile) -> int:
    report = known.checked.report
    if report is None:
        return 0
    return report.added + report.updated + report.unchanged + report.suppressed + len(report.refused)


ROUTES = (
    StudioRoute("/imports/new/{file}", show_file, GET, Permission.change_partners),
    StudioRoute("/imports/new/{file}", change_file, POST, Permission.change_partners),
    StudioRoute("/imports/new/{file}/discard", discard, POST, Permission.change_partners),
    StudioRoute("/imports/new/{file}/refused.csv", download_refused, GET, Permission.change_partners),
)
