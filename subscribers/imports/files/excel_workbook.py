"""Read Excel workbooks (.xlsx, Office Open XML) row by row.

Every library that reads them keeps a whole sheet and all of its texts: a workbook of 7 MB took 3 GB. Here a
sheet passes by once, and the texts that cells share are kept as UTF-8 in one piece.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.excel_package import ExcelPackage
from subscribers.imports.files.excel_values import format_number, unescape_text
from subscribers.imports.files.file_source import FileSource
from subscribers.imports.files.sheet_row_builder import MergedRange, SheetRowBuilder
from subscribers.imports.files.workbook import Sheet, Workbook
from subscribers.imports.files.xml_stream import BLOCK_BYTES, CellText, parse_xml
from subscribers.imports.files.zip_archive import ZipArchive

_MAX_MERGED = 100_000
_MERGED = re.compile(
    rb"""<(?:\w+:)?mergeCell\s[^>]{0,200}?\bref\s*=\s*["']\$?([A-Z]{1,3})\$?([0-9]{1,7}):\$?[A-Z]{1,3}\$?([0-9]{1,7})["']"""
)
_MAX_MERGED_BYTES = 300


def is_excel_workbook(names: tuple[str, ...]) -> bool:
    """Return whether an archive with these files is a workbook; some programs call its main part
    ``workbook2.xml``."""
    return any(name.startswith("xl/workbook") and name.endswith(".xml") for name in names)


def open_excel_workbook(archive: ZipArchive) -> Workbook:
    """Return the workbook in ``archive``; it is read while its sheets are.

    Raises:
        ImportFileError: it is damaged.
    """
    package = ExcelPackage(archive)
    sheets = tuple(
        Sheet(
            name=name,
            hidden=hidden,
            has_rows=partial(_has_rows, package, target),
            read_rows=partial(_read_rows, package, target),
        )
        for name, hidden, target in package.sheets
    )
    return Workbook(file=archive.name, form="Excel workbook", sheets=sheets)


def _has_rows(package: ExcelPackage, path: str) -> bool:
    return next(_read_rows(package, path), None) is not None


def _read_rows(package: ExcelPackage, path: str) -> Iterator[SheetRow]:
    part = package.part(path)
    builder = SheetRowBuilder(file=package.file, merged=_find_merged(part, package.file))
    for _ in parse_xml(part, package.file, _ExcelSheetHandler(package, builder)):
        yield from builder.take_rows()


def _find_merged(sheet: FileSource, file: str) -> list[MergedRange]:
    """Return the ranges merged across rows, last first. They are written after the rows they apply to."""
    found: set[tuple[int, int, int]] = set()
    rest = b""
    with sheet.open() as stream:
        while block := stream.read(BLOCK_BYTES * 16):
            if b"\0" in block:
                raise ImportFileError(
                    file, gettext_noop("one of its sheets is not in UTF-8. Save the workbook again.")
                )
            text = rest + block
            for letters, first, last in _MERGED.findall(text) if b"mergeCell" in text else ():
                if int(last) > int(first):
                    found.add((int(first), _column_index(letters.decode()), int(last)))
            if len(found) > _MAX_MERGED:
                raise ImportFileError(
                    file,
                    gettext_noop("more than %(most)s of its cells are merged. Save it as CSV UTF-8.")
                    % {"most": f"{_MAX_MERGED:,}"},
                )
            rest = text[-_MAX_MERGED_BYTES:]
    return [
        MergedRange(first_row=first, last_row=last, column=column)
        for first, column, last in sorted(found, reverse=True)
    ]


class _ColumnIndexes(dict[str, int]):
    """The index of a column, from 0, by its letters; -1 for what are no letters of a column."""

    def __missing__(self, letters: str) -> int:
        if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
            return -1
        self[letters] = index = _column_index(letters.upper())
        return index


def _column_index(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


class _ExcelSheetHandler:
    """Gives the cells of a sheet to the row builder. It is called several times for each cell."""

    def __init__(self, package: ExcelPackage, builder: SheetRowBuilder) -> None:
        self.depth = 0
        self.text: list[str] = []
        self._package = package
        self._builder = builder
        self._add_cell, self._get_text = builder.add_cell, package.get_shared_text
        self._indexes = _ColumnIndexes()
        self._row, self._column = 0, -1
        self._reference = self._kind = self._style = ""
        self._value = ""
        self._pieces = CellText(package.file)
        self._is_phonetic = False
        self._cell_name = self._value_name = self._row_name = self._text_name = self._phonetic_name = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        if name == self._cell_name:
            get = attributes.get
            self._reference = get("r", "")
            self._kind = get("t", "n")
            self._style = get("s", "")
            self._value = ""
            self._column += 1
        elif name == self._value_name or name == self._text_name:
            self.text.clear()
        elif name == self._row_name:
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() and len(number) < 9 else self._row + 1
            self._column = -1
        elif name == self._phonetic_name:
            self._is_phonetic = True
        elif not self._cell_name:
            space = name.rpartition(" ")[0]
            self._cell_name, self._value_name, self._row_name = f"{space} c", f"{space} v", f"{space} row"
            self._text_name, self._phonetic_name = f"{space} t", f"{space} rPh"

    def end(self, name: str) -> None:
        self.depth -= 1
        if name == self._value_name:
            self._value = "".join(self.text)
            self.text.clear()
        elif name == self._cell_name:
            if self._kind == "inlineStr":
                self._value = self._pieces.take()
            if (column := self._indexes[self._reference.rstrip("0123456789")]) >= 0:
                self._column = column
            if self._value and (
                value := self._get_text(self._value) if self._kind == "s" else self._format_value()
            ):
                self._add_cell(self._column, self._row, value)
        elif name == self._row_name:
            self._builder.end_row(self._row)
        elif name == self._text_name:
            if not self._is_phonetic:
                self._pieces.add("".join(self.text))
            self.text.clear()
        elif name == self._phonetic_name:
            self._is_phonetic = False

    def _format_value(self) -> str:
        kind = self._kind
        if kind == "n":
            is_date = self._style in self._package.date_styles
            return format_number(self._value, is_date=is_date, starts_1904=self._package.starts_1904)
        if kind == "b":
            return "TRUE" if self._value in {"1", "true"} else "FALSE"
        if kind == "e":  # such as #N/A: the formula has no value
            return ""
        return unescape_text(self._value)
