"""Workbooks of Excel and LibreOffice: their XML in constant memory, rows from cells, and which sheet to read.

A workbook of a few megabytes can unfold to a gigabyte of XML, so nothing here keeps a document. Python's
expat reports each element once and forgets it; the limits are for the four things it does keep: a token that
is not finished, open elements, the names of elements and attributes, and text that a handler collects.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import NamedTuple, Protocol
from xml.parsers import expat

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError, quote_for_message
from subscribers.imports.files.delimited_text import MAX_COLUMNS
from subscribers.imports.files.file_source import FileSource

BLOCK_BYTES = 1 << 16
_MAX_TOKEN_BYTES = 4 << 20
_MAX_NAMES = 20_000
_MAX_DEPTH = 200
MAX_TEXT_LENGTH = 1_000_000
"""Characters in one cell; Excel allows 32,767."""
MAX_ROWS = 1_048_576
"""The rows of a sheet in Excel and LibreOffice."""
_MAX_CELLS = 20_000_000
MAX_SHEETS = 1000
_LOOKED_AT = 100
_ADDRESS = re.compile(r"[^\s@<>]@[^\s@<>]+\.")
_MAX_NAMED = 20


class XmlHandler(Protocol):
    """Receives the events of a document; ``depth`` counts the open elements, and ``text`` collects characters
    until the handler clears it. Names are the namespace, a space and the local name.
    """

    depth: int
    text: list[str]

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, name: str) -> None: ...


class CellText:
    """The text of one cell, put together from pieces: formatted runs or paragraphs."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._pieces: list[str] = []
        self._length = 0

    def add(self, piece: str) -> None:
        # Empty pieces take memory too.
        self._length += len(piece) + 1
        if self._length > MAX_TEXT_LENGTH:
            raise ImportFileError(
                self._file,
                gettext_noop("a cell has more than %(most)s characters.") % {"most": f"{MAX_TEXT_LENGTH:,}"},
            )
        self._pieces.append(piece)

    def take(self, separator: str = "") -> str:
        text = separator.join(self._pieces)
        self._pieces.clear()
        self._length = 0
        return text


