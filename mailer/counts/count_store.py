"""Numbers that were counted, kept in the database for all machines and for the next start."""

import contextlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from mailer.database.count_models import KeptCount

_KEPT_FOR: Final = timedelta(days=30)
_COLUMNS = (
    *(col(KeptCount.key), col(KeptCount.body), col(KeptCount.counted_at), col(KeptCount.stamp)),
    col(KeptCount.cost),
)


@dataclass(frozen=True, kw_only=True)
class StoredCount:
    """A number as it was at ``counted_at``, on a list with this ``stamp``; counting took ``cost`` seconds."""

    value: Any
    counted_at: datetime
    stamp: str
    cost: float


def read_counts(connection: Connection, keys: Collection[str]) -> dict[str, StoredCount]:
    """Read what is kept, by key."""
    rows = connection.execute(select(*_COLUMNS).where(col(KeptCount.key).in_(list(keys)))) if keys else ()
    return {
        key: StoredCount(value=json.loads(body), counted_at=at, stamp=stamp, cost=cost)
        for key, body, at, stamp, cost in rows
    }


def store_count(engine: Engine, key: str, count: StoredCount) -> None:
    """Keep a number, and delete what nobody has asked for in a month."""
    values = {
        "body": json.dumps(count.value, ensure_ascii=False),
        "counted_at": count.counted_at,
        "stamp": count.stamp,
        "cost": count.cost,
    }
    # Another machine may have stored the same number at this moment.
    with contextlib.suppress(IntegrityError), engine.begin() as connection:
        past = count.counted_at - _KEPT_FOR
        connection.execute(delete(KeptCount).where(col(KeptCount.counted_at) < past))
        changed = connection.execute(update(KeptCount).where(col(KeptCount.key) == key).values(values))
        if changed.rowcount == 0:
            connection.execute(insert(KeptCount).values(key=key, **values))
