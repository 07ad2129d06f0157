"""What the page of an uploaded file shows: numbers, columns, values about leaving, and the first people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from locales.countries import country_name
from mailer.list_imports.checked_file import CheckedFile
from mailer.list_imports.import_files import KnownFile
from mailer.web.form_options import own_language_name
from mailer.web.studio.imports.choice_form import (
    ShownStatus,
    list_sheets,
    list_shown_columns,
    list_shown_statuses,
    may_choose_header,
)
from mailer.web.studio.imports.words import (
    DELIMITERS,
    DESCRIPTION_WORDS,
    ENCODINGS,
    MEANING_WORDS,
    USE_WORDS,
)
from mailer.web.studio.page import StudioPage
from subscribers.csv_format import COLUMNS
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
