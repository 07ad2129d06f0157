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
from subscribers.imports.row_parser import ParsedRow, RowParser
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
        self._lists: dict[frozenset[str], int] = {}
        self._new_lists: list[tuple[int, str]] = []
        self._last_list = 0
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
        parse, read_row = self._parser.parse, part.mapping.read_row
        first_rows: dict[str, int] = {}
        row: SheetRow | None = None
        for row in islice(part.rows, CHUNK_SIZE):
            try:
                raw = read_row(row)
                parsed = parse(row.number, raw)
            except UnknownStatusError:
                # Nothing is stored if there is one; all values are named at the end of the file.
                continue
            except SubscriberError as error:
                if not row.is_empty:
                    chunk.refused.append(RefusedRow(row=row.number, reason=str(error), file=part.member))
                continue
            samples = self._samples if parsed.suppress_reason is None else self._left
            if len(samples) < _SAMPLE_ROWS:
                samples.append(_sample(raw))
            if parsed.others or parsed.unusable:
                chunk.notes.append(
                    ImportNote(text=_describe_others(parsed), row=parsed.row, file=part.member)
                )
            if parsed.suppress_reason is not None:
                chunk.suppressed.append(SuppressedRow(email=parsed.email, reason=parsed.suppress_reason))
                chunk.suppressed_others.extend(
                    SuppressedRow(email=other, reason=parsed.suppress_reason) for other in parsed.others
                )
                continue
            first = first_rows.setdefault(parsed.email, parsed.row)
            if first == parsed.row:
                chunk.rows.append(self._staging_values(parsed))
            else:
                chunk.duplicates.append((parsed.row, first))
        if row is None:
            return None
        chunk.last = row.number
        chunk.lists, self._new_lists = self._new_lists, []
        return chunk

    def _staging_values(self, parsed: ParsedRow) -> tuple[Any, ...]:
        row = (
            parsed.row,
            self._offset + parsed.row,
            parsed.email,
            parsed.envelope,
            parsed.name,
            parsed.organisation,
            parsed.country,
            parsed.language,
            self._list_number(parsed.sectors) if parsed.sectors else 0,
            self._list_number(parsed.tags) if parsed.tags else 0,
        )
        return (*row, self._key.digest(parsed.email)) if self._key else row

    def _list_number(self, values: frozenset[str]) -> int:
        number = self._lists.get(values)
        if number is None:
            if len(self._lists) >= CHUNK_SIZE:
                self._lists.clear()
            self._last_list += 1
            number = self._lists[values] = self._last_list
            self._new_lists.extend((number, value) for value in values)
        return number
