"""Read the first sheet of an Excel workbook as rows of text."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time
from io import BytesIO
from typing import Any

from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.delimited_text import MAX_COLUMNS
from subscribers.imports.files.file_source import FileSource
from subscribers.imports.files.zip_archive import ZipArchive

_MAX_CELLS = 20_000_000
_CELL_REFERENCE = re.compile(rb"""\br(?:ef)?\s*=\s*["'](?:[A-Z]{1,3}[0-9]+:)?([A-Z]{1,3})([0-9]{1,7})["']""")
_MAX_REFERENCE_BYTES = 64
_BLOCK = 1 << 20


def is_workbook(names: tuple[str, ...]) -> bool:
    """Return whether an archive with these files is a workbook."""
    return "xl/workbook.xml" in names


def read_workbook(source: FileSource, archive: ZipArchive) -> Iterator[SheetRow]:
    """Yield the rows of the first sheet. Whole numbers have no decimal point, dates are ISO 8601.

    Raises:
        ImportFileError: it is damaged, or claims more rows and columns than we allow.
    """
    _refuse_oversized(source, archive)
    from python_calamine import CalamineError, CalamineWorkbook

    with source.open() as stream:
        data = BytesIO(stream.read())
    try:
        workbook = CalamineWorkbook.from_filelike(data)
        sheet = workbook.get_sheet_by_index(0)
        for number, values in enumerate(sheet.iter_rows(), start=1):
            yield SheetRow(number, tuple(map(_format_value, values)))
    except (CalamineError, ValueError, IndexError) as error:
        raise ImportFileError(source.name, f"it is not a readable workbook: {error}.") from error


def _format_value(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        # Excel has only one kind of number: a telephone number arrives as 976000000.0.
        return str(int(value))
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return str(value)


def _refuse_oversized(source: FileSource, archive: ZipArchive) -> None:
    """Refuse a sheet with a cell far out, for which the reader would allocate every cell before it."""
    for name in archive.names:
        if name.startswith("xl/worksheets/") and name.endswith(".xml"):
            columns, rows = _find_extent(archive.member(name))
            if columns > MAX_COLUMNS or columns * rows > _MAX_CELLS:
                raise ImportFileError(
                    source.name,
                    f"a sheet reaches to column {columns:,} and row {rows:,}; the limits are "
                    f"{MAX_COLUMNS:,} columns and {_MAX_CELLS:,} cells. Copy the list into a new workbook, "
                    "or save it as CSV.",
                )


def _find_extent(sheet: FileSource) -> tuple[int, int]:
    columns = rows = 0
    rest = b""
    with sheet.open() as stream:
        while block := stream.read(_BLOCK):
            if b"\0" in block:
                raise ImportFileError(
                    sheet.name, "one of its sheets is not in UTF-8. Save the workbook again."
                )
            text = rest + block
            for letters, number in set(_CELL_REFERENCE.findall(text)):
                columns = max(columns, _column_number(letters))
                rows = max(rows, int(number))
            rest = text[-_MAX_REFERENCE_BYTES:]
    return columns, rows


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
