"""Build the rows of a sheet from its cells, whichever program wrote it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.delimited_text import MAX_COLUMNS

MAX_ROWS = 1_048_576
"""The rows of a sheet in Excel and LibreOffice."""
_MAX_CELLS = 20_000_000


@dataclass(frozen=True, kw_only=True)
class MergedRange:
    """Cells that were merged across rows: the value of the first applies to all, in the first ``column``
    (from 0). Rows count from 1.
    """

    first_row: int
    last_row: int
    column: int


@dataclass(kw_only=True)
class SheetRowBuilder:
    """Collects cells, in order, into rows. ``file`` is the name for errors."""

    file: str
    merged: list[MergedRange] = field(default_factory=list)
    """Ranges that have not begun yet, last first."""

    def __post_init__(self) -> None:
        self._complete: list[tuple[SheetRow, int]] = []
        self._cells: list[str] = []
        self._count = 0
        self._last_row = 0
        self._covering: dict[int, tuple[int, str]] = {}

    def add_cell(self, column: int, row: int, value: str) -> None:
        """Add a cell that is not empty, in a column counted from 0.

        Raises:
            ImportFileError: the sheet is too wide or has too many cells.
        """
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
        """Complete the row with this number, if it has any cells; ``repeated`` rows are the same.

        Raises:
            ImportFileError: the rows are not in order, or too many.
        """
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
        """Yield the rows that are complete, once."""
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
