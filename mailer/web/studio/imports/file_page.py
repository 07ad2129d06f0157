"""The page of a file of partners that waits to be imported, and the form of what its columns hold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

from fastapi import Depends
from starlette.responses import Response, StreamingResponse

from mailer.activity.acts import Act
from mailer.database.import_models import ImportFile, ImportFileState
from mailer.database.team_models import TeamMember
from mailer.i18n import gettext_noop
from mailer.list_imports.checked_file import CheckedFile, ImportChoices, read_checked_file, read_choices
from mailer.list_imports.import_files import (
    NotWaitingError,
    OutdatedVersionError,
    ask_for_check,
    ask_for_import,
    delete_upload,
    discard_import_file,
)
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep, own_language_name
from mailer.web.studio.imports.upload_page import SHORT_WAIT
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, depend_on_number, or_404
from mailer.web.studio.routing import Routes
from subscribers.imports.columns.column_mapping import FILE_NAME
from subscribers.imports.columns.layout_guess import ColumnCorrections, ColumnUse
from subscribers.imports.columns.status_columns import DESCRIPTIONS, EVERY_ROW, OTHERS, StatusValueCount
from subscribers.imports.columns.status_words import StatusMeaning, fold
from subscribers.imports.file_parts import InspectedColumn, shorten_cell
from subscribers.imports.files.delimited_text import DELIMITERS
from subscribers.imports.files.text_encoding import ENCODINGS
from subscribers.imports.import_report import ImportReport
from subscribers.imports.row_parser import ParsedRow, RowParser

_MEANINGS = (
    *(StatusMeaning.active, StatusMeaning.unsubscribed, StatusMeaning.bounced, StatusMeaning.complained),
    *(StatusMeaning.suppressed, StatusMeaning.unconfirmed, StatusMeaning.nothing),
)
_MOST_COLUMNS = 100
_MOST_VALUES = 60
_LONGEST_BASIS = 300
_NARROW = 20
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
        """The page of the file, below /studio; once it is imported, that of the import."""
        import_id = self.file.import_id
        return f"/imports/new/{self.number}" if import_id is None else f"/imports/{import_id}"

    def render(self, template: str, *, status: int = 0, **values: object) -> Response:
        return super().render(template, status=status, section="partners", place=self, **values)


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
    choices = read_choices_form(form, page.choices, page.checked)
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
            page.record(session, Act.discarded_import_file, subject=page.file.name)
    except NotWaitingError:
        return page.redirect(page.path)
    delete_upload(page.state.workspace, stored_as)
    return page.redirect("/imports", Notice.import_file_discarded)


@ROUTES.get_route("/imports/new/{file}/refused.csv", Permission.change_partners)
def download_refused(page: FilePageDep) -> Response:
    return send_refused(page.checked, page.number)


def send_refused(checked: CheckedFile, number: int) -> Response:
    """Send the rows that cannot be used as CSV."""
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
        columns=_list_columns(page.checked),
        statuses=list(_list_statuses(page.checked)),
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


class ShownStatus(NamedTuple):
    """A column about leaving: its title, its place from 0, and the values that are shown of it, each with the
    name of its field, "" if it cannot be corrected. ``place`` is None for the name of the file and for
    columns of one file of several; ``hidden`` is how many values are not shown."""

    title: str
    place: int | None
    values: Sequence[tuple[str, StatusValueCount]]
    hidden: int

    @property
    def is_file_name(self) -> bool:
        return self.title == FILE_NAME


def _list_columns(checked: CheckedFile) -> Sequence[InspectedColumn]:
    """Return the columns that can be corrected: those with something in them; of a narrow file all."""
    columns = checked.columns
    is_narrow = len(columns) <= _NARROW
    shown = [one for one in columns if one.is_filled or (is_narrow and one.use is not ColumnUse.unused)]
    return shown[:_MOST_COLUMNS]


def _list_statuses(checked: CheckedFile) -> Iterator[ShownStatus]:
    """Yield the columns that tell who left. Only the first values are shown: unclear ones first."""
    is_single = checked.inspected is None or not checked.inspected.members
    room = _MOST_VALUES
    for index, status in enumerate(checked.statuses):
        place = _find_place(checked, status.column) if is_single else None
        may_correct = is_single and (place is not None or status.column == FILE_NAME)
        ordered = sorted(enumerate(status.values), key=lambda one: one[1].meaning is not None)
        values = [
            (f"meaning-{index}-{number}" if may_correct and value.value != OTHERS else "", value)
            for number, value in ordered[:room]
        ]
        room -= len(values)
        yield ShownStatus(status.column, place, values, len(ordered) - len(values))


def read_choices_form(form: Form, before: ImportChoices, checked: CheckedFile) -> ImportChoices:
    """Return the choices that the form makes, for a page that showed ``before`` and ``checked``.

    A field that is missing, or has a value that is not offered, changes nothing.
    """
    sent, said = dict(form.fields), before.corrections

    def choose(name: str, offered: Iterable[str], now: str | None) -> str | None:
        chosen = sent.get(name)
        return chosen or None if chosen in {"", *offered} else now

    top, sheets = (checked.inspected.top, checked.inspected.sheets) if checked.inspected else ((), ())
    now = None if said.header is None else str(said.header)
    row = choose("header", ["0", *(str(number) for number, _ in top)], now)
    header = None if row is None else int(row)
    reading = replace(
        before,
        encoding=choose("encoding", ENCODINGS, before.encoding),
        delimiter=choose("delimiter", DELIMITERS, before.delimiter),
        sheet=choose("sheet", sheets, before.sheet),
        corrections=replace(said, header=header),
    )
    basis = " ".join(sent.get("basis", before.basis).split())[:_LONGEST_BASIS]
    if reading != before:
        # The columns are others now, so nothing that was said of them counts.
        return replace(reading, corrections=ColumnCorrections(header=header), basis=basis)
    uses = dict(said.uses) | dict(_read_uses(sent, checked))
    meanings = {place: dict(values) for place, values in said.meanings.items()}
    file_meaning = said.file_meaning
    for place, value, meaning in _read_meanings(sent, checked):
        if place is None:
            file_meaning = meaning
        else:
            meanings.setdefault(place, {})[value if value in DESCRIPTIONS else fold(value)] = meaning
    told = replace(said, uses=uses, meanings=meanings, file_meaning=file_meaning)
    return replace(before, corrections=told, basis=basis)


def _find_place(checked: CheckedFile, title: str) -> int | None:
    # The titles of the columns are shortened.
    same = [one for one in checked.columns if one.title and one.title == shorten_cell(title)]
    told = [one for one in same if one.use is ColumnUse.status]
    return next((one.place for one in (*told, *same)), None)


def _read_uses(sent: Mapping[str, str], checked: CheckedFile) -> Iterator[tuple[int, ColumnUse]]:
    for column in _list_columns(checked):
        use = sent.get(f"use-{column.place}", "")
        if use in list(ColumnUse) and use != column.use:
            yield column.place, ColumnUse(use)


def _read_meanings(
    sent: Mapping[str, str], checked: CheckedFile
) -> Iterator[tuple[int | None, str, StatusMeaning]]:
    for status in _list_statuses(checked):
        for field, value in status.values:
            said = StatusMeaning.__members__.get(sent.get(field, "") if field else "")
            if said is not None and said is not value.meaning:
                is_file_name = value.value == EVERY_ROW and status.is_file_name
                yield None if is_file_name else status.place, value.value, said
