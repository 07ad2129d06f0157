"""Rows of a delimited text file, numbered as lines of the file, which can be taken by the hundred.

The first line is row 1, empty rows count, and a quoted cell with line breaks is part of one row.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from types import MappingProxyType
from typing import NamedTuple, TextIO

from locales.phrase import gettext_noop
from subscribers.csv_format import SheetRow
from subscribers.errors import ImportFileError
from subscribers.imports.files.file_source import FileSource

BATCH_SIZE = 500
DELIMITERS: Mapping[str, str] = MappingProxyType(
    {
        ",": gettext_noop("Comma"),
        ";": gettext_noop("Semicolon"),
        "\t": gettext_noop("Tab"),
        "|": gettext_noop("Vertical bar"),
    }
)
"""The signs between cells, with their names."""
MAX_COLUMNS = 1000
# Excel's own way to say how a file is delimited. Saved again, the line has the delimiters of other rows too.
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(?:(\\t)\"?\t*|([^\r\n\"])\"?\2*)[\r\n]*", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_ADDRESS = re.compile(r"[^\s@,;|<>\"]+@[^\s@,;|<>\"]+\.[^\s@,;|<>\"]+")


class RowBatch(NamedTuple):
    """Some rows in their order: the number of each and its cells."""

    numbers: Sequence[int]
    cells: Sequence[Sequence[str]]

    def make_row(self, place: int) -> SheetRow:
        return SheetRow(self.numbers[place], tuple(self.cells[place]))


class BatchedRows(Iterator[SheetRow]):
    """Rows of ``batches``, none of which is empty: one by one, or many by :meth:`take`."""

    def __init__(self, batches: Iterator[RowBatch]) -> None:
        self._batches = batches
        self._batch = RowBatch((), ())
        self._place = 0

    def __next__(self) -> SheetRow:
        if self._place == len(self._batch.numbers):
            self._batch, self._place = next(self._batches), 0
        self._place += 1
        return self._batch.make_row(self._place - 1)

    def take(self, count: int) -> RowBatch:
        """Return the next rows, at least one and at most ``count``; none after the last."""
        if self._place == len(self._batch.numbers):
            self._batch, self._place = next(self._batches, RowBatch((), ())), 0
        numbers, cells = self._batch
        start = self._place
        self._place = min(start + count, len(numbers))
        return RowBatch(numbers[start : self._place], cells[start : self._place])

    def continue_batches(self) -> Iterator[RowBatch]:
        while (batch := self.take(BATCH_SIZE)).numbers:
            yield batch


def batch_rows(first: Sequence[SheetRow], rows: Iterable[SheetRow]) -> BatchedRows:
    if isinstance(rows, BatchedRows):
        return BatchedRows(chain(_make_batches(first), rows.continue_batches()))
    return BatchedRows(_make_batches(chain(first, rows)))


def _make_batches(rows: Iterable[SheetRow]) -> Iterator[RowBatch]:
    source = iter(rows)
    while some := list(islice(source, BATCH_SIZE)):
        yield RowBatch([row.number for row in some], [row.cells for row in some])


_SAMPLE_LENGTH, _SAMPLE_ROWS = 1 << 16, 100


def detect_delimiter(source: FileSource, encoding: str) -> str:
    """Return the delimiter that the first line declares (``sep=;``), or the best fit for the first rows.

    A delimiter fits if most rows have equally many cells, and if addresses stand alone in theirs; a title
    above the header, or commas in quoted titles, then do not matter. csv.Sniffer would choose "m" for a file
    whose only column is "email".
    """
    with io.TextIOWrapper(source.open(), encoding=encoding, newline="") as stream:
        sample = stream.read(_SAMPLE_LENGTH)
    if found := _SEPARATOR_LINE.fullmatch(_LINE_END.split(sample, maxsplit=1)[0]):
        return "\t" if found[1] else str(found[2])
    return max(DELIMITERS, key=lambda delimiter: _rate_delimiter(sample, delimiter))


def read_delimited(source: FileSource, *, encoding: str, delimiter: str) -> BatchedRows:
    """Read every row of ``source``, whose encoding has been verified. A first line that only declares the
    delimiter counts as a row, and is left out."""
    return BatchedRows(_read_batches(source, encoding=encoding, delimiter=delimiter))


def _read_batches(source: FileSource, *, encoding: str, delimiter: str) -> Iterator[RowBatch]:
    error: csv.Error | None = None
    with io.TextIOWrapper(source.open(), encoding=encoding, newline="") as stream:
        last = _skip_separator_line(stream)
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        while error is None:
            rows: list[list[str]] = []
            try:
                rows.extend(islice(reader, BATCH_SIZE))
            except csv.Error as found:
                error = found
            if max(map(len, rows), default=0) > MAX_COLUMNS:
                raise _describe_wide_row(source.name, last, rows)
            if rows:
                yield RowBatch(range(last + 1, last + 1 + len(rows)), rows)
                last += len(rows)
            elif error is None:
                return
        raise ImportFileError(source.name, _describe_quote_error(error), last + 1) from error


def _describe_wide_row(name: str, last: int, rows: Sequence[Sequence[str]]) -> ImportFileError:
    number, width = next(
        (number, len(cells)) for number, cells in enumerate(rows, start=last + 1) if len(cells) > MAX_COLUMNS
    )
    return ImportFileError(
        name,
        gettext_noop("it has %(number)s columns; the limit is %(most)s.")
        % {"number": f"{width:,}", "most": f"{MAX_COLUMNS:,}"},
        number,
    )


def _skip_separator_line(stream: TextIO) -> int:
    """Read the first line if it only declares the delimiter; return how many lines were read."""
    if _SEPARATOR_LINE.fullmatch(stream.readline(_SAMPLE_LENGTH)):
        return 1
    stream.seek(0)
    return 0


def _rate_delimiter(sample: str, delimiter: str) -> tuple[float, float, int]:
    """Return how well a delimiter fits: by rows of the usual width, addresses alone in a cell, the width."""
    rows = _read_sample(sample, delimiter)
    # Several addresses in the only cell of a row look like columns too.
    widths = Counter(len(row) for row in rows if len(row) > 1 and not all(map(_is_address, row)))
    if not widths:
        return 0, 0, 0
    width, times = max(widths.items(), key=lambda entry: (entry[1], entry[0]))
    return times / len(rows), sum(any(map(_is_address, row)) for row in rows) / len(rows), width


def _is_address(cell: str) -> bool:
    return _ADDRESS.fullmatch(cell.strip()) is not None


def _read_sample(sample: str, delimiter: str) -> Sequence[list[str]]:
    """Return the first rows that are not empty, without the last, which may be cut off."""
    # Each line end as csv.reader sees it, so that a quoted cell may contain some.
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in islice(reader, _SAMPLE_ROWS) if any(row) or len(row) > 1)
    except csv.Error:
        return rows
    return rows[:-1] if len(sample) == _SAMPLE_LENGTH and len(rows) > 1 else rows


def _describe_quote_error(error: csv.Error) -> str:
    if "expected after" in str(error):
        return gettext_noop(
            'there is text after a closing quotation mark. Double any quotation mark inside a cell: "".'
        )
    return gettext_noop(
        "a quotation mark is opened in this row and never closed. Close it or, if it is "
        'part of the text, double it: "".'
    )
