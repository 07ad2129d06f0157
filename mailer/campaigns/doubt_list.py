"""The deliveries of a campaign that are in doubt, page by page, and what has settled the others.

They are found by an index of what was ever in doubt, so a campaign of a million is as quick as a small one.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, select, text
from sqlmodel import col

from mailer.campaigns.doubt_evidence import (
    DoubtCause,
    DoubtSettlement,
    find_doubt_cause,
    find_doubt_settlement,
)
from mailer.campaigns.report.doubts import make_message_id
from mailer.campaigns.report.reasons import mask_words
from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.liveness import Presence
from mailer.workspace import Workspace
from subscribers.models import Subscriber

_MAX_REASONS = 20


@dataclass(frozen=True, kw_only=True)
class ListedDoubt:
    """A delivery in doubt: to whom, why, since when, and how its message is found in a server's log."""

    delivery_id: int
    subscriber_id: int
    email: str
    name: str
    cause: DoubtCause
    code: int | None
    reason: str
    attempts: int
    since: datetime
    message_id: str


@dataclass(frozen=True, kw_only=True)
class DoubtGroup:
    """Deliveries in doubt from the same cause; ``reasons`` are the ledger's words, the most frequent
    first."""

    cause: DoubtCause
    number: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SettledGroup:
    """Deliveries that were in doubt and are settled: what they are now, and what has settled them."""

    state: DeliveryState
    settled_by: DoubtSettlement
    number: int
    reasons: tuple[str, ...]


def find_dead_dispatchers(workspace: Workspace, engine: Engine, campaign_id: int) -> set[str]:
    """The dispatchers that died while they held deliveries of a campaign. Nothing is written."""
    return Presence(engine, workspace.root, campaign_id).find_dead()


def list_doubts(
    connection: Connection,
    workspace: Workspace,
    campaign_id: int,
    dead: Collection[str] = (),
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[ListedDoubt]:
    """The deliveries in doubt that no dispatcher holds, or one in ``dead``, in the order of their numbers,
    from the first ``after`` a number."""
    rows: list[Any] = []
    for condition in _list_conditions(campaign_id, dead):
        statement = (
            select(*_COLUMNS)
            .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
            .where(*condition, col(Delivery.id) > after)
            .order_by(col(Delivery.id))
        )
        rows += connection.execute(statement if limit is None else statement.limit(limit)).all()
    rows.sort(key=lambda row: row.id)
    return [
        ListedDoubt(
            delivery_id=row.id,
            subscriber_id=row.subscriber_id,
            email=row.email,
            name=row.name,
            cause=find_doubt_cause(row.code, row.reason),
            code=row.code,
            reason=row.reason,
            attempts=row.attempts,
            since=row.updated_at,
            message_id=make_message_id(campaign_id, row.subscriber_id, workspace),
        )
        for row in rows[:limit]
    ]


def group_doubts(connection: Connection, campaign_id: int, dead: Collection[str] = ()) -> list[DoubtGroup]:
    """Those in doubt by how they came to be, the most frequent first."""
    code, reason = col(Delivery.code), col(Delivery.reason)
    found: defaultdict[DoubtCause, Counter[str]] = defaultdict(Counter)
    for condition in _list_conditions(campaign_id, dead):
        statement = select(code, reason, func.count()).where(*condition).group_by(code, reason)
        for number, words, count in connection.execute(statement):
            found[find_doubt_cause(number, words)][_tell(number, words)] += count
    groups = [
        DoubtGroup(cause=cause, number=counts.total(), reasons=_list_reasons(counts))
        for cause, counts in found.items()
    ]
    return sorted(groups, key=lambda group: (-group.number, group.cause))


def group_settled(connection: Connection, campaign_id: int) -> list[SettledGroup]:
    """Those that were in doubt by what has settled them, the most frequent first."""
    state, code, reason = col(Delivery.state), col(Delivery.code), col(Delivery.reason)
    statement = (
        select(state, code, reason, func.count())
        .where(col(Delivery.campaign_id) == campaign_id, _WAS_DOUBTED, state != DeliveryState.in_doubt)
        .group_by(state, code, reason)
    )
    found: defaultdict[tuple[DeliveryState, DoubtSettlement], Counter[str]] = defaultdict(Counter)
    for outcome, number, words, count in connection.execute(statement):
        found[outcome, find_doubt_settlement(outcome, number, words)][_tell(number, words)] += count
    groups = [
        SettledGroup(
            state=outcome, settled_by=settled_by, number=counts.total(), reasons=_list_reasons(counts)
        )
        for (outcome, settled_by), counts in found.items()
    ]
    return sorted(groups, key=lambda group: (-group.number, group.state, group.settled_by))


def _tell(code: int | None, reason: str) -> str:
    """The ledger's words without what differs from reader to reader."""
    return " ".join(part for part in (str(code or ""), mask_words(reason)) if part)


def _list_reasons(counts: Counter[str]) -> tuple[str, ...]:
    return tuple(words for words, _ in counts.most_common(_MAX_REASONS) if words)


def _list_conditions(campaign_id: int, dead: Collection[str]) -> Sequence[tuple[ColumnElement[bool], ...]]:
    """The conditions of those that nobody holds and, each by its own index, of those that somebody dead
    holds."""
    ours = col(Delivery.campaign_id) == campaign_id
    in_doubt = col(Delivery.state) == DeliveryState.in_doubt
    owner = col(Delivery.owner)
    free = (ours, _WAS_DOUBTED, in_doubt, owner.is_(None))
    return (free, (ours, in_doubt, owner.is_not(None), owner.in_(dead))) if dead else (free,)


# As in the partial index: SQLite does not use it for a bound value.
_WAS_DOUBTED: Any = text("delivery.doubted")
_COLUMNS = (
    *(col(Delivery.id), col(Delivery.subscriber_id), col(Subscriber.email), col(Subscriber.name)),
    *(col(Delivery.code), col(Delivery.reason), col(Delivery.attempts), col(Delivery.updated_at)),
)
