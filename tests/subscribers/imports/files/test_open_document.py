"""OpenDocument spreadsheets, read row by row."""

from pathlib import Path

import pytest

from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import make_file_source, open_archive
from subscribers.imports.files.open_document import open_open_document
from subscribers.imports.files.workbook import choose_sheet
from tests.factories.workbooks import ods, ods_row, ods_sheet, ods_text, pack

TEXT = 'office:value-type="string"'


def read(data: bytes, tmp_path: Path, sheet: str | None = None) -> list[SheetRow]:
    path = tmp_path / "list.ods"
    path.write_bytes(data)
    with open_archive(make_file_source(path)) as archive:
        return list(choose_sheet(open_open_document(archive), sheet)[0].read_rows())


def cell(kind: str, value: str, shown: str = "", calc: str = "") -> str:
    name = {"date": "date-value", "boolean": "boolean-value", "time": "time-value"}.get(kind, "value")
    more = f' calcext:value-type="{calc}"' if calc else ""
    return (
        f'<table:table-cell office:value-type="{kind}" office:{name}="{value}"{more}>'
        f"<text:p>{shown}</text:p></table:table-cell>"
    )


def test_values_of_every_kind_become_the_text_that_is_meant(tmp_path: Path) -> None:
    row = ods_row(
        cell("float", "976000000", "976 000 000"),
        cell("currency", "1.5", "1,50 €"),
        cell("boolean", "true", "WAHR"),
        cell("date", "2024-02-29", "29.02.24"),
        cell("date", "2024-02-29T00:00:00", "29.02.24"),
        cell("date", "2024-02-29T03:04:05"),
        cell("time", "PT03H04M00S", "03:04"),
        cell("string", "", "#N/A", calc="error"),
        ods_text("A &amp; <text:span>B</text:span><text:s text:c='2'/>C"),
        ods_text("1</text:p><text:p>2"),
    )
    expected = ("976000000", "1.5", "TRUE", "2024-02-29", "2024-02-29", "2024-02-29T03:04:05", "03:04", "")
    assert read(ods(ods_sheet("S", row)), tmp_path) == [SheetRow(1, (*expected, "A & B  C", "1\n2"))]


def test_comments_drawings_and_tables_inside_a_cell_are_not_its_text(tmp_path: Path) -> None:
    comment = "<office:annotation><text:p>call her</text:p></office:annotation>"
    drawing = "<draw:frame><draw:text-box><text:p>logo</text:p></draw:text-box></draw:frame>"
    row = ods_row(
        f"<table:table-cell {TEXT}>{comment}<text:p>An{drawing}n</text:p></table:table-cell>",
        f"<table:table-cell>{comment}</table:table-cell>",
        f"<table:table-cell {TEXT}>{ods_sheet('T', ods_row('inner'))}<text:p>x</text:p></table:table-cell>",
    )
    shapes = f"<table:shapes>{drawing}</table:shapes>"
    deleted = f"<table:tracked-changes>{ods_row('deleted')}</table:tracked-changes>"
    assert read(ods(deleted + ods_sheet("S", shapes, row)), tmp_path) == [SheetRow(1, ("Ann", "", "x"))]


def test_rows_and_cells_are_counted_as_often_as_they_are_repeated(tmp_path: Path) -> None:
    twice = ods_text("y", 'table:number-columns-repeated="2"')
    gap = '<table:table-cell table:number-columns-repeated="3"/>'
    end = '<table:table-cell table:number-columns-repeated="16384"/>'
    sheet = ods_sheet(
        "S",
        ods_row("email", gap, twice),
        ods_row(end, repeated=3),
        f"<table:table-row-group>{ods_row('same', repeated=2)}</table:table-row-group>",
        ods_row("last", end),
        ods_row(end, repeated=1048569),
    )
    assert read(ods(sheet), tmp_path) == [
        SheetRow(1, ("email", "", "", "", "y", "y")),
        SheetRow(5, ("same",)),
        SheetRow(6, ("same",)),
        SheetRow(7, ("last",)),
    ]


def test_a_merged_cell_applies_to_every_row_it_covers(tmp_path: Path) -> None:
    covered = "<table:covered-table-cell/>"
    sheet = ods_sheet(
        "S",
        ods_row("a@x.org", ods_text("Ministry", 'table:number-rows-spanned="3"'), "MN"),
        ods_row("b@x.org", covered, "CN"),
        ods_row("", covered, ""),
        ods_row("c@x.org"),
    )
    assert [row.cells for row in read(ods(sheet), tmp_path)] == [
        ("a@x.org", "Ministry", "MN"),
        ("b@x.org", "Ministry", "CN"),
        ("c@x.org",),
    ]


def test_the_first_visible_sheet_with_rows_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    hidden = (
        '<style:style style:name="ta1" style:family="table">'
        '<style:table-properties table:display="false"/></style:style>'
    )
    sheets = [ods_sheet("Empty", ods_row("")), ods_sheet("Old", ods_row("old"), style="ta1")]
    sheets += [ods_sheet("Members", ods_row("new")), ods_sheet("Board", ods_row("board"))]
    data = ods("".join(sheets), styles=hidden)
    (tmp_path / "list.ods").write_bytes(data)
    with open_archive(make_file_source(tmp_path / "list.ods")) as archive:
        chosen, unread = choose_sheet(open_open_document(archive), None)
        assert (chosen.name, unread) == ("Members", ("Old", "Board"))
        assert [row.cells for row in chosen.read_rows()] == [("new",)]
    assert [row.cells for row in read(data, tmp_path, "Board")] == [("board",)]
    assert read(data, tmp_path, "Empty") == []


WIDE = ods_text("x", 'table:number-columns-repeated="99999999999"')


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (ods_sheet("S", ods_row("x", repeated=2_000_000_000)), "reaches to column 1 and row 1,048,577"),
        (ods_sheet("S", ods_row(*["x"] * 999, repeated=100_000)), "reaches to column 999 and row 100,000"),
        (ods_sheet("S", ods_row(WIDE)), "reaches to column 1,001 and row 1"),
        (ods_sheet("S") * 1001, "more than 1,000 sheets"),
        (ods_sheet("S", "<table:table-row>" * 10_000), "not what a spreadsheet program writes"),
    ],
)
def test_what_would_fill_the_memory_is_refused(tmp_path: Path, table: str, reason: str) -> None:
    with pytest.raises(ImportFileError, match=reason):
        read(ods(table), tmp_path)


def test_a_password_is_named_as_the_reason(tmp_path: Path) -> None:
    members = {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": b"\x93\x12\x88",
        "META-INF/manifest.xml": "<manifest:encryption-data/>",
    }
    with pytest.raises(ImportFileError, match="protected by a password"):
        read(pack(members), tmp_path)
