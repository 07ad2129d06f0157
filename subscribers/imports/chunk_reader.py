"""Read the rows of a file into chunks for the staging table, in a thread beside the one that stores them."""

import sys
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from operator import eq
from typing import Any, Final, Generic, NamedTuple, TypeVar

from locales.phrase import gettext_noop
from subscribers.consent.suppression import SuppressionKey
from subscribers.csv_format import COLUMNS, SheetRow
from subscribers.errors import SubscriberError, quote_for_message
from subscribers.imports.columns.layouts import OwnColumns
from subscribers.imports.columns.status_columns import UnknownStatusError
from subscribers.imports.file_parts import FilePart
from subscribers.imports.files.delimited_text import BATCH_SIZE, RowBatch
from subscribers.imports.import_report import ImportNote, PartReport, RefusedRow
from subscribers.imports.row_parser import OrdinaryRowParser, ParsedRow, RowParser, SubscriberDetails
from subscribers.models import ConsentEvent

Item = TypeVar("Item")

_SWITCH_INTERVAL = 0.0001
"""Seconds after which Python switches threads; the default is 0.005."""
CHUNK_SIZE = 10_000
"""How many rows are stored together, with a handful of statements."""
_SAMPLE_ROWS = 5
_OTHERS = {
    (False, False): gettext_noop("%(address)s also has %(others)s, which was not imported."),
    (False, True): gettext_noop("%(address)s also has %(others)s, which were not imported."),
    (True, False): gettext_noop("%(address)s also has %(others)s, which gets no mail either."),
    (True, True): gettext_noop("%(address)s also has %(others)s, which get no mail either."),
}
"""What is noted of further addresses: by whether they are suppressed, and whether they are many."""


class SuppressedRow(NamedTuple):
    """A normalised address, and why it must not get mail: unsubscribed, bounced, complained or suppressed."""

    email: str
    reason: ConsentEvent


class _End:
    """Marks the end of the items."""


_END: Final = _End()


class ReadAhead(Generic[Item]):
    """The items of an iterator, each made on request, or one ahead after :meth:`prefetch`.

    Python runs one thread at a time and switches every five milliseconds: code that calls into C for every
    row, as a database driver does, waits that long each time. So the iterator pauses after each item until
    the caller says that the long statements begin.
    """

    def __init__(self, items: Iterator[Item], thread: ThreadPoolExecutor) -> None:
        self._items = items
        self._thread = thread
        self._next: Future[Item | _End] | None = None

    def prefetch(self) -> None:
        if self._next is None:
            self._next = self._thread.submit(next, self._items, _END)

    def __iter__(self) -> Iterator[Item]:
        while True:
            self.prefetch()
            assert self._next is not None  # noqa: S101 - prefetch has just set it
            item = self._next.result()
            self._next = None
            if isinstance(item, _End):
                return
            yield item


@contextmanager
def read_ahead(items: Generator[Item, None, None]) -> Iterator[ReadAhead[Item]]:
    """Iterate over a generator with read-ahead; the generator is closed at the end of the block."""
    usual = sys.getswitchinterval()
    # Each statement ends by waiting for the reader to release the interpreter; a few hundred waits take a
    # second.
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="reading ahead") as thread:
            yield ReadAhead(items, thread)
    finally:
        sys.setswitchinterval(usual)
        items.close()


