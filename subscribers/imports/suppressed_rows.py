"""Addresses that a file says must get no mail: they become suppressions, and their subscribers leave."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from subscribers.consent.status_changes import suppress, unsubscribe
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import Event, Subscriber, Suppression

_SOME = 500


class Leaver(NamedTuple):
    """A normalised address, and why it must get no mail: unsubscribed, bounced, complained or suppressed."""

    email: str
    reason: Event


def let_leave(
    session: Session, leavers: Sequence[Leaver], *, key: SuppressionKey, now: datetime, source: str
) -> int:
    """Remember each address by its keyed hash and let its subscriber go, if it has one; how many there were.

    Whoever left elsewhere may come back by their own hand, like somebody who left here. The caller commits.
    """
    for start in range(0, len(leavers), _SOME):
        some = {leaver.email: leaver for leaver in leavers[start : start + _SOME]}
        for subscriber in session.exec(
            select(Subscriber).where(col(Subscriber.email).in_(some)),
            execution_options={"populate_existing": True},
        ).all():
            _let_go(session, subscriber, some[subscriber.email].reason, key=key, now=now, source=source)
        _remember(session, some.values(), key=key, now=now)
    return len(leavers)


def _let_go(
    session: Session,
    subscriber: Subscriber,
    reason: Event,
    *,
    key: SuppressionKey,
    now: datetime,
    source: str,
) -> None:
    if reason is Event.unsubscribed:
        unsubscribe(session, subscriber.id or 0, method="import", now=now, source=source)
    else:
        suppress(session, subscriber.email, key=key, reason=reason, method="import", now=now, source=source)


def _remember(session: Session, leavers: Iterable[Leaver], *, key: SuppressionKey, now: datetime) -> None:
    """Put them all on the list of suppressions with one statement; the first reason of each stays."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    into = (sqlite.insert if is_sqlite else postgresql.insert)(Suppression)
    session.execute(
        into.on_conflict_do_nothing(index_elements=["digest"]),
        [{"digest": key.digest(leaver.email), "reason": leaver.reason, "at": now} for leaver in leavers],
    )
