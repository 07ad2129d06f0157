"""Suppress the addresses that a file marks as unsubscribed, bounced or complained, and their subscribers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from subscribers.consent.status_changes import suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import ConsentEvent, Subscriber, Suppression

_CHUNK = 500


class SuppressedRow(NamedTuple):
    """A normalised address, and why it must not get mail: unsubscribed, bounced, complained or suppressed."""

    email: str
    reason: ConsentEvent


def suppress_rows(
    session: Session, rows: Sequence[SuppressedRow], *, key: SuppressionKey, now: datetime, source: str
) -> None:
    """Suppress each address and update its subscriber, if it has one.

    People who unsubscribed elsewhere may come back themselves, as if they had unsubscribed here. The caller
    commits.
    """
    for start in range(0, len(rows), _CHUNK):
        some = {row.email: row for row in rows[start : start + _CHUNK]}
        for subscriber in session.exec(
            select(Subscriber).where(col(Subscriber.email).in_(some)),
            execution_options={"populate_existing": True},
        ).all():
            _suppress_subscriber(
                session, subscriber, some[subscriber.email].reason, key=key, now=now, source=source
            )
        _add_suppressions(session, some.values(), key=key, now=now)


def _suppress_subscriber(
    session: Session,
    subscriber: Subscriber,
    reason: ConsentEvent,
    *,
    key: SuppressionKey,
    now: datetime,
    source: str,
) -> None:
    if reason is ConsentEvent.unsubscribed:
        unsubscribe(session, subscriber.id or 0, method="import", now=now, source=source)
    else:
        suppress(session, subscriber.email, key=key, reason=reason, method="import", now=now, source=source)


def _add_suppressions(
    session: Session, rows: Iterable[SuppressedRow], *, key: SuppressionKey, now: datetime
) -> None:
    """Add all suppressions with one statement; an existing reason is kept."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    into = (sqlite.insert if is_sqlite else postgresql.insert)(Suppression)
    session.execute(
        into.on_conflict_do_nothing(index_elements=["digest"]),
        [{"digest": key.digest(row.email), "reason": row.reason, "at": now} for row in rows],
    )
