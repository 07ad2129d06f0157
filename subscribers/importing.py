"""Bringing a file in: good rows go on the list, bad ones are refused by number, and nobody who left returns.

An import adds people and updates details. It never changes a status, so whoever unsubscribed, bounced or
complained stays gone whatever a file says; and an address that must never get mail again is not even added.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from subscribers.consent import GONE, consent_record
from subscribers.draft import Draft, read_draft, read_header
from subscribers.errors import ImportFileError, SubscriberError
from subscribers.listing import read_sectors, read_tags
from subscribers.models import ConsentRecord, Event, Status, Subscriber, SubscriberSector, SubscriberTag
from subscribers.sheet import Row, read_rows
from subscribers.suppression import SuppressionKey, find_suppressed

_CHUNK = 500
"""Rows stored together, with a handful of statements."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A row that was not taken. ``row`` is its number in a spreadsheet, the header being row 1."""

    row: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What became of each row; the five numbers add up to the rows that were not empty.

    ``suppressed`` counts rows whose address must not get mail, or whose owner left, bounced or complained.
    """

    added: int
    updated: int
    unchanged: int
    suppressed: int
    refused: tuple[Refusal, ...]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "suppressed": self.suppressed,
            "refused": [{"row": refusal.row, "reason": refusal.reason} for refusal in self.refused],
        }


def import_csv(
    session: Session,
    path: Path,
    *,
    sectors: Collection[str],
    key: SuppressionKey,
    now: datetime,
    dry_run: bool = False,
    basis: str = "",
) -> ImportReport:
    """Take in a CSV file of our own columns, :data:`subscribers.sheet.COLUMNS`: all good rows, or none.

    Only cells that hold something overwrite what is known. ``basis`` is kept with each new subscriber: why
    they may be written to, as whoever imports them declares; empty if they do not. ``dry_run`` does
    everything, reports it and takes it back. The caller commits.

    Raises:
        ImportFileError: the file as a whole cannot be used.
    """
    savepoint = session.begin_nested()
    try:
        intake = _Intake(session=session, sectors=sectors, key=key, now=now, source=path.name, basis=basis)
        intake.take(read_rows(path))
    except IntegrityError as error:
        savepoint.rollback()
        reason = (
            "somebody else changed the list at the same moment, and nothing was imported. Import it again."
        )
        raise ImportFileError(path.name, reason) from error
    except BaseException:
        savepoint.rollback()
        raise
    if dry_run:
        savepoint.rollback()
    else:
        savepoint.commit()
    return intake.report()


@dataclass(kw_only=True)
class _Intake:
    """One import under way: what it was asked, and what it has come to so far."""

    session: Session
    sectors: Collection[str]
    key: SuppressionKey
    now: datetime
    source: str
    basis: str
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    suppressed: int = 0
    refused: list[Refusal] = field(default_factory=list)

    def report(self) -> ImportReport:
        return ImportReport(
            added=self.added,
            updated=self.updated,
            unchanged=self.unchanged,
            suppressed=self.suppressed,
            refused=tuple(self.refused),
        )

    def take(self, rows: Iterator[Row]) -> None:
        drafts = self._drafts(rows)
        while chunk := list(islice(drafts, _CHUNK)):
            self._store(chunk)

    def _drafts(self, rows: Iterator[Row]) -> Iterator[Draft]:
        columns = read_header(next(rows, None), self.source)
        first_rows: dict[str, int] = {}
        for row in rows:
            if row.is_empty:
                continue
            try:
                draft = read_draft(row, columns, self.sectors)
            except SubscriberError as error:
                self.refused.append(Refusal(row=row.number, reason=str(error)))
                continue
            first = first_rows.setdefault(draft.address.email, row.number)
            if first == row.number:
                yield draft
            else:
                self.refused.append(Refusal(row=row.number, reason=f"same address as row {first}."))

    def _store(self, drafts: Sequence[Draft]) -> None:
        present = self._present(drafts)
        blocked = find_suppressed(self.session, self.key, (draft.address.email for draft in drafts)) | {
            email for email, subscriber in present.items() if subscriber.status in GONE
        }
        welcome = [draft for draft in drafts if draft.address.email not in blocked]
        self.suppressed += len(drafts) - len(welcome)
        self._add([draft for draft in welcome if draft.address.email not in present])
        self._update([draft for draft in welcome if draft.address.email in present], present)

    def _present(self, drafts: Sequence[Draft]) -> dict[str, Subscriber]:
        emails = [draft.address.email for draft in drafts]
        wanted = select(Subscriber).where(col(Subscriber.email).in_(emails))
        # What this session read before may be old: somebody may have left since.
        found = self.session.exec(wanted, execution_options={"populate_existing": True})
        return {subscriber.email: subscriber for subscriber in found}

    def _add(self, drafts: Sequence[Draft]) -> None:
        if not drafts:
            return
        statement = insert(Subscriber).returning(col(Subscriber.email), col(Subscriber.id))
        stored = self.session.execute(statement, [self._row(draft) for draft in drafts])
        ids: dict[str, int] = dict(iter(stored))
        numbered = [(ids[draft.address.email], draft) for draft in drafts]
        self._insert_sectors(numbered)
        self._insert_tags(numbered)
        self._insert_records(
            Event.imported, ((id_, f"row {draft.row}") for id_, draft in numbered), basis=self.basis
        )
        self.added += len(drafts)

    def _row(self, draft: Draft) -> dict[str, Any]:
        return {
            "email": draft.address.email,
            "envelope": draft.address.envelope,
            "name": draft.details.get("name", ""),
            "organisation": draft.details.get("organisation", ""),
            "country": draft.details.get("country"),
            "language": draft.details.get("language"),
            "status": Status.active,
            "created_at": self.now,
            "updated_at": self.now,
        }

    def _update(self, drafts: Sequence[Draft], present: dict[str, Subscriber]) -> None:
        if not drafts:
            return
        sectors = read_sectors(self.session, list(present.values()))
        tags = read_tags(self.session, list(present.values()))
        changed: list[tuple[int, Draft, frozenset[str]]] = []
        for draft in drafts:
            subscriber = present[draft.address.email]
            id_ = subscriber.id or 0
            fields = _differences(draft, subscriber, sectors[id_], tags[id_])
            if fields:
                self._change(subscriber, draft)
                changed.append((id_, draft, fields))
        self._replace_lists(changed)
        self._insert_records(
            Event.updated,
            ((id_, f"row {draft.row}; changed: {', '.join(sorted(names))}") for id_, draft, names in changed),
        )
        self.updated += len(changed)
        self.unchanged += len(drafts) - len(changed)

    def _change(self, subscriber: Subscriber, draft: Draft) -> None:
        for name, value in draft.details.items():
            setattr(subscriber, name, value)
        subscriber.updated_at = self.now
        self.session.add(subscriber)

    def _replace_lists(self, changed: Sequence[tuple[int, Draft, frozenset[str]]]) -> None:
        with_sectors = [(id_, draft) for id_, draft, fields in changed if "sectors" in fields]
        with_tags = [(id_, draft) for id_, draft, fields in changed if "tags" in fields]
        for table, pairs in ((SubscriberSector, with_sectors), (SubscriberTag, with_tags)):
            if ids := [id_ for id_, _ in pairs]:
                self.session.exec(delete(table).where(col(table.subscriber_id).in_(ids)))
        self._insert_sectors(with_sectors)
        self._insert_tags(with_tags)

    def _insert_sectors(self, pairs: Sequence[tuple[int, Draft]]) -> None:
        rows = [
            {"subscriber_id": id_, "sector": name} for id_, draft in pairs for name in sorted(draft.sectors)
        ]
        if rows:
            self.session.execute(insert(SubscriberSector), rows)

    def _insert_tags(self, pairs: Sequence[tuple[int, Draft]]) -> None:
        rows = [{"subscriber_id": id_, "tag": name} for id_, draft in pairs for name in sorted(draft.tags)]
        if rows:
            self.session.execute(insert(SubscriberTag), rows)

    def _insert_records(self, event: Event, happened: Iterable[tuple[int, str]], *, basis: str = "") -> None:
        rows = [
            consent_record(
                id_,
                event,
                method="import",
                now=self.now,
                source=self.source,
                evidence=evidence,
                basis=basis,
            )
            for id_, evidence in happened
        ]
        if rows:
            self.session.execute(insert(ConsentRecord), rows)


def _differences(draft: Draft, subscriber: Subscriber, sectors: set[str], tags: set[str]) -> frozenset[str]:
    """The names of what a row says differently from what is known."""
    fields = {name for name, value in draft.details.items() if getattr(subscriber, name) != value}
    if draft.sectors and draft.sectors != sectors:
        fields.add("sectors")
    if draft.tags and draft.tags != tags:
        fields.add("tags")
    return frozenset(fields)
