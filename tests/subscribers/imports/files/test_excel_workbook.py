"""Excel workbooks, read row by row."""

import io
import os
import subprocess
import sys
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.excel_workbook import format_number, is_date_format, open_excel_workbook
from subscribers.imports.files.file_source import make_file_source, open_archive
from subscribers.imports.files.workbook import choose_sheet
from tests.factories.damaged_zip import pack_damaged
from tests.factories.workbooks import excel, excel_parts, pack
from tests.paths import ROOT


def read(data: bytes, tmp_path: Path, sheet: str | None = None) -> list[SheetRow]:
    path = tmp_path / "list.xlsx"
    path.write_bytes(data)
    with open_archive(make_file_source(path)) as archive:
        return list(choose_sheet(open_excel_workbook(archive), sheet)[0].read_rows())


def cells(data: bytes, tmp_path: Path) -> list[tuple[str, ...]]:
    return [row.cells for row in read(data, tmp_path)]


def sheet_data(*rows: str) -> str:
    return f"<sheetData>{''.join(rows)}</sheetData>"


def inline(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'


def test_values_of_every_kind_become_the_text_that_is_meant(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    moment = datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001 - a workbook knows no time zones
    written = ["李 & <b>", 976000000.0, 1.5, True, date(2024, 2, 29), moment, time(3, 4)]
    for column, value in enumerate(written, start=1):
        sheet.cell(row=3, column=column, value=value)
    sheet.cell(row=3, column=9, value=date(2024, 2, 29)).number_format = '[$-409]d" day of "mmm'
    sheet.cell(row=3, column=10, value=7).number_format = '"days"0'
    stream = io.BytesIO()
    book.save(stream)
    expected = ("李 & <b>", "976000000", "1.5", "TRUE", "2024-02-29", "2024-01-02T03:04:05", "03:04:00", "")
    assert read(stream.getvalue(), tmp_path) == [SheetRow(3, (*expected, "2024-02-29", "7"))]


@pytest.mark.parametrize(
    ("text", "is_date", "starts_1904", "expected"),
    [
        ("9.76E8", False, False, "976000000"),
        ("0.1", False, False, "0.1"),
        ("nan", False, False, "nan"),
        ("x", True, False, "x"),
        ("1", True, False, "1900-01-01"),
        ("59", True, False, "1900-02-28"),
        ("61", True, False, "1900-03-01"),
        ("0", True, True, "00:00:00"),
        ("1", True, True, "1904-01-02"),
        ("45292.999999999", True, False, "2024-01-02"),
        ("-5", True, False, "-5"),
        ("99999999", True, False, "99999999"),
    ],
)
def test_numbers_and_dates_at_their_limits(
    text: str, is_date: bool, starts_1904: bool, expected: str
) -> None:
    assert format_number(text, is_date=is_date, starts_1904=starts_1904) == expected


@pytest.mark.parametrize(
    ("code", "is_date"),
    [
        ("yyyy\\-mm\\-dd", True),
        ('yyyy"年"m"月"d"日"', True),
        ("[h]:mm", True),
        ("[$-F800]dddd, mmmm dd, yyyy", True),
        ("General", False),
        ("0.00E+00", False),
        ("[Red]#,##0", False),
        ('#,##0 "days"', False),
        ("0_d", False),
        ("@", False),
    ],
)
def test_a_format_shows_a_date_if_it_has_a_place_for_one(code: str, is_date: bool) -> None:
    assert is_date_format("164", code) is is_date


def test_shared_and_rich_texts_are_read_without_their_pronunciation(tmp_path: Path) -> None:
    written = '<c r="A1" t="s"><v>1</v></c><c r="B1" t="s"><v>0</v></c><c r="C1" t="s"><v>9</v></c>'
    written += '<c r="D1" t="str"><v>f_x000A_g</v></c><c r="E1" t="e"><v>#N/A</v></c>'
    rows = sheet_data(f'<row r="1">{written}<c r="F1" t="d"><v>2024-01-02</v></c></row>')
    tokyo = "<r><t>東</t></r><r><t>京</t></r><rPh><t>トウキョウ</t></rPh>"
    texts = f"<si><t>a</t></si><si>{tokyo}</si>"
    assert cells(excel(rows, texts=texts), tmp_path) == [("東京", "a", "", "f\ng", "", "2024-01-02")]


LETTERS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=20
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(LETTERS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_text_comes_back_as_it_was_written(tmp_path: Path, table: list[list[str]]) -> None:
    texts: dict[str, int] = {}
    rows = sheet_data(
        *(
            "<row>"
            + "".join(f'<c t="s"><v>{texts.setdefault(text, len(texts))}</v></c>' for text in row)
            + "</row>"
            for row in table
        )
    )
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
    assert cells(excel(rows, texts=shared), tmp_path) == [tuple(row) for row in table]


@pytest.mark.parametrize("prefix", ["", "x"])
def test_a_strict_workbook_and_one_with_prefixes_are_read(tmp_path: Path, prefix: str) -> None:
    mark = f"{prefix}:" if prefix else ""
    rows = (
        f"<{mark}sheetData><{mark}row><{mark}c><{mark}v>1</{mark}v></{mark}c></{mark}row></{mark}sheetData>"
    )
    strict = "http://purl.oclc.org/ooxml/spreadsheetml/main"
    assert cells(excel(rows, prefix=prefix, namespace=strict), tmp_path) == [("1",)]


def test_a_merged_cell_applies_to_every_row_it_covers(tmp_path: Path) -> None:
    rows = sheet_data(
        f'<row r="1">{inline("A1", "List")}</row>',
        f'<row r="2">{inline("A2", "email")}{inline("B2", "organisation")}</row>',
        f'<row r="3">{inline("A3", "a@x.org")}{inline("B3", "Ministry")}</row>',
        f'<row r="4">{inline("A4", "b@x.org")}<c r="B4"/></row>',
        '<row r="5"><c r="B5"/></row>',
        f'<row r="6">{inline("A6", "c@x.org")}{inline("C6", "press")}</row>',
        f'<row r="7">{inline("A7", "d@x.org")}</row>',
    )
    merged = '<mergeCells><mergeCell ref="A1:C1"/><mergeCell ref="B3:B6"/></mergeCells>'
    assert read(excel(rows + merged), tmp_path) == [
        SheetRow(1, ("List",)),
        SheetRow(2, ("email", "organisation")),
        SheetRow(3, ("a@x.org", "Ministry")),
        SheetRow(4, ("b@x.org", "Ministry")),
        SheetRow(6, ("c@x.org", "Ministry", "press")),
        SheetRow(7, ("d@x.org",)),
    ]


def three_sheets() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.create_sheet("Old").append(["old@x.org"])
    book["Old"].sheet_state = "hidden"
    book.create_sheet("Members").append(["new@x.org"])
    book.create_sheet("Board").append(["board@x.org"])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_the_first_visible_sheet_with_rows_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    (tmp_path / "list.xlsx").write_bytes(three_sheets())
    with open_archive(make_file_source(tmp_path / "list.xlsx")) as archive:
        chosen, unread = choose_sheet(open_excel_workbook(archive), None)
        assert (chosen.name, unread) == ("Members", ("Old", "Board"))
    assert read(three_sheets(), tmp_path, "board ")[0].cells == ("board@x.org",)
    with pytest.raises(
        ImportFileError, match=r'no sheet "Bord"\. Its sheets are: "Sheet", "Old", "Members", "Bo'
    ):
        read(three_sheets(), tmp_path, "Bord")
    with pytest.raises(ImportFileError, match="none of its sheets has any rows"):
        read(excel(sheet_data()), tmp_path)


def test_a_first_sheet_without_addresses_explains_the_others(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    notes = book.worksheets[0]
    notes.title = "Notes"
    notes.append(["Fill in the sheet Members."])
    book.create_sheet("Members").append(["ann@example.org"])
    stream = io.BytesIO()
    book.save(stream)
    (tmp_path / "list.xlsx").write_bytes(stream.getvalue())
    with open_archive(make_file_source(tmp_path / "list.xlsx")) as archive:
        chosen, unread = choose_sheet(open_excel_workbook(archive), None)
        assert (chosen.name, unread) == ("Members", ("Notes",))


def test_a_stray_format_in_the_last_cell_harms_nobody(tmp_path: Path) -> None:
    formatted = '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    rows = sheet_data(f'<row r="1">{inline("A1", "email")}</row>', formatted)
    assert cells(excel(rows), tmp_path) == [("email",)]


def test_a_cell_without_a_proper_place_comes_after_the_one_before(tmp_path: Path) -> None:
    places = ["b1", "", "1", "ÄÖ1", "ABCDEFG1"]
    rows = sheet_data(f'<row r="1">{"".join(inline(place, place or "-") for place in places)}</row>')
    assert cells(excel(rows), tmp_path) == [("", "b1", "-", "1", "ÄÖ1", "ABCDEFG1")]


HOSTILE_SHEETS = {
    "rows out of order": (sheet_data(f'<row r="2">{inline("A2", "x")}</row>' * 2), "not in order"),
    "a row far down": (sheet_data(f'<row r="9999999">{inline("A1", "x")}</row>'), "row 9,999,999"),
    "a text without end": (
        sheet_data(f'<row r="1">{inline("A1", "ab" * 600_000)}</row>'),
        "not what a spreadsheet",
    ),
    "a name without end": (sheet_data("<" + "x" * 5_000_000), "not what a spreadsheet"),
    "a million names": (sheet_data(*(f"<n{number}/>" for number in range(60_000))), "not what a spreadsheet"),
    "a pile of elements": (sheet_data("<a>" * 300 + "</a>" * 300 + " " * 100_000), None),
    "a tower of elements": (sheet_data("<a>" * 60_000), "not what a spreadsheet"),
    "a text of empty pieces": (
        sheet_data(f'<row r="1"><c r="A1" t="inlineStr"><is>{"<t/>" * 1_000_001}</is></c></row>'),
        "more than 1,000,000 characters",
    ),
    "an open element": ("<sheetData><row>", "it is damaged: sheet1.xml"),
}


@pytest.mark.parametrize("kind", HOSTILE_SHEETS)
def test_a_sheet_that_would_fill_the_memory_is_refused(tmp_path: Path, kind: str) -> None:
    sheet, reason = HOSTILE_SHEETS[kind]
    parts = excel_parts(sheet)
    if reason is None:
        reason = "none of its sheets has any rows"
    # A picture beside it, so that the archive as a whole does not look packed too well.
    data = pack({**parts, "xl/media/image1.png": os.urandom(50_000)})
    with pytest.raises(ImportFileError, match=reason):
        read(data, tmp_path)


def test_entities_are_refused(tmp_path: Path) -> None:
    parts = excel_parts(sheet_data())
    declaration = '<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]>'
    parts["xl/worksheets/sheet1.xml"] = declaration + str(parts["xl/worksheets/sheet1.xml"])
    with pytest.raises(ImportFileError, match="declares a document type"):
        read(pack(parts), tmp_path)


def test_a_bomb_beside_a_picture_is_refused_by_its_own_size(tmp_path: Path) -> None:
    parts = excel_parts(sheet_data(), texts="<si><t>a</t></si>" * 1_000_000)
    with pytest.raises(ImportFileError, match=r"sharedStrings\.xml' of [\d,]+ bytes claims to hold 17,"):
        read(pack({**parts, "xl/media/pad.bin": os.urandom(200_000)}), tmp_path)


def test_texts_that_take_too_much_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subscribers.imports.files.excel_workbook._MAX_SHARED_TEXTS", 2)
    rows = sheet_data('<row r="1"><c r="A1" t="s"><v>0</v></c></row>')
    with pytest.raises(ImportFileError, match="more than 2 different texts, or 160 MB"):
        read(excel(rows, texts="<si><t>a</t></si>" * 3), tmp_path)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (zipfile.ZIP_DEFLATED, "the archive is damaged: "),
        (zipfile.ZIP_BZIP2, "it cannot be read: Invalid data stream"),
        (zipfile.ZIP_LZMA, "the archive is damaged: Corrupt input data"),
    ],
)
def test_a_workbook_damaged_inside_is_refused_however_it_is_packed(
    tmp_path: Path, method: int, words: str
) -> None:
    data = pack_damaged(excel_parts(sheet_data()), damaged="xl/worksheets/sheet1.xml", method=method)
    with pytest.raises(ImportFileError, match=words):
        read(data, tmp_path)


@pytest.mark.parametrize("missing", ["xl/worksheets/sheet1.xml", "xl/workbook.xml"])
def test_a_workbook_without_a_part_is_damaged(tmp_path: Path, missing: str) -> None:
    parts = excel_parts(sheet_data())
    del parts[missing]
    with pytest.raises(ImportFileError, match=r"it is damaged: its part xl/.*is missing"):
        read(pack(parts), tmp_path)


PEAK = """
import re, sys
from pathlib import Path
from subscribers.imports.files.excel_workbook import open_excel_workbook
from subscribers.imports.files.file_source import make_file_source
from subscribers.imports.files.workbook import choose_sheet
from subscribers.imports.files.file_source import open_archive

with open_archive(make_file_source(Path(sys.argv[1]))) as archive:
    rows = sum(1 for _ in choose_sheet(open_excel_workbook(archive), None)[0].read_rows())
# Not ru_maxrss, which a process inherits from its parent.
peak = re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text())
print(rows, int(peak[1]) // 1000)
"""


def test_a_sheet_of_twenty_million_places_takes_little_memory(tmp_path: Path) -> None:
    # Two cells in each row, a thousand columns apart: whoever keeps the whole sheet needs 700 MB and more.
    rows = sheet_data(
        *(
            f'<row r="{row}">{inline(f"A{row}", f"p{row}@x.org")}{inline(f"ALL{row}", "x")}</row>'
            for row in range(1, 20_000)
        )
    )
    path = tmp_path / "wide.xlsx"
    path.write_bytes(excel(rows, texts="".join(f"<si><t>{number}</t></si>" for number in range(100_000))))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120
    )
    count, peak = map(int, done.stdout.split())
    assert count == 19_999
    assert peak < 200
