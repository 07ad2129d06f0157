"""What a file changes of those on the list: their details, with the old values kept, and suppressions."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, update
from sqlalchemy import select as sa_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from subscribers.consent.status_changes import ConsentContext, consent_record_values, suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey
from subscribers.imports.bulk_insert import ImportOrigin
from subscribers.imports.chunk_reader import SuppressedRow
from subscribers.imports.staging_table import DETAILS, StagingTable
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    ImportChange,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
    Suppression,
)

_CHUNK = 500


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
        _add_suppressions(session, some.values(), key=key, now=now)


def _add_suppressions(
    session: Session, rows: Iterable[SuppressedRow], *, key: SuppressionKey, now: datetime
) -> None:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    into = (sqlite.insert if is_sqlite else postgresql.insert)(Suppression)
    session.execute(
        into.on_conflict_do_nothing(index_elements=["digest"]),
        [{"digest": key.digest(row.email), "reason": row.reason, "at": now} for row in rows],
    )
