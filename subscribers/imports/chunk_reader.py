"""Read the rows of a file into chunks that are ready for the staging table."""

from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from subscribers.consent.suppression import SuppressionKey
from subscribers.csv_format import COLUMNS, SheetRow
from subscribers.errors import SubscriberError, quote_for_message
from subscribers.imports.columns.raw_row import RawRow
from subscribers.imports.columns.status_columns import UnknownStatusError
from subscribers.imports.file_parts import FilePart
from subscribers.imports.import_report import (
    ImportNote,
    PartReport,
    RefusedRow,
    describe_statuses,
    describe_unused_values,
)
from subscribers.imports.row_parser import ParsedRow, RowParser, SubscriberDetails
from subscribers.imports.suppressed_rows import SuppressedRow

CHUNK_SIZE = 20_000
"""How many rows are stored together, with a handful of statements."""
_SAMPLE_ROWS = 5


@dataclass(kw_only=True)
class Chunk:
    """Rows that were read: ``rows`` as the staging table takes them, ``lists`` of sectors and tags that are
    new to it, ``suppressed`` and ``refused`` rows, and ``duplicates`` with the first row of each address.
    ``suppressed_others`` are further addresses of suppressed rows, which count as no rows; ``notes`` are
    about rows of any kind. ``last`` is the number of the last row.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    lists: list[tuple[int, str]] = field(default_factory=list)
    suppressed: list[SuppressedRow] = field(default_factory=list)
    suppressed_others: list[SuppressedRow] = field(default_factory=list)
    notes: list[ImportNote] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    duplicates: list[tuple[int, int]] = field(default_factory=list)
    last: int = 0

    @property
    def is_large(self) -> bool:
        """Whether it is big enough to suggest a large import."""
        return len(self.rows) > CHUNK_SIZE // 2


def _sample(raw: RawRow) -> dict[str, str]:
    return {name: cell for name, cell in zip(COLUMNS, raw, strict=False) if cell}


def _describe_others(row: ParsedRow) -> str:
    """Name the further addresses of a row."""
    sentences = []
    if row.others:
        fate = "gets no mail either" if row.suppress_reason else "was not imported"
        if len(row.others) > 1:
            fate = "get no mail either" if row.suppress_reason else "were not imported"
        sentences.append(f"{row.email} also has {', '.join(row.others)}, which {fate}.")
    sentences.extend(f"{quote_for_message(text)} is not an address we can write to." for text in row.unusable)
    return " ".join(sentences)


class ChunkReader:
    """Reads the parts of a file in chunks, in a thread of its own while another stores them."""

    def __init__(self, *, parser: RowParser, key: SuppressionKey | None, offset: int) -> None:
        self._parser = parser
        self._key = key
        self._offset = offset
        self._lists = _ListNumbers()
        self._samples: list[dict[str, str]] = []
        self._left: list[dict[str, str]] = []

    def report(self, part: FilePart) -> PartReport:
        """Return how the part was read; call it after the last chunk."""
        mapping = part.mapping
        return PartReport(
            file=part.member,
            form=part.form,
            certain=part.certain,
            maker=mapping.maker,
            meaning={column: list(titles) for column, titles in mapping.meaning.items()},
            unused=list(mapping.unused),
            # Of those who left only if the file has nobody else.
            samples=self._samples or self._left,
            statuses=describe_statuses(mapping),
            unused_values=describe_unused_values(mapping),
            notes=list(mapping.notes),
            columns_file=mapping.columns_text(),
        )

    def read(self, part: FilePart) -> Generator[Chunk, None, None]:
        self._samples, self._left = [], []
        last = 0
        while chunk := self._read_chunk(part):
            yield chunk
            last = chunk.last
        part.mapping.require_understood(part.member or part.name)
        self._offset += last

    def _read_chunk(self, part: FilePart) -> Chunk | None:
        """Read the next rows, None at the end.

        Each row is parsed and released before the next is read: keeping many rows alive makes Python's
        garbage collector traverse all objects again and again.
        """
        chunk = Chunk()
        pick_cells, parse_ordinary = part.mapping.pick_cells, self._parser.parse_ordinary
        samples, lists, offset, key = self._samples, self._lists, self._offset, self._key
        first_rows: dict[str, int] = {}
        row: SheetRow | None = None
        for row in islice(part.rows, CHUNK_SIZE):
            number, cells = row
            try:
                details = None
                if pick_cells is not None and len(samples) == _SAMPLE_ROWS:
                    details = parse_ordinary(pick_cells(cells))
                if details is None and (details := self._parse(row, part, chunk)) is None:
                    continue
            except UnknownStatusError:
                # Nothing is stored if there is one; all values are named at the end of the file.
                continue
            except SubscriberError as error:
                if not row.is_empty:
                    chunk.refused.append(RefusedRow(row=number, reason=error.words, file=part.member))
                continue
            email, envelope, name, organisation, country, language, sectors, tags = details
            first = first_rows.setdefault(email, number)
            if first != number:
                chunk.duplicates.append((number, first))
                continue
            values = (
                number,
                offset + number,
                email,
                envelope,
                name,
                organisation,
                country,
                language,
                lists[sectors],
                lists[tags],
            )
            chunk.rows.append((*values, key.digest(email)) if key else values)
        if row is None:
            return None
        chunk.last = row.number
        chunk.lists = lists.take_new()
        return chunk

    def _parse(self, row: SheetRow, part: FilePart, chunk: Chunk) -> SubscriberDetails | None:
        """Parse a row of any kind; None if its address is suppressed, which is added to ``chunk``."""
        raw = part.mapping.read_row(row)
        parsed = self._parser.parse(row.number, raw)
        samples = self._samples if parsed.suppress_reason is None else self._left
        if len(samples) < _SAMPLE_ROWS:
            samples.append(_sample(raw))
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
    """The numbers of lists of sectors or tags: 0 for the empty list, the next for one that is new."""

    def __init__(self) -> None:
        super().__init__()
        self._last = 0
        self._new: list[tuple[int, str]] = []

    def __missing__(self, values: frozenset[str]) -> int:
        if len(self) >= CHUNK_SIZE:
            self.clear()
        if not values:
            number = 0
        else:
            number = self._last = self._last + 1
            self._new.extend((number, value) for value in values)
        self[values] = number
        return number

    def take_new(self) -> list[tuple[int, str]]:
        """Return the number and each value of the lists that were numbered since the last call."""
        new, self._new = self._new, []
        return new
