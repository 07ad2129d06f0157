"""Import a file: good rows are stored, bad ones are refused by number, and nobody who left is brought back.

An import adds subscribers and updates details. It never reactivates anyone: a subscriber who unsubscribed,
bounced or complained stays gone whatever the file says, and a suppressed address is not added. Rows about
people who unsubscribed elsewhere become suppressions. All of it happens in one transaction of the caller.
"""

import json
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, bindparam, insert, update
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from locales.phrase import Phrase, gettext_noop
from subscribers.consent.status_changes import ConsentContext, consent_record_values, suppress, unsubscribe
from subscribers.consent.suppression import (
    SuppressionKey,
    lock_suppressions_exclusively,
    lock_suppressions_shared,
)
from subscribers.errors import ImportFileError, write_on_one_line
from subscribers.imports.bulk_insert import EncodedPeople, EncodedRows, ImportOrigin
from subscribers.imports.chunk_reader import Chunk, ChunkReader, ReadAhead, SuppressedRow, read_ahead
from subscribers.imports.file_parts import FilePart, ReadOptions, open_parts
from subscribers.imports.import_report import ImportNote, ImportReport, PartReport, RefusedRow
from subscribers.imports.list_indexes import ListIndexes
from subscribers.imports.row_parser import RowParser
from subscribers.imports.staging_table import DETAILS, DryRunTable, StagingTable, staging_tables
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    ImportBatch,
    ImportChange,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
    Suppression,
)

_MAX_REFUSED = 100_000
_MAX_NOTES = 100_000
_CHUNK = 500

_EncodedChunk = tuple[Chunk, EncodedRows | EncodedPeople]

OnProgress = Callable[[int], None]
"""Called with the number of rows processed so far."""


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
    """Import a file of any kind that :mod:`subscribers.imports.files` knows: all good rows, or none.

    Empty cells overwrite nothing. ``basis`` is the declared reason for writing to these people; empty if none
    is given. ``dry_run`` only reads the list, so the session may be a read-only one. The caller commits.
    Raise ImportFileError if the file as a whole cannot be imported.
    """
    read = options or ReadOptions()
    with open_parts(path, read, sectors=sectors) as parts:
        savepoint = session.begin_nested()
        try:
            batch = _make_batch(read.name or path.name, parts, basis=basis, now=now)
            if not dry_run:
                session.add(batch)
                session.flush()
            with staging_tables(session.connection()):
                importer = (_DryRun if dry_run else _Importer)(session, batch, sectors=sectors, key=key)
                importer.run(parts, on_progress or (lambda _: None))
            if not dry_run:
                _close_batch(session, batch.id or 0, importer)
        except BaseException:
            savepoint.rollback()
            raise
        number = batch.id
        savepoint.commit()
        # The statements bypassed the session, so nothing it has loaded is current.
        session.expire_all()
        return importer.report(import_id=number)