def parse_xml(part: FileSource, file: str, handler: XmlHandler) -> Iterator[None]:
    """Give the events of ``part`` to ``handler``, and pause after every 64 kB of XML."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text.append

    def refuse_declaration(*_: object) -> None:
        # Entities can be copies of each other, and files of this machine; no spreadsheet has any.
        raise ImportFileError(
            file, gettext_noop("its XML declares a document type, which no spreadsheet does.")
        )

    parser.StartDoctypeDeclHandler = refuse_declaration
    fed = 0
    title = part.name.rpartition("/")[2]
    try:
        with part.open() as stream:
            while block := stream.read(BLOCK_BYTES):
                parser.Parse(block, False)
                fed += len(block)
                if (
                    fed - parser.CurrentByteIndex > _MAX_TOKEN_BYTES
                    or len(parser.intern) > _MAX_NAMES
                    or handler.depth > _MAX_DEPTH
                    or sum(map(len, handler.text)) > MAX_TEXT_LENGTH
                ):
                    raise ImportFileError(
                        file,
                        gettext_noop(
                            "its part %(title)s is not what a spreadsheet program writes. Open it in Excel "
                            "or LibreOffice and save it again."
                        )
                        % {"title": title},
                    )
                yield
            parser.Parse(b"", True)
            yield
    except expat.ExpatError as error:
        raise ImportFileError(
            file,
            gettext_noop(
                "it is damaged: %(title)s, %(error)s. Open it in Excel or LibreOffice and save it again."
            )
            % {"title": title, "error": error},
        ) from error


def read_xml(part: FileSource, file: str, handler: XmlHandler) -> None:
    for _ in parse_xml(part, file, handler):
        pass


class MergedRange(NamedTuple):
    """Cells merged across rows (from 1), in a ``column`` (from 0): the value of the first applies to all."""

    first_row: int
    column: int
    last_row: int


class SheetRowBuilder:
    """Collects cells, in order, into rows. ``file`` is the name for errors, and ``merged`` are ranges, last
    first, which go when they begin."""

    def __init__(self, file: str, merged: Sequence[MergedRange] = ()) -> None:
        self.file = file
        self.merged = list(merged)
        self._complete: list[tuple[SheetRow, int]] = []
        self._cells: list[str] = []
        self._count = 0
        self._last_row = 0
        self._covering: dict[int, tuple[int, str]] = {}

    def add_cell(self, column: int, row: int, value: str) -> None:
        """Add a cell that is not empty, in a column counted from 0."""
        self._count += 1
        if column >= MAX_COLUMNS or row > MAX_ROWS or self._count > _MAX_CELLS:
            raise self._describe_extent(column + 1, row)
        cells = self._cells
        if len(cells) < column:
            cells.extend([""] * (column - len(cells)))
        if len(cells) == column:
            cells.append(value)
        else:
            cells[column] = value

    def merge(self, column: int, last_row: int, value: str) -> None:
        """Let ``value`` apply to ``column`` as far as ``last_row``, from the next row on."""
        if column < MAX_COLUMNS:
            self._covering[column] = (last_row, value)

    def end_row(self, number: int, *, repeated: int = 1) -> None:
        """Complete the row with this number, if it has any cells; ``repeated`` rows are the same."""
        if number <= self._last_row:
            raise ImportFileError(
                self.file,
                gettext_noop(
                    "its rows are not in order (row %(number)s). Open it in Excel or LibreOffice and save it."
                )
                % {"number": f"{number:,}"},
            )
        self._last_row = last = number + repeated - 1
        if not self._cells:
            return
        self._count += len(self._cells) * (repeated - 1)
        if last > MAX_ROWS or self._count > _MAX_CELLS:
            raise self._describe_extent(len(self._cells), last)
        if self._covering:
            self._apply_merged(number)
        self._start_merged(number)
        self._complete.append((SheetRow(number, tuple(self._cells)), last))
        self._cells = []

    def take_rows(self) -> Iterator[SheetRow]:
        complete, self._complete = self._complete, []
        for row, last in complete:
            yield row
            for number in range(row.number + 1, last + 1):
                yield SheetRow(number, row.cells)

    def _apply_merged(self, number: int) -> None:
        # Only to rows with cells of their own: a row that was merged away altogether is not a person.
        self._covering = {column: found for column, found in self._covering.items() if found[0] >= number}
        for column, (_, value) in self._covering.items():
            if value:
                self.add_cell(column, number, value)

    def _start_merged(self, number: int) -> None:
        while self.merged and self.merged[-1].first_row <= number:
            found = self.merged.pop()
            if found.first_row == number and found.column < len(self._cells):
                self.merge(found.column, found.last_row, self._cells[found.column])

    def _describe_extent(self, columns: int, rows: int) -> ImportFileError:
        return ImportFileError(
            self.file,
            gettext_noop(
                "a sheet reaches to column %(columns)s and row %(rows)s; the limits are "
                "%(most_columns)s columns, %(most_rows)s rows and %(most_cells)s cells. Copy the "
                "list into a new workbook, or save it as CSV."
            )
            % {
                "columns": f"{columns:,}",
                "rows": f"{rows:,}",
                "most_columns": f"{MAX_COLUMNS:,}",
                "most_rows": f"{MAX_ROWS:,}",
                "most_cells": f"{_MAX_CELLS:,}",
            },
        )


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """``read_rows`` returns the rows that are not empty, from the start each time."""

    name: str
    hidden: bool
    has_rows: Callable[[], bool] = field(repr=False)
    read_rows: Callable[[], Iterator[SheetRow]] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Workbook:
    """``file`` is its name for errors, ``form`` the kind of file in words."""

    file: str
    form: str
    sheets: tuple[Sheet, ...]


def choose_sheet(workbook: Workbook, wanted: str | None) -> tuple[Sheet, tuple[str, ...]]:
    """Return the sheet called ``wanted``, otherwise the first with addresses, or with rows if none has
    any; a hidden one only if no other has rows."""
    if wanted is not None:
        return _find_sheet(workbook, wanted), ()
    filled = [sheet for sheet in workbook.sheets if sheet.has_rows()]
    if not filled:
        raise ImportFileError(workbook.file, gettext_noop("none of its sheets has any rows."))
    shown = [sheet for sheet in filled if not sheet.hidden] or filled
    # A first sheet may explain the others.
    with_addresses = (sheet for sheet in shown if len(shown) > 1 and _has_addresses(sheet))
    chosen = next(with_addresses, shown[0])
    return chosen, tuple(sheet.name for sheet in filled if sheet is not chosen)


def _has_addresses(sheet: Sheet) -> bool:
    return any(_ADDRESS.search(cell) for row in islice(sheet.read_rows(), _LOOKED_AT) for cell in row.cells)


def describe_unread(names: tuple[str, ...]) -> str:
    words = (
        gettext_noop(
            "1 further sheet was not read: %(names)s. To import one of them, choose it with --sheet NAME."
        )
        if len(names) == 1
        else gettext_noop(
            "%(number)s further sheets were not read: %(names)s. To import one of them, choose it with "
            "--sheet NAME."
        )
    )
    return words % {"number": f"{len(names):,}", "names": _list_names(names)}


def _find_sheet(workbook: Workbook, wanted: str) -> Sheet:
    folded = wanted.strip().casefold()
    exact = (sheet for sheet in workbook.sheets if sheet.name == wanted)
    similar = (sheet for sheet in workbook.sheets if sheet.name.strip().casefold() == folded)
    if (found := next(chain(exact, similar), None)) is None:
        names = _list_names(tuple(sheet.name for sheet in workbook.sheets))
        raise ImportFileError(
            workbook.file,
            gettext_noop("there is no sheet %(text)s. Its sheets are: %(names)s.")
            % {"text": quote_for_message(wanted), "names": names},
        )
    return found


def _list_names(names: tuple[str, ...]) -> str:
    shown = ", ".join(map(quote_for_message, names[:_MAX_NAMED]))
    return f"{shown} and {len(names) - _MAX_NAMED:,} more" if len(names) > _MAX_NAMED else shown
