"""Bringing a file in: good rows go on the list, bad ones are refused by number, and nobody who left returns.

An import adds people and updates details. It never makes a status better: whoever unsubscribed, bounced or
complained stays gone whatever a file says, and an address that must never get mail again is not even added.
Rows about people who left elsewhere become suppressions. All of it is one transaction of the caller's.
"""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from subscribers.consent.suppression import SuppressionKey
from subscribers.csv_format import COLUMNS, SheetRow
from subscribers.errors import ImportFileError, SubscriberError
from subscribers.imports.files.format_detection import FilePart, ReadOptions, open_parts
from subscribers.imports.files.raw_row import RawRow
from subscribers.imports.read_ahead import ReadAhead, read_ahead
from subscribers.imports.row_parser import ParsedRow, RowParser
from subscribers.imports.staging_table import ImportOrigin, StagingTable, staging_tables
from subscribers.imports.suppressed_rows import SuppressedRow, suppress_rows
from subscribers.imports.updates import update_details
from subscribers.models import ImportBatch, Suppression

_CHUNK = 20_000
"""Rows stored together, with a handful of statements."""
_MOST_REFUSED = 100_000
_SAMPLE_ROWS = 5

OnProgress = Callable[[int], None]
"""Called with the number of rows that are done."""


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row that was not taken. ``row`` is its number in a spreadsheet, the header being row 1; ``file`` the
    member of an archive it stands in, empty for a file by itself.
    """

    row: int
    reason: str
    file: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"row": self.row, "reason": self.reason} | ({"file": self.file} if self.file else {})


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """What a file was found to be: ``form`` in words, ``certain`` False where its encoding is only likely,
    ``meaning`` which of its columns is which of ours, ``unused`` the others, ``samples`` its first rows as
    they were understood, by our columns.
    """

    file: str
    form: str
    certain: bool
    maker: str
    meaning: dict[str, list[str]]
    unused: list[str]
    samples: list[dict[str, str]]

    def as_dict(self) -> dict[str, Any]:
        return vars(self)


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What became of each row; the five numbers add up to the rows that were not empty.

    ``suppressed`` counts rows whose address must not get mail, or whose owner left, bounced or complained.
    ``import_id`` is None after a dry run.
    """

    added: int
    updated: int
    unchanged: int
    suppressed: int
    refused: tuple[RefusedRow, ...]
    import_id: int | None = None
    parts: tuple[PartReport, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "suppressed": self.suppressed,
            "refused": [refusal.as_dict() for refusal in self.refused],
            "parts": [part.as_dict() for part in self.parts],
        }