def list_imports(
    session: Session, *, before: int | None = None, limit: int | None = None
) -> Sequence[ImportBatch]:
    wanted = select(ImportBatch).order_by(col(ImportBatch.id).desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(col(ImportBatch.id) < before)
    return session.exec(wanted).all()


def _make_batch(name: str, parts: Sequence[FilePart], *, basis: str, now: datetime) -> ImportBatch:
    form = f"{parts[0].form}, {parts[0].mapping.maker}"
    return ImportBatch(source=write_on_one_line(name)[:300], form=form[:300], basis=basis, at=now)


def _close_batch(session: Session, number: int, importer: "_Importer") -> None:
    numbers = {name: getattr(importer, name) for name in ("added", "updated", "unchanged", "suppressed")}
    session.execute(
        update(ImportBatch)
        .where(col(ImportBatch.id) == number)
        .values(**numbers, refused=len(importer.refused))
    )


class _Importer:
    """One import in progress: its parameters and its results so far."""

    def __init__(
        self, session: Session, batch: ImportBatch, *, sectors: Collection[str], key: SuppressionKey
    ) -> None:
        self.session = session
        self.sectors = sectors
        self.key = key
        self.origin = ImportOrigin(
            import_id=batch.id or 0, source=batch.source, basis=batch.basis, now=batch.at
        )
        self.indexes = ListIndexes(session.connection())
        self.staging = self._make_table()
        self.added = self.updated = self.unchanged = self.suppressed = 0
        self.refused: list[RefusedRow] = []
        self.part_reports: list[PartReport] = []
        self.notes: list[ImportNote] = []
        self.suppressed_rows: dict[str, int] = {}
        self.duplicates: dict[int, int] = {}
        self.checks_suppressions = True
        self.unshown_notes = 0

    def report(self, *, import_id: int | None) -> ImportReport:
        notes = list(self.notes)
        if self.unshown_notes:
            words = gettext_noop("%(number)s more rows have further addresses, not imported.")
            notes.append(ImportNote(text=words % {"number": f"{self.unshown_notes:,}"}))
        return ImportReport(
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            suppressed=self.suppressed,
            refused=tuple(sorted(self.refused, key=lambda refusal: (refusal.file, refusal.row))),
            import_id=import_id,
            parts=tuple(self.part_reports),
            notes=tuple(notes),
        )

    def run(self, parts: Sequence[FilePart], on_progress: OnProgress) -> None:
        may_suppress = any(part.mapping.may_suppress for part in parts)
        # Take the exclusive lock at the start if it is needed later: two imports that both upgrade from the
        # shared lock would deadlock.
        self._lock(lock_suppressions_exclusively if may_suppress else lock_suppressions_shared)
        # The lock keeps others from adding the first while the import runs.
        any_suppressed = self.session.exec(select(Suppression.digest).limit(1)).first() is not None
        self.checks_suppressions = may_suppress or any_suppressed
        reader = ChunkReader(
            parser=RowParser(self.sectors),
            key=self.key if self.checks_suppressions else None,
            offset=self.indexes.offset,
        )
        done = 0
        for part in parts:
            before = done
            self.notes.extend(ImportNote(text=note, file=part.member) for note in part.notes)
            with read_ahead(self._encode(reader.read(part))) as chunks:
                for chunk, rows in chunks:
                    if not done and chunk.is_large and not part.mapping.may_suppress:
                        self.staging.defer_indexes()
                    self._settle(chunk)
                    if chunk.size:
                        self._load(rows, chunk, chunks)
                        self._store(chunk.size)
                    done = before + chunk.last
                    on_progress(done)
            self.part_reports.append(reader.report(part))
            self._end_part(part.member, is_last=part is parts[-1])

    def _end_part(self, file: str, *, is_last: bool) -> None:
        later = self.staging.take_duplicates(is_last=is_last)
        self.added -= len(later)
        self.duplicates.update(later)
        # A row that is itself a duplicate was the first of its address within its chunk.
        firsts = ((row, self.duplicates.get(first, first)) for row, first in self.duplicates.items())
        same = gettext_noop("same address as row %(row)s.")
        self._refuse(
            [RefusedRow(row=row, reason=Phrase(same, row=first), file=file) for row, first in firsts]
        )
        self.duplicates.clear()

    def _encode(self, chunks: Iterator[Chunk]) -> Generator[_EncodedChunk, None, None]:
        for chunk in chunks:
            yield chunk, self.staging.encode(chunk.columns, chunk.list_values)

    def _load(
        self, rows: EncodedRows | EncodedPeople, chunk: Chunk, chunks: ReadAhead[_EncodedChunk]
    ) -> None:
        """Load a chunk, and have the next one read as soon as that does not hold it up."""
        if self.staging.is_loaded_row_by_row:
            self.staging.load(rows, chunk.lists)
            chunks.prefetch()
        else:
            chunks.prefetch()
            self.staging.load(rows, chunk.lists)

    def _settle(self, chunk: Chunk) -> None:
        self._refuse(chunk.refused)
        self._note(chunk.notes)
        self.duplicates.update(chunk.duplicates)
        self._suppress(chunk.suppressed)
        self._suppress(chunk.suppressed_others)
        self.suppressed += len(chunk.suppressed)

    def _store(self, size: int) -> None:
        waiting = size - (self._mark_suppressed() if self.checks_suppressions else 0)
        added = self.staging.insert_new(waiting)
        if added < waiting:
            self._update_known()
        if added:
            self.staging.record_new()
        self.added += added

    def _make_table(self) -> StagingTable:
        return StagingTable(self.session.connection(), self.origin, self.indexes)

    def _lock(self, lock: Callable[[Session], None]) -> None:
        lock(self.session)

    def _suppress(self, rows: Sequence[SuppressedRow]) -> None:
        suppress_rows(self.session, rows, key=self.key, now=self.origin.now, source=self.origin.source)

    def _update(self, changed: Sequence[Row[Any]]) -> None:
        update_details(self.session, self.staging, changed, self.origin)

    def _mark_suppressed(self) -> int:
        """Count the rows whose address is suppressed; return how many rows that settles."""
        found = self.staging.mark_suppressed()
        twice = {
            row: first
            for row, digest in found
            if (first := self.suppressed_rows.setdefault(digest, row)) != row
        }
        self.duplicates.update(twice)
        self.suppressed += len(found) - len(twice)
        return len(found)

    def _update_known(self) -> None:
        self.duplicates.update(self.staging.mark_duplicates())
        self.suppressed += self.staging.mark_gone()
        met = self.staging.count_matched()
        changed = self.staging.list_changed()
        self._update(changed)
        self.updated += len(changed)
        self.unchanged += met - len(changed)

    def _note(self, notes: Sequence[ImportNote]) -> None:
        """Keep notes, but not so many that nobody reads them and they fill the memory."""
        room = max(0, _MAX_NOTES - len(self.notes))
        self.notes.extend(notes[:room])
        self.unshown_notes += len(notes) - room if len(notes) > room else 0

    def _refuse(self, refusals: Sequence[RefusedRow]) -> None:
        self.refused.extend(refusals)
        if len(self.refused) + len(self.duplicates) > _MAX_REFUSED and self.refused:
            first = min(self.refused, key=lambda refusal: refusal.row)
            raise ImportFileError(
                self.origin.source,
                gettext_noop(
                    "more than %(most)s rows cannot be used, so nothing was imported. The "
                    "first error: %(reason)s Check that it is the right file and that its columns "
                    "match their titles."
                )
                % {"most": f"{_MAX_REFUSED:,}", "reason": first.reason},
                first.row,
            )


class _DryRun(_Importer):
    """An import that changes nothing and locks nobody out."""

    def _make_table(self) -> StagingTable:
        self.counted = DryRunTable(self.session.connection(), self.origin, self.indexes)
        return self.counted

    def _lock(self, lock: Callable[[Session], None]) -> None:
        pass

    def _suppress(self, rows: Sequence[SuppressedRow]) -> None:
        self.counted.remember_suppressed(self.key.digest(row.email) for row in rows)

    def _update(self, changed: Sequence[Row[Any]]) -> None:
        pass


def update_details(
    session: Session, staging: StagingTable, changed: Sequence[Row[Any]], origin: ImportOrigin
) -> None:
    """Store the details in the rows that :meth:`subscribers.imports.staging_table.StagingTable.list_changed`
    returned, and record the change."""
    if not changed:
        return
    before = _read_old_values(session, changed)
    people = SQLModel.metadata.tables["subscriber"]
    session.connection().execute(
        update(people)
        .where(people.c.id == bindparam("number"))
        .values({name: bindparam(f"new_{name}") for name in DETAILS} | {"updated_at": origin.now}),
        [_new_details(row) for row in changed],
    )
    staging.replace_lists(
        sectors=[row.id for row in changed if row.other_sectors],
        tags=[row.id for row in changed if row.other_tags],
    )
    session.execute(
        insert(ImportChange),
        [
            {
                "import_id": origin.import_id,
                "subscriber_id": row.id,
                "before": json.dumps(before[row.id], ensure_ascii=False),
            }
            for row in changed
        ],
    )
    session.execute(insert(ConsentRecord), [_make_record(row, before[row.id], origin) for row in changed])


def _new_details(row: Row[Any]) -> dict[str, Any]:
    known = row._mapping
    return {"number": row.id} | {f"new_{name}": known[name] or known[f"old_{name}"] for name in DETAILS}


def _read_old_values(session: Session, changed: Sequence[Row[Any]]) -> dict[int, dict[str, Any]]:
    before: dict[int, dict[str, Any]] = {
        row.id: {
            name: row._mapping[f"old_{name}"]
            for name in DETAILS
            if row._mapping[name] and row._mapping[name] != (row._mapping[f"old_{name}"] or "")
        }
        for row in changed
    }
    for name, table, other in (
        ("sectors", SubscriberSector, "other_sectors"),
        ("tags", SubscriberTag, "other_tags"),
    ):
        for number, values in _read_lists(session, table, [row.id for row in changed if row._mapping[other]]):
            before[number][name] = values
    return before


def _read_lists(
    session: Session, table: type[SubscriberSector | SubscriberTag], ids: Sequence[int]
) -> Iterator[tuple[int, list[str]]]:
    owner, value = SQLModel.metadata.tables[str(table.__tablename__)].c
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        known: dict[int, list[str]] = {number: [] for number in some}
        for number, word in session.execute(sa_select(owner, value).where(owner.in_(some)).order_by(value)):
            known[number].append(word)
        yield from known.items()


def _make_record(row: Row[Any], before: dict[str, Any], origin: ImportOrigin) -> dict[str, Any]:
    record = consent_record_values(
        row.id,
        ConsentEvent.updated,
        method="import",
        now=origin.now,
        source=origin.source,
        evidence=f"row {row.row}; changed: {', '.join(sorted(before))}",
    )
    return record | {"import_id": origin.import_id}


def suppress_rows(
    session: Session, rows: Sequence[SuppressedRow], *, key: SuppressionKey, now: datetime, source: str
) -> None:
    """Suppress each address and update its subscriber, if it has one. People who unsubscribed elsewhere may
    come back themselves, as if they had unsubscribed here. The caller commits.
    """
    for start in range(0, len(rows), _CHUNK):
        some = {row.email: row for row in rows[start : start + _CHUNK]}
        for subscriber in session.exec(
            select(Subscriber).where(col(Subscriber.email).in_(some)),
            execution_options={"populate_existing": True},
        ).all():
            reason = some[subscriber.email].reason
            about: ConsentContext = {"method": "import", "now": now, "source": source}
            if reason is ConsentEvent.unsubscribed:
                unsubscribe(session, subscriber.id or 0, **about)
            else:
                suppress(session, subscriber.email, key=key, reason=reason, **about)
        is_sqlite = session.get_bind().dialect.name == "sqlite"
        into = (sqlite.insert if is_sqlite else postgresql.insert)(Suppression)
        session.execute(
            into.on_conflict_do_nothing(index_elements=["digest"]),
            [{"digest": key.digest(row.email), "reason": row.reason, "at": now} for row in some.values()],
        )
