"""What a person said about a file, and what was found in it, survive being stored."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locales.phrase import Phrase
from mailer.list_imports.checked_file import CheckedFile, ImportChoices, read_checked_file, read_choices
from subscribers.errors import SubscriberError
from subscribers.imports.columns.layout_guess import ColumnCorrections, ColumnUse
from subscribers.imports.columns.layouts import RawRow
from subscribers.imports.columns.status_columns import StatusColumnCount, StatusValueCount
from subscribers.imports.columns.status_words import StatusMeaning
from subscribers.imports.file_parts import InspectedColumn, InspectedFile
from subscribers.imports.import_report import ImportNote, ImportReport, PartReport, RefusedRow
from subscribers.imports.row_parser import RowParser

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PLACES = st.integers(0, 999)
COUNTS = st.integers(0, 10**6)
MEANINGS = st.sampled_from(StatusMeaning)

CHOICES = st.builds(
    ImportChoices,
    encoding=st.none() | TEXT,
    delimiter=st.none() | TEXT,
    sheet=st.none() | TEXT,
    name=TEXT,
    corrections=st.builds(
        ColumnCorrections,
        header=st.none() | PLACES,
        uses=st.dictionaries(PLACES, st.sampled_from(ColumnUse), max_size=4),
        meanings=st.dictionaries(PLACES, st.dictionaries(TEXT, MEANINGS, max_size=3), max_size=3),
        file_meaning=st.none() | MEANINGS,
    ),
    basis=TEXT,
)
STATUSES = st.builds(
    StatusColumnCount,
    column=TEXT,
    values=st.lists(
        st.builds(StatusValueCount, value=TEXT, rows=COUNTS, meaning=st.none() | MEANINGS), max_size=3
    ),
)
REPORTS = st.builds(
    ImportReport,
    added=COUNTS,
    updated=COUNTS,
    unchanged=COUNTS,
    suppressed=COUNTS,
    refused=st.lists(st.builds(RefusedRow, row=COUNTS, reason=TEXT, file=TEXT), max_size=3).map(tuple),
    import_id=st.none() | COUNTS,
    parts=st.lists(
        st.builds(
            PartReport,
            file=TEXT,
            form=TEXT,
            certain=st.booleans(),
            maker=TEXT,
            meaning=st.just({"email": ["E-Mail"]}),
            unused=st.lists(TEXT, max_size=2),
            samples=st.just([{"email": "ann@example.org"}]),
            statuses=st.lists(STATUSES, max_size=2),
        ),
        max_size=2,
    ).map(tuple),
    notes=st.lists(st.builds(ImportNote, text=TEXT, row=st.none() | COUNTS, file=TEXT), max_size=3).map(
        tuple
    ),
)
INSPECTED = st.builds(
    InspectedFile,
    form=TEXT,
    sheets=st.lists(TEXT, max_size=3).map(tuple),
    top=st.lists(st.tuples(COUNTS, st.lists(TEXT, max_size=2).map(tuple)), max_size=2).map(tuple),
    header=st.none() | COUNTS,
    columns=st.lists(
        st.builds(
            InspectedColumn,
            place=PLACES,
            title=TEXT,
            samples=st.lists(TEXT, max_size=3).map(tuple),
            use=st.sampled_from(ColumnUse),
        ),
        max_size=3,
    ).map(tuple),
)


@given(choices=CHOICES)
def test_choices_are_read_as_they_were_written(choices: ImportChoices) -> None:
    assert read_choices(choices.write_json()) == choices
    assert read_choices(json.dumps(json.loads(choices.write_json()))) == choices


@given(
    report=st.none() | REPORTS,
    inspected=st.none() | INSPECTED,
    doubts=st.lists(TEXT, max_size=2).map(tuple),
    unclear=st.lists(STATUSES, max_size=2).map(tuple),
)
def test_what_was_found_is_read_as_it_was_written(
    report: ImportReport | None,
    inspected: InspectedFile | None,
    doubts: tuple[str, ...],
    unclear: tuple[StatusColumnCount, ...],
) -> None:
    found = CheckedFile(inspected=inspected, report=report, doubts=doubts, unclear=unclear)
    assert read_checked_file(found.write_json()) == found
    assert read_checked_file(found.write_json()).version == found.version


@given(report=REPORTS, inspected=INSPECTED)
def test_without_people_nothing_of_a_row_is_left(report: ImportReport, inspected: InspectedFile) -> None:
    left = CheckedFile(inspected=inspected, report=report).without_people()
    assert left.report is not None
    assert [left.report.refused, left.report.notes, left.inspected] == [(), (), None]
    assert "ann@example.org" not in left.write_json()
    assert {field.name for field in fields(CheckedFile)} == {
        "inspected",
        "report",
        "fault",
        "doubts",
        "unclear",
    }


def test_the_reason_of_a_refused_row_can_be_translated_after_it_was_kept() -> None:
    parser = RowParser(["education"])
    refused = []
    for number, cells in enumerate((("a b@example.org", ""), ("ann@example.org", "eduction")), start=2):
        row = RawRow(cells[0], "", "", "", cells[1], "", "")
        with pytest.raises(SubscriberError) as caught:
            parser.parse(number, row)
        refused.append(RefusedRow(row=number, reason=caught.value.words))
    report = ImportReport(added=0, updated=0, unchanged=0, suppressed=0, refused=tuple(refused))
    kept = read_checked_file(CheckedFile(report=report).write_json()).report
    assert kept == report
    names = {"it contains a space": "[1]", "Did you mean": "[2]"}

    def translate(message: str) -> str:
        return next((new for old, new in names.items() if old in message), message)

    assert kept is not None
    said = [one.reason.render(translate) for one in kept.refused if isinstance(one.reason, Phrase)]
    assert said == ['"a b@example.org" is not an address we can write to: [1].', "sectors: [2]"]
