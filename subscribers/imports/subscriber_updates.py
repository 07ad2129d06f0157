"""Update the details of existing subscribers from a file, and keep the old values for a rollback."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlmodel import Session, SQLModel

from subscribers.consent.status_changes import consent_record_values
from subscribers.imports.import_origin import ImportOrigin
from subscribers.imports.staging_table import StagingTable
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    ImportChange,
    SubscriberSector,
    SubscriberTag,
)

_CHUNK = 500
_DETAILS = ("name", "organisation", "country", "language")


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
        .values({name: bindparam(f"new_{name}") for name in _DETAILS} | {"updated_at": origin.now}),
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
    return {"number": row.id} | {f"new_{name}": known[name] or known[f"old_{name}"] for name in _DETAILS}


def _read_old_values(session: Session, changed: Sequence[Row[Any]]) -> dict[int, dict[str, Any]]:
    """Return the old values of what each row changes, by subscriber ID."""
    before: dict[int, dict[str, Any]] = {
        row.id: {
            name: row._mapping[f"old_{name}"]
            for name in _DETAILS
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
    """Yield the sectors or tags of each of these subscribers, sorted."""
    owner, value = SQLModel.metadata.tables[str(table.__tablename__)].c
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        known: dict[int, list[str]] = {number: [] for number in some}
        for number, word in session.execute(select(owner, value).where(owner.in_(some)).order_by(value)):
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