@dataclass(kw_only=True)
class Chunk:
    """Rows that were read: by ``columns`` as the staging table takes them, ``lists`` of sectors and tags that
    are new to it, and ``list_values``, the values of all lists whose number is in a row; ``duplicates`` with
    the first row of each address. ``suppressed_others`` are further addresses of suppressed rows, which count
    as no rows; ``notes`` are about rows of any kind. ``last`` is the number of the last row.
    """

    columns: list[list[Any]]
    list_values: Mapping[int, Sequence[str]]
    lists: list[tuple[int, str]] = field(default_factory=list)
    suppressed: list[SuppressedRow] = field(default_factory=list)
    suppressed_others: list[SuppressedRow] = field(default_factory=list)
    notes: list[ImportNote] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    duplicates: list[tuple[int, int]] = field(default_factory=list)
    last: int = 0

    @property
    def size(self) -> int:
        return len(self.columns[0])

    @property
    def is_large(self) -> bool:
        return self.size > CHUNK_SIZE // 2

    def drop_duplicates(self) -> None:
        """Move the number of all but the first row of each address to ``duplicates``, and drop those rows."""
        numbers, _, emails, *_ = self.columns
        if len(set(emails)) == len(emails):
            return
        first_rows: dict[str, int] = {}
        firsts = list(map(first_rows.setdefault, emails, numbers))
        self.duplicates.extend(
            (row, first) for row, first in zip(numbers, firsts, strict=True) if row != first
        )
        are_first = list(map(eq, numbers, firsts))
        self.columns = [list(compress(values, are_first)) for values in self.columns]


def _describe_others(row: ParsedRow) -> str:
    sentences = []
    if row.others:
        message = _OTHERS[bool(row.suppress_reason), len(row.others) > 1]
        sentences.append(message % {"address": row.email, "others": ", ".join(row.others)})
    unusable = gettext_noop("%(text)s is not an address we can write to.")
    sentences.extend(unusable % {"text": quote_for_message(text)} for text in row.unusable)
    return " ".join(sentences)


