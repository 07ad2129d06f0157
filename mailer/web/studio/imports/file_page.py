"""The page of a file of partners that waits to be imported."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from locales.countries import country_name
from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.database.import_models import ImportFileState, ImportHitch
from mailer.i18n import gettext_noop
from mailer.list_imports.checked_file import CheckedFile
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
from mailer.web.forms import Form, OwnFormDep, own_language_name
from mailer.web.routing import GET, POST
from mailer.web.studio.imports.choice_form import (
    DELIMITERS,
    DESCRIPTION_WORDS,
    ENCODINGS,
    MEANING_WORDS,
    USE_WORDS,
    ShownStatus,
    list_sheets,
    list_shown_columns,
    list_shown_statuses,
    may_choose_header,
    read_choices_form,
)
from mailer.web.studio.imports.upload_page import SHORT_WAIT
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import depend_on_number
from subscribers.csv_format import COLUMNS, escape_formula
from subscribers.errors import SubscriberError
from subscribers.imports.columns.layouts import RawRow
from subscribers.imports.file_parts import InspectedColumn
from subscribers.imports.import_report import ImportNote, ImportReport, PartReport, RefusedRow
from subscribers.imports.row_parser import RowParser

SHOWN_ROWS = 50
"""How many refused rows and notes a page lists."""

# A note that tells how to choose another sheet on the command line; the page has a field for it.
_SHEET_OPTION = "--sheet"


@dataclass(frozen=True, kw_only=True)
class ShownPerson:
    """One of the first people, as they would be stored. ``details`` are what is known beside the name."""

    email: str
    name: str
    details: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FileView:
    """Everything that the page of an uploaded file shows. Options are pairs of a value and its words."""

    report: ImportReport | None
    parts: tuple[PartReport, ...]
    form: str
    is_certain: bool
    columns: tuple[InspectedColumn, ...]
    hidden_columns: int
    uses: Sequence[tuple[str, str]]
    statuses: tuple[ShownStatus, ...]
    has_unknown: bool
    meanings: Sequence[tuple[str, str]]
    descriptions: dict[str, str]
    people: tuple[ShownPerson, ...]
    refused: tuple[RefusedRow, ...]
    notes: tuple[ImportNote, ...]
    hints: tuple[str, ...]
    more_notes: int
    encodings: Sequence[tuple[str, str]]
    delimiters: Sequence[tuple[str, str]]
    sheets: Sequence[str]
    top: Sequence[tuple[int, tuple[str, ...]]]


def describe_file(page: StudioPage, file: KnownFile) -> FileView:
    """Describe what is known of an uploaded file."""
    translate, checked = page.translator.translate, file.checked
    inspected, report = checked.inspected, checked.report
    columns = tuple(list_shown_columns(checked))
    statuses = tuple(list_shown_statuses(checked))
    notes = _list_notes(report)
    is_text = inspected is not None and bool(inspected.encoding)
    return FileView(
        report=report,
        parts=report.parts if report is not None else (),
        form=inspected.form if inspected is not None else "",
        is_certain=inspected is None or inspected.certain,
        columns=columns,
        hidden_columns=len(inspected.columns) - len(columns) if inspected is not None else 0,
        uses=[(use.value, translate(words)) for use, words in USE_WORDS.items()],
        statuses=statuses,
        has_unknown=any(not value.meaning for status in statuses for value in status.values),
        meanings=[(meaning.name, translate(words)) for meaning, words in MEANING_WORDS.items()],
        descriptions={ours: translate(words) for ours, words in DESCRIPTION_WORDS.items()},
        people=tuple(_list_people(checked, page)),
        refused=report.refused[:SHOWN_ROWS] if report is not None else (),
        notes=tuple(notes[:SHOWN_ROWS]),
        hints=tuple(hint for part in (report.parts if report is not None else ()) for hint in part.notes),
        more_notes=max(0, len(notes) - SHOWN_ROWS),
        # A file that cannot be read at all may be a text in another encoding.
        encodings=[(name, translate(words)) for name, words in ENCODINGS]
        if is_text or inspected is None
        else [],
        delimiters=[(sign, translate(words)) for sign, words in DELIMITERS]
        if inspected is not None and inspected.delimiter
        else [],
        sheets=list_sheets(checked),
        top=inspected.top if inspected is not None and may_choose_header(checked) else (),
    )


def _list_notes(report: ImportReport | None) -> Sequence[ImportNote]:
    notes = report.notes if report is not None else ()
    return [note for note in notes if _SHEET_OPTION not in note.text]


def _list_people(checked: CheckedFile, page: StudioPage) -> Sequence[ShownPerson]:
    report = checked.report
    # In a file of people who left, the first rows are some of those, who are not stored.
    parts = report.parts if report is not None and report.added + report.updated + report.unchanged else ()
    sectors = page.settings.sectors
    parser = RowParser(sectors)
    found = [_parse_person(sample, parser, sectors) for part in parts for sample in part.samples]
    return [person for person in found if person is not None][:5]


def _parse_person(
    sample: dict[str, str], parser: RowParser, sectors: Mapping[str, str]
) -> ShownPerson | None:
    try:
        row = parser.parse(1, _make_row(sample))
    except SubscriberError:
        return None
    details = (
        row.organisation,
        country_name(row.country) if row.country else "",
        ", ".join(sorted(sectors.get(slug, slug) for slug in row.sectors)),
        own_language_name(row.language) if row.language else "",
        ", ".join(sorted(row.tags)),
    )
    return ShownPerson(email=row.email, name=row.name, details=tuple(filter(None, details)))


def _make_row(sample: dict[str, str]) -> RawRow:
    email, name, organisation, country, sectors, language, tags = (
        sample.get(column, "") for column in COLUMNS
    )
    return RawRow(email, name, organisation, country, sectors, language, tags)


_ROWS_AT_ONCE = 500


def write_refused_rows(report: ImportReport) -> Iterator[bytes]:
    """Yield the CSV file piece by piece; the reasons are in English."""
    # Without this mark, Excel reads the file in the system's own encoding instead of UTF-8.
    yield b"\xef\xbb\xbf"
    has_files = any(row.file for row in report.refused)
    head = ["file", "row", "reason"] if has_files else ["row", "reason"]
    rows = [
        [row.file, str(row.row), row.reason] if has_files else [str(row.row), row.reason]
        for row in report.refused
    ]
    for start in range(-1, len(rows), _ROWS_AT_ONCE):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if start < 0:
            writer.writerow(head)
        some = rows[max(0, start) : start + _ROWS_AT_ONCE]
        writer.writerows([escape_formula(cell) for cell in row] for row in some)
        yield text.getvalue().encode()


ImportNumber = Annotated[int, depend_on_number("number")]
"""The path's ``number``, if it can be that of an import; otherwise the answer is 404."""

FileNumber = Annotated[int, depend_on_number("file")]
"""The path's ``file``, if it can be the number of an uploaded file; otherwise the answer is 404."""

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
