"""The page of a file of partners that waits to be imported, and the form of what its columns hold."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from locales.countries import country_name
from mailer.activity.acts import Act
from mailer.activity.record import record_activity
from mailer.database.import_models import ImportFileState, ImportHitch
from mailer.i18n import gettext_noop
from mailer.list_imports.checked_file import CheckedFile, ImportChoices
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
from mailer.web.studio.imports.upload_page import SHORT_WAIT
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import depend_on_number
from subscribers.csv_format import COLUMNS, escape_formula
from subscribers.errors import SubscriberError
from subscribers.imports.columns.column_mapping import FILE_NAME
from subscribers.imports.columns.layout_guess import ColumnUse
from subscribers.imports.columns.layouts import RawRow
from subscribers.imports.columns.status_columns import ANY_TEXT, DATE, DESCRIPTIONS, EMPTY, EVERY_ROW, OTHERS
from subscribers.imports.columns.status_words import StatusMeaning, fold
from subscribers.imports.file_parts import InspectedColumn, shorten_cell
from subscribers.imports.import_report import ImportNote, ImportReport, PartReport, RefusedRow
from subscribers.imports.row_parser import RowParser

USE_WORDS: Mapping[ColumnUse, str] = MappingProxyType(
    {
        ColumnUse.unused: gettext_noop("Not used"),
        ColumnUse.email: gettext_noop("Email address"),
        ColumnUse.given: gettext_noop("First name"),
        ColumnUse.middle: gettext_noop("Middle name"),
        ColumnUse.family: gettext_noop("Last name"),
        ColumnUse.name: gettext_noop("Whole name"),
        ColumnUse.organisation: gettext_noop("Organisation"),
        ColumnUse.country: gettext_noop("Country"),
        ColumnUse.sectors: gettext_noop("Sectors"),
        ColumnUse.language: gettext_noop("Language"),
        ColumnUse.tags: gettext_noop("Tags"),
        ColumnUse.status: gettext_noop("Tells who left"),
    }
)

MEANING_WORDS: Mapping[StatusMeaning, str] = MappingProxyType(
    {
        StatusMeaning.active: gettext_noop("Gets mail"),
        StatusMeaning.unsubscribed: gettext_noop("Unsubscribed: gets no mail"),
        StatusMeaning.bounced: gettext_noop("Address does not work: gets no mail"),
        StatusMeaning.complained: gettext_noop("Reported mail as spam: gets no mail"),
        StatusMeaning.suppressed: gettext_noop("Must not get mail"),
        StatusMeaning.unconfirmed: gettext_noop("Never confirmed: is refused"),
        StatusMeaning.nothing: gettext_noop("Says nothing about leaving"),
    }
)

DESCRIPTION_WORDS: Mapping[str, str] = MappingProxyType(
    {
        EMPTY: gettext_noop("(empty)"),
        DATE: gettext_noop("(a date)"),
        ANY_TEXT: gettext_noop("(any text)"),
        OTHERS: gettext_noop("(other values)"),
        EVERY_ROW: gettext_noop("(every row)"),
        FILE_NAME: gettext_noop("The name of the file"),
    }
)
"""Our own words in place of a cell or a title."""

ENCODINGS: tuple[tuple[str, str], ...] = (
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("gb18030", gettext_noop("Chinese, simplified (GB18030)")),
    ("big5hkscs", gettext_noop("Chinese, traditional (Big5)")),
    ("cp932", gettext_noop("Japanese (Windows-932)")),
    ("cp949", gettext_noop("Korean (Windows-949)")),
    ("cp1251", gettext_noop("Cyrillic (Windows-1251)")),
    ("cp1252", gettext_noop("Western European (Windows-1252)")),
    ("cp1250", gettext_noop("Central European (Windows-1250)")),
    ("cp1253", gettext_noop("Greek (Windows-1253)")),
    ("cp1254", gettext_noop("Turkish (Windows-1254)")),
    ("cp1256", gettext_noop("Arabic (Windows-1256)")),
)
"""The encodings that can be chosen, by Python's name."""

DELIMITERS: tuple[tuple[str, str], ...] = (
    (",", gettext_noop("Comma")),
    (";", gettext_noop("Semicolon")),
    ("\t", gettext_noop("Tab")),
    ("|", gettext_noop("Vertical bar")),
)

MOST_COLUMNS = 100
MOST_VALUES = 60
_LONGEST_BASIS = 300
_NARROW = 20
_TABLES = ("CSV", "Excel", "OpenDocument", "LibreOffice")


@dataclass(frozen=True, kw_only=True)
class ShownValue:
    """A value of a column about leaving: the name of its field, "" if it cannot be corrected, and what it was
    taken for, "" if that is not known."""

    field: str
    value: str
    rows: int
    meaning: str
    is_ours: bool


@dataclass(frozen=True, kw_only=True)
class ShownStatus:
    """A column about leaving with its values; ``hidden`` is how many are not shown. ``place`` is the column's
    from 0, None for the name of the file and for columns of one file of several."""

    title: str
    place: int | None
    values: tuple[ShownValue, ...]
    hidden: int
    is_ours: bool


def list_shown_columns(checked: CheckedFile) -> Sequence[InspectedColumn]:
    """The columns that can be corrected: those with something in them; of a narrow file all."""
    columns = checked.inspected.columns if checked.inspected is not None else ()
    is_narrow = len(columns) <= _NARROW
    shown = [one for one in columns if one.is_filled or (is_narrow and one.use is not ColumnUse.unused)]
    return shown[:MOST_COLUMNS]


