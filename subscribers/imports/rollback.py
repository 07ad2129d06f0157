"""Roll back an import: remove the subscribers it added and restore the details it overwrote.

Subscribers who unsubscribed, chose preferences or were changed since are left alone: what a person did counts
more than what a file said. The import stays listed as rolled back, and the suppressions it added stay.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from subscribers.consent.status_changes import consent_record_values, replace_values
from subscribers.errors import RollbackError
from subscribers.imports.staging_table import DETAILS
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    ImportBatch,
    ImportChange,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
)

_CHUNK = 500


@dataclass(frozen=True, kw_only=True)
class RollbackReport:
    """The outcome of a rollback: subscribers ``removed``, subscribers whose details were ``restored``, and
    those ``kept`` as they are because something has happened since.
    """

    import_id: int
    removed: int
    restored: int
    kept: int

    def as_dict(self) -> dict[str, int]:
        return {
            "import": self.import_id,
            "removed": self.removed,
            "restored": self.restored,
            "kept": self.kept,
        }


def was_added_by(import_id: int) -> ColumnElement[bool]:
    return col(Subscriber.id).in_(
        select(ConsentRecord.subscriber_id).where(
            col(ConsentRecord.import_id) == import_id, col(ConsentRecord.event) == ConsentEvent.imported
        )
    )


def plan_rollback(session: Session, import_id: int) -> RollbackReport:
    """Return what :func:`roll_back` would do. Writes nothing. Raise RollbackError if there is no such import,
    or it has already been rolled back.
    """
    _require_open(session.get(ImportBatch, import_id), import_id)
    came = _count_subscribers(session, was_added_by(import_id))
    removed = _count_subscribers(session, was_added_by(import_id), ~_has_lived(import_id))
    changes = _count_changes(session, import_id)
    restorable = _make_restorable(import_id).order_by(None).subquery()
    restored = session.exec(select(func.count()).select_from(restorable)).one()
    return RollbackReport(
        import_id=import_id,
        removed=removed,
        restored=restored,
        kept=came - removed + changes - restored,
    )


def list_kept(session: Session, import_id: int, *, limit: int) -> Sequence[tuple[int, str]]:
    """Return the numbers and addresses of people whom a rollback would leave on the list, because
    something has happened since, in the order of their numbers."""
    kept = select(Subscriber.id, Subscriber.email).where(
        was_added_by(import_id), _has_lived(import_id), col(Subscriber.status) != Status.erased
    )
    found = session.exec(kept.order_by(col(Subscriber.id)).limit(limit))
    return [(number or 0, email) for number, email in found]


def roll_back(session: Session, import_id: int, *, now: datetime) -> RollbackReport:
    """Roll back the import. The caller makes sure that no mail was sent to those it added, and commits. Raise
    RollbackError if there is no such import, or it has already been rolled back.
    """
    batch = _require_open(session.get(ImportBatch, import_id, with_for_update=True), import_id)
    removed, stayed = _remove_added(session, import_id)
    restored, changed_since = _restore_changed(session, batch, now)
    batch.rolled_back_at = now
    session.add(batch)
    session.flush()
    session.expire_all()
    return RollbackReport(
        import_id=import_id, removed=removed, restored=restored, kept=stayed + changed_since
    )


def _require_open(batch: ImportBatch | None, import_id: int) -> ImportBatch:
    if batch is None:
        raise RollbackError(f"There is no import {import_id}. To list imports: mailer subscribers imports")
    if batch.rolled_back_at is not None:
        raise RollbackError(
            f"Import {import_id} has already been rolled back. Nothing was changed.", is_done=True
        )
    return batch


def _has_lived(import_id: int) -> ColumnElement[bool]:
    """Return the condition that something else than the import was recorded of a subscriber."""
    return exists().where(
        col(ConsentRecord.subscriber_id) == Subscriber.id,
        func.coalesce(col(ConsentRecord.import_id), 0) != import_id,
    )


def _count_subscribers(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.exec(select(func.count()).select_from(Subscriber).where(*conditions)).one()


def _count_changes(session: Session, import_id: int) -> int:
    return session.exec(
        select(func.count()).select_from(ImportChange).where(col(ImportChange.import_id) == import_id)
    ).one()


def _remove_added(session: Session, import_id: int) -> tuple[int, int]:
    """Return how many were removed, and how many stay."""
    came = _count_subscribers(session, was_added_by(import_id))
    gone = session.connection().execute(
        delete(Subscriber)
        .where(was_added_by(import_id), ~_has_lived(import_id))
        .execution_options(synchronize_session=False)
    )
    return gone.rowcount, came - gone.rowcount


def _restore_changed(session: Session, batch: ImportBatch, now: datetime) -> tuple[int, int]:
    """Return how many were restored, and how many were not, because something has happened since."""
    changes = _count_changes(session, batch.id or 0)
    restored, last = 0, 0
    while some := session.execute(
        _make_restorable(batch.id or 0).where(col(ImportChange.subscriber_id) > last).limit(_CHUNK)
    ).all():
        for number, before in some:
            _restore(session, number, json.loads(before), now)
        session.execute(
            insert(ConsentRecord), [_make_record(number, before, batch, now) for number, before in some]
        )
        restored, last = restored + len(some), some[-1][0]
    return restored, changes - restored


def _make_restorable(import_id: int) -> Select[int, str]:
    """Select the subscribers about whom nothing was recorded after the import."""
    later, number = aliased(ConsentRecord), col(ImportChange.subscriber_id)
    theirs = and_(col(ConsentRecord.subscriber_id) == number, col(ConsentRecord.import_id) == import_id)
    lived = exists().where(col(later.subscriber_id) == number, col(later.id) > ConsentRecord.id)
    return (
        select(ImportChange.subscriber_id, ImportChange.before)
        .join(ConsentRecord, theirs)
        .join(Subscriber, col(Subscriber.id) == number)
        .where(
            col(ImportChange.import_id) == import_id,
            col(Subscriber.status) != Status.erased,
            ~lived,
        )
        .order_by(number)
    )


def _restore(session: Session, number: int, before: dict[str, Any], now: datetime) -> None:
    details = {name: before[name] for name in DETAILS if name in before}
    session.execute(update(Subscriber).where(col(Subscriber.id) == number).values(**details, updated_at=now))
    if "sectors" in before:
        replace_values(session, SubscriberSector, number, before["sectors"])
    if "tags" in before:
        replace_values(session, SubscriberTag, number, before["tags"])


def _make_record(number: int, before: str, batch: ImportBatch, now: datetime) -> dict[str, Any]:
    return consent_record_values(
        number,
        ConsentEvent.updated,
        method="rollback",
        now=now,
        source=batch.source,
        evidence=f"import {batch.id} taken back; changed: {', '.join(sorted(json.loads(before)))}",
    )
