"""Rows of a sheet that can be taken by the hundred, without an object for each."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from subscribers.csv_format import SheetRow

BATCH_SIZE = 500


class RowBatch(NamedTuple):
    """Some rows in their order: the number of each and its cells."""

    numbers: Sequence[int]
    cells: Sequence[Sequence[str]]

    def make_row(self, place: int) -> SheetRow:
        """Return one of them, counted from 0."""
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
        """Return what was not taken yet."""
        while (batch := self.take(BATCH_SIZE)).numbers:
            yield batch


def batch_rows(first: Sequence[SheetRow], rows: Iterable[SheetRow]) -> BatchedRows:
    """Return the ``first`` rows and then the others."""
    if isinstance(rows, BatchedRows):
        return BatchedRows(chain(_make_batches(first), rows.continue_batches()))
    return BatchedRows(_make_batches(chain(first, rows)))


def _make_batches(rows: Iterable[SheetRow]) -> Iterator[RowBatch]:
    source = iter(rows)
    while some := list(islice(source, BATCH_SIZE)):
        yield RowBatch([row.number for row in some], [row.cells for row in some])