def list_shown_statuses(checked: CheckedFile) -> Sequence[ShownStatus]:
    """The columns that tell who left. At most :data:`MOST_VALUES` values are shown in all, and those that are
    not understood come first."""
    is_single = checked.inspected is None or not checked.inspected.members
    shown, room = [], MOST_VALUES
    for index, status in enumerate(_list_statuses(checked)):
        place = _find_place(checked, status["column"]) if is_single else None
        may_correct = is_single and (place is not None or status["column"] == FILE_NAME)
        ordered = sorted(enumerate(status["values"]), key=lambda one: one[1]["meaning"] is not None)
        values = [
            ShownValue(
                field=f"meaning-{index}-{number}" if may_correct and value["value"] != OTHERS else "",
                value=value["value"],
                rows=value["rows"],
                meaning=_find_meaning_name(value["meaning"]),
                is_ours=value["value"] in DESCRIPTIONS,
            )
            for number, value in ordered[:room]
        ]
        room -= len(values)
        shown.append(
            ShownStatus(
                title=status["column"],
                place=place,
                values=tuple(values),
                hidden=len(ordered) - len(values),
                is_ours=status["column"] == FILE_NAME,
            )
        )
    return shown


def read_choices_form(form: Form, file: KnownFile) -> ImportChoices:
    """Return the choices that the form makes, for a page that showed ``file`` as it is now.

    A field that is missing, or has a value that is not offered, changes nothing.
    """
    before, checked = file.choices, file.checked
    reading = replace(
        before,
        encoding=_read_offered(form, "encoding", [name for name, _ in ENCODINGS], before.encoding),
        delimiter=_read_offered(form, "delimiter", [sign for sign, _ in DELIMITERS], before.delimiter),
        sheet=_read_offered(form, "sheet", list_sheets(checked), before.sheet),
        header=_read_header(form, checked, before.header),
        basis=read_basis(form, before.basis),
    )
    if replace(reading, basis=before.basis) != before:
        # The columns are others now, so nothing that was said of them counts.
        return replace(reading, uses={}, meanings={}, file_meaning=None)
    uses = dict(before.uses) | dict(_read_uses(form, checked))
    meanings: dict[int, dict[str, StatusMeaning]] = {
        place: dict(values) for place, values in before.meanings.items()
    }
    file_meaning = before.file_meaning
    for place, value, meaning in _read_meanings(form, checked):
        if place is None:
            file_meaning = meaning
        else:
            meanings.setdefault(place, {})[value if value in DESCRIPTIONS else fold(value)] = meaning
    return replace(reading, uses=uses, meanings=meanings, file_meaning=file_meaning)


def read_basis(form: Form, before: str) -> str:
    """Why one may write to these people, on one line."""
    if not any(name == "basis" for name, _ in form.fields):
        return before
    return " ".join(form.get("basis").split())[:_LONGEST_BASIS]


def list_sheets(checked: CheckedFile) -> Sequence[str]:
    """The names of the sheets of a workbook."""
    return checked.inspected.sheets if checked.inspected is not None else ()


def may_choose_header(checked: CheckedFile) -> bool:
    """Whether the file is a table, in which a row names the columns."""
    form = checked.inspected.form if checked.inspected is not None else ""
    return form.startswith(_TABLES) and checked.inspected is not None and not checked.inspected.members


def _list_statuses(checked: CheckedFile) -> Sequence[Mapping[str, Any]]:
    if checked.report is None:
        return checked.statuses
    return [status for part in checked.report.parts for status in part.statuses]


def _find_meaning_name(value: str | None) -> str:
    return StatusMeaning(value).name if value else ""


def _find_place(checked: CheckedFile, title: str) -> int | None:
    columns = checked.inspected.columns if checked.inspected is not None else ()
    # The titles of the columns are shortened.
    same = [one for one in columns if one.title and one.title == shorten_cell(title)]
    told = [one for one in same if one.use is ColumnUse.status]
    return next((one.place for one in (*told, *same)), None)


def _read_offered(form: Form, name: str, offered: Sequence[str], before: str) -> str:
    if not any(field == name for field, _ in form.fields):
        return before
    value = form.get(name)
    return value if value in offered or not value else before


def _read_header(form: Form, checked: CheckedFile, before: int | None) -> int | None:
    known = {str(number): number for number, _ in checked.inspected.top} if checked.inspected else {}
    wanted = form.get("header")
    if not any(field == "header" for field, _ in form.fields):
        return before
    return {"": None, "0": 0, **known}.get(wanted, before)


def _read_uses(form: Form, checked: CheckedFile) -> Iterator[tuple[int, ColumnUse]]:
    sent = dict(form.fields)
    for column in list_shown_columns(checked):
        use = sent.get(f"use-{column.place}", "")
        if use in list(ColumnUse) and use != column.use:
            yield column.place, ColumnUse(use)


def _read_meanings(form: Form, checked: CheckedFile) -> Iterator[tuple[int | None, str, StatusMeaning]]:
    sent = dict(form.fields)
    for status in list_shown_statuses(checked):
        for value in status.values:
            said = sent.get(value.field, "") if value.field else ""
            if said in StatusMeaning.__members__ and said != value.meaning:
                is_file_name = value.value == EVERY_ROW and status.is_ours
                yield None if is_file_name else status.place, value.value, StatusMeaning[said]


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