class ChunkReader:
    """Reads the parts of a file in chunks, in a thread of its own while another stores them."""

    def __init__(self, *, parser: RowParser, key: SuppressionKey | None, offset: int) -> None:
        self._parser = parser
        self._ordinary = OrdinaryRowParser(parser)
        self._key = key
        self._width = 11 if key else 10
        self._offset = offset
        self._lists = _ListNumbers()
        self._samples: list[dict[str, str]] = []
        self._left: list[dict[str, str]] = []

    def report(self, part: FilePart) -> PartReport:
        mapping = part.mapping
        unused = mapping.reader.unused_values.copy() if mapping.reader else Counter[tuple[str, str]]()
        for (column, value), rows in self._parser.left_out.items():
            unused[mapping.meaning.get(column, (column,))[0], value] += rows
        return PartReport(
            file=part.member,
            form=part.form,
            certain=part.certain,
            maker=mapping.maker,
            meaning={column: list(titles) for column, titles in mapping.meaning.items()},
            unused=list(mapping.unused),
            # Of those who left only if the file has nobody else.
            samples=self._samples or self._left,
            statuses=list(mapping.counts),
            unused_values=[
                {"column": column, "value": value, "rows": rows}
                for (column, value), rows in unused.most_common()
            ],
            notes=list(mapping.notes),
            columns_file=mapping.columns_text(),
        )

    def read(self, part: FilePart) -> Generator[Chunk, None, None]:
        self._samples, self._left = [], []
        self._parser.left_out.clear()
        last = 0
        while chunk := self._read_chunk(part):
            yield chunk
            last = chunk.last
        part.mapping.require_understood(part.member or part.name)
        self._offset += last

    def _read_chunk(self, part: FilePart) -> Chunk | None:
        """Read the next rows, None at the end. They are parsed and released by the batch: keeping many rows
        alive makes Python's garbage collector traverse all objects again and again.
        """
        self._lists.forget_if_many()
        chunk = Chunk(columns=[[] for _ in range(self._width)], list_values=self._lists.values_of)
        left = CHUNK_SIZE
        while (batch := part.rows.take(min(left, BATCH_SIZE if self._has_samples else _SAMPLE_ROWS))).numbers:
            if part.mapping.own is not None and self._has_samples:
                self._read_ordinary(batch, part.mapping.own, part, chunk)
            else:
                self._read_any(batch, part, chunk)
            chunk.last = batch.numbers[-1]
            left -= len(batch.numbers)
        if not chunk.last:
            return None
        chunk.drop_duplicates()
        chunk.lists = self._lists.take_new()
        return chunk

    @property
    def _has_samples(self) -> bool:
        return len(self._samples) == _SAMPLE_ROWS

    def _read_ordinary(self, batch: RowBatch, columns: OwnColumns, part: FilePart, chunk: Chunk) -> None:
        details, odd = self._ordinary.parse(columns, batch.cells)
        numbers = batch.numbers
        are_kept = [True] * len(numbers)
        for place in odd:
            if found := self._parse(batch.make_row(place), part, chunk):
                for values, value in zip(details, found, strict=True):
                    values[place] = value
            else:
                are_kept[place] = False
        if not all(are_kept):
            numbers, *details = (list(compress(values, are_kept)) for values in (numbers, *details))
        self._add(numbers, details, chunk)

    def _read_any(self, batch: RowBatch, part: FilePart, chunk: Chunk) -> None:
        rows = map(batch.make_row, range(len(batch.numbers)))
        found = [(row.number, self._parse(row, part, chunk)) for row in rows]
        if parsed := [(number, *details) for number, details in found if details]:
            numbers, *details = zip(*parsed, strict=True)
            self._add(numbers, details, chunk)

    def _add(self, numbers: Sequence[int], details: Sequence[Sequence[Any]], chunk: Chunk) -> None:
        email, envelope, name, organisation, country, language, sectors, tags = details
        values = (
            numbers,
            map(self._offset.__add__, numbers),
            email,
            envelope,
            name,
            organisation,
            country,
            language,
            map(self._lists.__getitem__, sectors),
            map(self._lists.__getitem__, tags),
            *([map(self._key.digest, email)] if self._key else []),
        )
        for column, more in zip(chunk.columns, values, strict=True):
            column.extend(more)

    def _parse(self, row: SheetRow, part: FilePart, chunk: Chunk) -> SubscriberDetails | None:
        """Parse a row of any kind; None if it is refused, empty or suppressed."""
        try:
            return self._parse_usable(row, part, chunk)
        except UnknownStatusError:
            # Nothing is stored if there is one; all values are named at the end of the file.
            return None
        except SubscriberError as error:
            if not row.is_empty:
                chunk.refused.append(RefusedRow(row=row.number, reason=error.words, file=part.member))
            return None

    def _parse_usable(self, row: SheetRow, part: FilePart, chunk: Chunk) -> SubscriberDetails | None:
        raw = part.mapping.read_row(row)
        parsed = self._parser.parse(row.number, raw)
        samples = self._samples if parsed.suppress_reason is None else self._left
        if len(samples) < _SAMPLE_ROWS:
            samples.append({name: cell for name, cell in zip(COLUMNS, raw, strict=False) if cell})
        if parsed.others or parsed.unusable:
            chunk.notes.append(ImportNote(text=_describe_others(parsed), row=parsed.row, file=part.member))
        if parsed.suppress_reason is None:
            return parsed.details
        chunk.suppressed.append(SuppressedRow(email=parsed.email, reason=parsed.suppress_reason))
        chunk.suppressed_others.extend(
            SuppressedRow(email=other, reason=parsed.suppress_reason) for other in parsed.others
        )
        return None


class _ListNumbers(dict[frozenset[str], int]):
    """The numbers of lists of sectors or tags, 0 for the empty list; ``values_of`` has the values of each."""

    def __init__(self) -> None:
        super().__init__()
        self.values_of: dict[int, tuple[str, ...]] = {}
        self._last = 0
        self._new: list[tuple[int, str]] = []

    def __missing__(self, values: frozenset[str]) -> int:
        if values:
            number = self._last = self._last + 1
            self._new.extend((number, value) for value in values)
        else:
            number = 0
        self[values] = number
        self.values_of[number] = tuple(values)
        return number

    def forget_if_many(self) -> None:
        """Make room; the numbers of a chunk that is still in use must not be forgotten."""
        if len(self) >= CHUNK_SIZE:
            self.clear()
            self.values_of.clear()

    def take_new(self) -> list[tuple[int, str]]:
        new, self._new = self._new, []
        return new