def import_file(
    session: Session,
    path: Path,
    *,
    sectors: Collection[str],
    key: SuppressionKey,
    now: datetime,
    dry_run: bool = False,
    basis: str = "",
    options: ReadOptions | None = None,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Take in a file of any kind that :mod:`subscribers.imports.files` knows: all good rows, or none.

    Only cells that hold something overwrite what is known. ``basis`` is kept with the import and with each
    new subscriber: why they may be written to, as whoever imports them declares; empty if they do not.
    ``dry_run`` does everything, reports it and takes it back. The caller commits.

    Raises:
        ImportFileError: the file as a whole cannot be used.
    """
    with open_parts(path, options or ReadOptions()) as parts:
        savepoint = session.begin_nested()
        try:
            batch = _open_batch(session, path, parts, basis=basis, now=now)
            with staging_tables(session.connection()):
                intake = _Importer(session=session, sectors=sectors, key=key, batch=batch, now=now)
                intake.run(parts, on_progress or (lambda _: None))
            _close_batch(session, batch.id or 0, intake)
        except BaseException:
            savepoint.rollback()
            raise
        number = batch.id
        if dry_run:
            savepoint.rollback()
        else:
            savepoint.commit()
        # Nothing read before may be believed: the statements went past the session.
        session.expire_all()
        return intake.report(import_id=None if dry_run else number)


def list_imports(session: Session) -> list[ImportBatch]:
    """Every import, the newest first."""
    return list(session.exec(select(ImportBatch).order_by(col(ImportBatch.id).desc())))


def _open_batch(
    session: Session, path: Path, parts: Sequence[FilePart], *, basis: str, now: datetime
) -> ImportBatch:
    form = f"{parts[0].form}, {parts[0].mapping.maker}"
    batch = ImportBatch(source=_one_line(path.name)[:300], form=form[:300], basis=basis, at=now)
    session.add(batch)
    session.flush()
    return batch


def _one_line(name: str) -> str:
    """A file's name as a database can hold it and a screen may show it."""
    return "".join(char if char.isprintable() else " " for char in name)


def _close_batch(session: Session, number: int, importer: "_Importer") -> None:
    numbers = {name: getattr(importer, name) for name in ("added", "updated", "unchanged", "suppressed")}
    session.execute(
        update(ImportBatch)
        .where(col(ImportBatch.id) == number)
        .values(**numbers, refused=len(importer.refused))
    )


@dataclass(kw_only=True)
class _Chunk:
    """Rows that were read: ``rows`` as the stage takes them, ``lists`` it has not seen, those who ``leave``,
    those ``refused``, those whose address an earlier one of them has; ``last`` is the number of the last.
    """

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    lists: list[tuple[int, str]] = field(default_factory=list)
    suppressed: list[SuppressedRow] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    duplicates: list[tuple[int, int]] = field(default_factory=list)
    last: int = 0


@dataclass(kw_only=True)
class _Importer:
    """One import under way: what it was asked, and what it has come to so far."""

    session: Session
    sectors: Collection[str]
    key: SuppressionKey
    batch: ImportBatch
    now: datetime
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    suppressed: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    part_reports: list[PartReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.origin = ImportOrigin(
            import_id=self.batch.id or 0, source=self.batch.source, basis=self.batch.basis, now=self.now
        )
        self.stage = StagingTable(self.session.connection(), self.origin)
        self.suppressed_rows: dict[str, int] = {}
        self.duplicates: dict[int, int] = {}
        self.checks_suppressions = True

    def report(self, *, import_id: int | None) -> ImportReport:
        return ImportReport(
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            suppressed=self.suppressed,
            refused=tuple(sorted(self.refused, key=lambda refusal: (refusal.file, refusal.row))),
            import_id=import_id,
            parts=tuple(self.part_reports),
        )

    def run(self, parts: Sequence[FilePart], on_progress: OnProgress) -> None:
        self.checks_suppressions = (
            any(part.mapping.may_suppress for part in parts)
            or self.session.get_bind().dialect.name != "sqlite"
            or self.session.exec(select(Suppression.digest).limit(1)).first() is not None
        )
        reader = _ChunkReader(
            drafts=RowParser(self.sectors),
            key=self.key if self.checks_suppressions else None,
            offset=self.stage.last_used_id(),
        )
        done = 0
        for part in parts:
            before = done
            with read_ahead(reader.read(part)) as chunks:
                for chunk in chunks:
                    if not done and len(chunk.rows) > _CHUNK // 2 and not part.mapping.may_suppress:
                        self.stage.defer_index()
                    self._store(chunk, chunks)
                    done = before + chunk.last
                    on_progress(done)
            self.part_reports.append(reader.report(part))
            self._end_part(part.member)

    def _end_part(self, file: str) -> None:
        later = self.stage.create_deferred_index()
        self.added -= len(later)
        self.duplicates.update(later)
        # A row that is no first itself was met as one in its chunk.
        firsts = ((row, self.duplicates.get(first, first)) for row, first in self.duplicates.items())
        self._refuse(
            [RefusedRow(row=row, reason=f"same address as row {first}.", file=file) for row, first in firsts]
        )
        self.duplicates.clear()

    def _store(self, chunk: _Chunk, chunks: ReadAhead[_Chunk]) -> None:
        self._refuse(chunk.refused)
        self.duplicates.update(chunk.duplicates)
        self.suppressed += suppress_rows(
            self.session, chunk.suppressed, key=self.key, now=self.now, source=self.origin.source
        )
        if not chunk.rows:
            return
        self.stage.load(chunk.rows, chunk.lists)
        chunks.prefetch()
        waiting = len(chunk.rows) - (self._mark_suppressed() if self.checks_suppressions else 0)
        added = self.stage.insert_new(waiting)
        if added < waiting:
            self._update_known()
        if added:
            self.stage.record_new()
        self.added += added

    def _mark_suppressed(self) -> int:
        """Count those whose address must get no mail; how many rows are decided by it."""
        found = self.stage.mark_suppressed()
        twice = {
            row: first
            for row, digest in found
            if (first := self.suppressed_rows.setdefault(digest, row)) != row
        }
        self.duplicates.update(twice)
        self.suppressed += len(found) - len(twice)
        return len(found)

    def _update_known(self) -> None:
        self.duplicates.update(self.stage.mark_duplicates())
        self.suppressed += self.stage.mark_gone()
        met = self.stage.count_matched()
        changed = self.stage.list_changed()
        update_details(self.session, self.stage, changed, self.origin)
        self.updated += len(changed)
        self.unchanged += met - len(changed)

    def _refuse(self, refusals: Sequence[RefusedRow]) -> None:
        self.refused.extend(refusals)
        if len(self.refused) + len(self.duplicates) > _MOST_REFUSED and self.refused:
            first = min(self.refused, key=lambda refusal: refusal.row)
            raise ImportFileError(
                self.batch.source,
                f"more than {_MOST_REFUSED:,} rows cannot be used, so nothing was imported. The first error: "
                f"{first.reason} Check that it is the right file and that its columns match their titles.",
                first.row,
            )


def _sample(entry: RawRow) -> dict[str, str]:
    return {name: cell for name, cell in zip(COLUMNS, entry, strict=False) if cell}


class _ChunkReader:
    """Reads the parts of a file into chunks, in a thread beside the one that stores them."""

    def __init__(self, *, drafts: RowParser, key: SuppressionKey | None, offset: int) -> None:
        self._parser = drafts
        self._key = key
        self._offset = offset
        self._lists: dict[frozenset[str], int] = {}
        self._new_lists: list[tuple[int, str]] = []
        self._last_list = 0
        self._samples: list[dict[str, str]] = []

    def report(self, part: FilePart) -> PartReport:
        """What the part that was read last was found to be."""
        layout = part.mapping
        return PartReport(
            file=part.member,
            form=part.form,
            certain=part.certain,
            maker=layout.maker.value,
            meaning={column: list(titles) for column, titles in layout.meaning.items()},
            unused=list(layout.unused),
            samples=self._samples,
        )

    def read(self, part: FilePart) -> Generator[_Chunk, None, None]:
        self._samples = []
        last = 0
        while chunk := self._read_chunk(part):
            yield chunk
            last = chunk.last
        self._offset += last

    def _read_chunk(self, part: FilePart) -> _Chunk | None:
        """The next rows, None where there are no more.

        Each is understood and let go before the next is read: a heap of rows that are kept sends Python's
        collector through everything there is, time and again.
        """
        chunk = _Chunk()
        understand, entry_of = self._parser.parse, part.mapping.read_row
        first_rows: dict[str, int] = {}
        row: SheetRow | None = None
        for row in islice(part.rows, _CHUNK):
            try:
                entry = entry_of(row)
                draft = understand(row.number, entry)
            except SubscriberError as error:
                if not row.is_empty:
                    chunk.refused.append(RefusedRow(row=row.number, reason=str(error), file=part.member))
                continue
            if len(self._samples) < _SAMPLE_ROWS:
                self._samples.append(_sample(entry))
            if draft.leave is not None:
                chunk.suppressed.append(SuppressedRow(email=draft.email, reason=draft.leave))
                continue
            first = first_rows.setdefault(draft.email, draft.row)
            if first == draft.row:
                chunk.rows.append(self._staging_values(draft))
            else:
                chunk.duplicates.append((draft.row, first))
        if row is None:
            return None
        chunk.last = row.number
        chunk.lists, self._new_lists = self._new_lists, []
        return chunk

    def _staging_values(self, draft: ParsedRow) -> tuple[Any, ...]:
        row = (
            draft.row,
            self._offset + draft.row - 1,
            draft.email,
            draft.envelope,
            draft.name,
            draft.organisation,
            draft.country,
            draft.language,
            self._list_number(draft.sectors) if draft.sectors else 0,
            self._list_number(draft.tags) if draft.tags else 0,
        )
        return (*row, self._key.digest(draft.email)) if self._key else row

    def _list_number(self, values: frozenset[str]) -> int:
        number = self._lists.get(values)
        if number is None:
            if len(self._lists) >= _CHUNK:
                self._lists.clear()
            self._last_list += 1
            number = self._lists[values] = self._last_list
            self._new_lists.extend((number, value) for value in values)
        return number
