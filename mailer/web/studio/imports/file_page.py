"""The page of a file of partners that waits to be imported, and the form of what its columns hold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response, StreamingResponse

from mailer.activity import deeds
from mailer.database.import_models import ImportFile, ImportFileState
from mailer.database.team_models import TeamMember
from mailer.i18n import gettext_noop
from mailer.list_imports.checked_file import CheckedFile, ImportChoices, read_checked_file, read_choices
from mailer.list_imports.choice_fields import list_shown_columns, list_shown_statuses, read_choice_fields
from mailer.list_imports.import_files import (
    NotWaitingError,
    OutdatedVersionError,
    ask_for_check,
    ask_for_import,
    delete_upload,
    discard_import_file,
)
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, own_language_name
from mailer.web.studio.imports.upload_page import SHORT_WAIT
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, depend_on_number, or_404
from mailer.web.studio.routing import Routes
from subscribers.imports.columns.layout_guess import ColumnUse
from subscribers.imports.columns.status_columns import DESCRIPTIONS
from subscribers.imports.columns.status_words import StatusMeaning
from subscribers.imports.files.delimited_text import DELIMITERS
from subscribers.imports.files.text_encoding import ENCODINGS
from subscribers.imports.import_report import ImportReport
from subscribers.imports.row_parser import ParsedRow, RowParser

_MEANINGS = (
    *(StatusMeaning.active, StatusMeaning.unsubscribed, StatusMeaning.bounced, StatusMeaning.complained),
    *(StatusMeaning.suppressed, StatusMeaning.unconfirmed, StatusMeaning.nothing),
)
SHOWN_ROWS = 50
"""How many refused rows and notes a page lists."""

_SHOWN_PEOPLE = 5
# A note that tells how to choose another sheet on the command line; the page has a field for it.
_SHEET_OPTION = "--sheet"
_OUTDATED = gettext_noop(
    "The file was read anew since you opened this page. Look at the numbers once more, and then import."
)
_CHANGED_CHOICES = gettext_noop(
    "You have changed how the file is read. These are the new numbers. If they are right, import."
)

ROUTES = Routes()


@dataclass(frozen=True, kw_only=True)
class FilePage(StudioPage):
    """A request about an uploaded file: what was chosen for it, and what was found in it."""

    file: ImportFile
    uploader: str
    choices: ImportChoices
    checked: CheckedFile

    @property
    def number(self) -> int:
        return self.file.id or 0

    @property
    def path(self) -> str:
        import_id = self.file.import_id
        return f"/imports/new/{self.number}" if import_id is None else f"/imports/{import_id}"


def _open_file(page: PageDep, number: Annotated[int, depend_on_number("file")]) -> FilePage:
    with page.state.read_session() as session:
        file = or_404(session.get(ImportFile, number))
        uploader = session.get_one(TeamMember, file.member_id).name
    checked = read_checked_file(file.result)
    choices = read_choices(file.choices)
    return page.about(FilePage, file=file, uploader=uploader, choices=choices, checked=checked)


FilePageDep = Annotated[FilePage, Depends(_open_file)]


@ROUTES.get_route("/imports/new/{file}", Permission.change_partners)
def show_file(page: FilePageDep) -> Response:
    """Show what an import of the file would do; once it is imported, go on to the import."""
    file = page.file
    if file.state == ImportFileState.imported:
        return page.redirect(page.path)
    if file.state == ImportFileState.discarded:
        return page.render("import_gone.html", status=410)
    if file.is_being_worked_on:
        rows = page.state.imports.count_rows(page.number)
        return page.render("import_progress.html", rows=rows)
    return _render(page, page.choices.basis)


@ROUTES.post_route("/imports/new/{file}", Permission.change_partners)
def change_file(page: FilePageDep, form: OwnFormDep) -> Response:
    """Have the file read as the form says, or import it."""
    if page.file.state != ImportFileState.checked:
        # A second click: the first is under way, or done.
        return page.redirect(page.path)
    if form.get("version") != page.file.version:
        return _render(page, form.get("basis"), [("", page.translate(_OUTDATED))], status=409)
    choices = read_choice_fields(dict(form.fields), page.choices, page.checked)
    is_same = replace(choices, basis=page.choices.basis) == page.choices
    wants_import = form.get("act") == "import"
    try:
        with page.writing() as session:
            if wants_import and is_same:
                version, member_id = page.file.version, page.member.id
                ask_for_import(
                    session, page.number, version=version, member_id=member_id, basis=choices.basis
                )
            else:
                ask_for_check(session, page.number, choices)
    except (NotWaitingError, OutdatedVersionError):
        # Another click was first; the page says what came of it.
        return page.redirect(page.path)
    page.state.imports.wake()
    page.state.imports.wait_for(page.number, SHORT_WAIT)
    return (
        page.redirect(page.path, asked="import") if wants_import and not is_same else page.redirect(page.path)
    )


@ROUTES.post_route("/imports/new/{file}/discard", Permission.change_partners)
def discard(page: FilePageDep) -> Response:
    try:
        with page.writing() as session:
            stored_as = discard_import_file(session, page.number, now=page.state.clock())
            page.record(session, deeds.discarded_import_file(page.file.name))
    except NotWaitingError:
        return page.redirect(page.path)
    delete_upload(page.state.workspace, stored_as)
    return page.redirect("/imports", Notice.import_file_discarded)


@ROUTES.get_route("/imports/new/{file}/refused.csv", Permission.change_partners)
def download_refused(page: FilePageDep) -> Response:
    return send_refused(page.checked, page.number)


def send_refused(checked: CheckedFile, number: int) -> Response:
    headers = {"content-disposition": f'attachment; filename="refused-{number}.csv"'}
    rows = or_404(checked.report).write_refused()
    return StreamingResponse(rows, media_type="text/csv; charset=utf-8", headers=headers)


def _render(
    page: FilePage, basis: str, errors: Sequence[tuple[str, str]] = (), *, status: int = 200
) -> Response:
    report = page.checked.report
    hitch = page.file.hitch.words if page.file.hitch is not None else ""
    if not hitch and report and page.request.query_params.get("asked") == "import":
        hitch = _CHANGED_CHOICES
    return page.render(
        "import_file.html",
        status=status,
        errors=errors,
        hitch=page.translate(hitch) if hitch else "",
        basis=basis,
        most=SHOWN_ROWS,
        people=[(row, _describe_person(page, row)) for row in _list_people(page, report)] if report else [],
        notes=[note for note in report.notes if _SHEET_OPTION not in note.text] if report else [],
        columns=list_shown_columns(page.checked),
        statuses=list(list_shown_statuses(page.checked)),
        uses=ColumnUse,
        meanings=_MEANINGS,
        descriptions=DESCRIPTIONS,
        encodings=ENCODINGS,
        delimiters=DELIMITERS,
    )


def _list_people(page: FilePage, report: ImportReport) -> Sequence[ParsedRow]:
    # In a file of people who left, the first rows are some of those, who are not stored.
    parts = report.parts if report.added + report.updated + report.unchanged else ()
    parser = RowParser(page.settings.sectors)
    return [row for part in parts for row in parser.parse_samples(part.samples)][:_SHOWN_PEOPLE]


def _describe_person(page: FilePage, row: ParsedRow) -> Sequence[str]:
    sectors = ", ".join(sorted(map(page.name_sector, row.sectors)))
    language = own_language_name(row.language) if row.language else ""
    details = (row.organisation, page.name_country(row.country), sectors, language)
    return list(filter(None, (*details, ", ".join(sorted(row.tags)))))
