"""Read OpenDocument spreadsheets (.ods), as LibreOffice writes them, row by row."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.excel_workbook import format_number
from subscribers.imports.files.file_source import FileSource, ListArchive
from subscribers.imports.files.workbook import (
    MAX_ROWS,
    MAX_SHEETS,
    CellText,
    Sheet,
    SheetRowBuilder,
    Workbook,
    parse_xml,
    read_xml,
)

_CONTENT = "content.xml"
_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
_NAMESPACE: Final = "urn:oasis:names:tc:opendocument:xmlns"
_OFFICE: Final = f"{_NAMESPACE}:office:1.0 "
_TABLE: Final = f"{_NAMESPACE}:table:1.0 "
_TEXT: Final = f"{_NAMESPACE}:text:1.0 "
_STYLE: Final = f"{_NAMESPACE}:style:1.0 "
_DRAW: Final = f"{_NAMESPACE}:drawing:1.0 "
_CELL, _COVERED_CELL = f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"
_ROW, _SHEET = f"{_TABLE}table-row", f"{_TABLE}table"
_PARAGRAPH, _SPACES, _TAB, _LINE_BREAK = (f"{_TEXT}p", f"{_TEXT}s", f"{_TEXT}tab", f"{_TEXT}line-break")
_CELLS, _BREAKS = {_CELL, _COVERED_CELL}, {_TAB, _LINE_BREAK}
_CALC_VALUE_TYPE: Final = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 value-type"
_NUMBERS = {"float", "percentage", "currency"}
# Comments, drawings and pronunciations have paragraphs of their own, and deleted cells are beside sheets.
_NOT_CONTENT = {
    f"{_OFFICE}annotation",
    f"{_TEXT}ruby-text",
    f"{_TABLE}tracked-changes",
    f"{_TABLE}shapes",
    f"{_DRAW}frame",
    f"{_DRAW}custom-shape",
    f"{_DRAW}control",
    f"{_DRAW}g",
}
_MAX_SPACES = 1000
_MIDNIGHT = re.compile(r"T00:00(:00(\.0+)?)?$")


def is_open_document(archive: ListArchive) -> bool:
    if _CONTENT not in archive.names or "mimetype" not in archive.names:
        return False
    return archive.member("mimetype").read_start(len(_TYPE)) == _TYPE.encode()


def open_open_document(archive: ListArchive) -> Workbook:
    manifest = "META-INF/manifest.xml"
    if manifest in archive.names and b"encryption-data" in archive.member(manifest).read_start(1 << 20):
        raise ImportFileError(
            archive.name, gettext_noop("it is protected by a password. Save it without one.")
        )
    content = archive.member(_CONTENT)
    overview = _OverviewHandler(archive.name)
    read_xml(content, archive.name, overview)
    sheets = tuple(
        Sheet(
            name=name,
            hidden=style in overview.hidden_styles,
            has_rows=partial(bool, has_values),
            read_rows=partial(_read_rows, content, archive.name, number),
        )
        for number, (name, style, has_values) in enumerate(overview.sheets)
    )
    return Workbook(file=archive.name, form="OpenDocument spreadsheet", sheets=sheets)


class _OverviewHandler:
    """Finds the sheets, which of them have any values, and which are hidden."""

    def __init__(self, file: str) -> None:
        self.depth = 0
        self.text: list[str] = []
        self.sheets: list[tuple[str, str, bool]] = []
        self.hidden_styles: set[str] = set()
        self._file = file
        self._style = ""
        self._skipped_from = 0
        self._sheet_depth = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        self.text.clear()
        if self._skipped_from:
            return
        if name in _NOT_CONTENT:
            self._skipped_from = self.depth
        elif name == _SHEET and not self._sheet_depth:
            self._sheet_depth = self.depth
            if len(self.sheets) == MAX_SHEETS:
                raise ImportFileError(
                    self._file,
                    gettext_noop("it has more than %(most)s sheets.") % {"most": f"{MAX_SHEETS:,}"},
                )
            self.sheets.append(
                (attributes.get(f"{_TABLE}name", ""), attributes.get(f"{_TABLE}style-name", ""), False)
            )
        elif name == _CELL and self._sheet_depth and f"{_OFFICE}value-type" in attributes:
            title, style, _ = self.sheets[-1]
            self.sheets[-1] = (title, style, True)
        elif name == f"{_STYLE}style":
            self._style = attributes.get(f"{_STYLE}name", "")
        elif name == f"{_STYLE}table-properties" and attributes.get(f"{_TABLE}display") == "false":
            self.hidden_styles.add(self._style)

    def end(self, name: str) -> None:  # noqa: ARG002 - the interface of XmlHandler
        if self._skipped_from == self.depth:
            self._skipped_from = 0
        if self._sheet_depth == self.depth:
            self._sheet_depth = 0
        self.depth -= 1
        self.text.clear()


def _read_rows(content: FileSource, file: str, sheet: int) -> Iterator[SheetRow]:
    builder = SheetRowBuilder(file=file)
    handler = _OpenDocumentSheetHandler(builder, sheet)
    for _ in parse_xml(content, file, handler):
        yield from builder.take_rows()
        if handler.is_past:
            return


class _OpenDocumentSheetHandler:
    """Gives the cells of one sheet, counted from 0, to the row builder."""

    def __init__(self, builder: SheetRowBuilder, sheet: int) -> None:
        self.depth = 0
        self.text: list[str] = []
        self.is_past = False
        self._builder = builder
        self._sheets_before = sheet
        self._sheet_depth = 0
        self._is_wanted = False
        self._skipped_from = 0
        self._row, self._row_repeated = 1, 1
        self._column = 0
        self._attributes: Mapping[str, str] = {}
        self._paragraphs = CellText(builder.file)
        self._interrupted: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        if self._skipped_from:
            self.text.clear()
        elif not self._is_wanted:
            self.text.clear()
            self._find_sheet(name)
        elif name in _CELLS:
            self._attributes = attributes
            self._paragraphs.take()
            self.text.clear()
        elif name == _PARAGRAPH:
            self.text.clear()
        elif name == _SPACES:
            self.text.append(" " * min(_read_count(attributes.get(f"{_TEXT}c")), _MAX_SPACES))
        elif name in _BREAKS:
            self.text.append(" ")
        elif name == _ROW:
            self._row_repeated = _read_count(attributes.get(f"{_TABLE}number-rows-repeated"))
            self._column = 0
        elif name in _NOT_CONTENT or name == _SHEET:
            # A sheet in a cell is a table of its own.
            self._skipped_from = self.depth
            self._interrupted = list(self.text)

    def end(self, name: str) -> None:
        if self._skipped_from:
            self.text.clear()
            if self._skipped_from == self.depth:
                self._skipped_from = 0
                self.text.extend(self._interrupted)
        elif self._is_wanted:
            if name == _PARAGRAPH:
                self._paragraphs.add("".join(self.text))
                self.text.clear()
            elif name in _CELLS:
                self._end_cell(is_covered=name == _COVERED_CELL)
            elif name == _ROW:
                self._builder.end_row(self._row, repeated=self._row_repeated)
                self._row += self._row_repeated
            elif self.depth == self._sheet_depth:
                self._is_wanted, self.is_past = False, True
        elif self.depth == self._sheet_depth:
            self._sheet_depth = 0
        self.depth -= 1

    def _find_sheet(self, name: str) -> None:
        if name in _NOT_CONTENT:
            self._skipped_from = self.depth
        elif name == _SHEET and not self._sheet_depth and not self.is_past:
            self._sheet_depth = self.depth
            self._is_wanted = self._sheets_before == 0
            self._sheets_before -= 1

    def _end_cell(self, *, is_covered: bool) -> None:
        attributes = self._attributes
        repeated = _read_count(attributes.get(f"{_TABLE}number-columns-repeated"))
        value = "" if is_covered else _format_value(attributes, self._paragraphs.take("\n"))
        if value:
            for column in range(self._column, self._column + repeated):
                self._builder.add_cell(column, self._row, value)
            spanned = _read_count(attributes.get(f"{_TABLE}number-rows-spanned"))
            if spanned > 1:
                self._builder.merge(self._column, self._row + spanned - 1, value)
        self._column += repeated


def _read_count(text: str | None) -> int:
    """Return a number of rows or columns; more than a sheet has is one more than that."""
    if text is None or not (text.isascii() and text.isdecimal()):
        return 1
    return min(max(int(text[:9]), 1), MAX_ROWS + 1)


def _format_value(attributes: Mapping[str, str], text: str) -> str:
    kind = attributes.get(f"{_OFFICE}value-type", "")
    if kind in _NUMBERS:
        return format_number(attributes.get(f"{_OFFICE}value", ""), is_date=False)
    if kind == "date":
        return _MIDNIGHT.sub("", attributes.get(f"{_OFFICE}date-value", ""))
    if kind == "boolean":
        return "TRUE" if attributes.get(f"{_OFFICE}boolean-value") == "true" else "FALSE"
    if not kind or attributes.get(_CALC_VALUE_TYPE) == "error":
        return ""
    return text or attributes.get(f"{_OFFICE}string-value", "")
