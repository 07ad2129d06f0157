"""Counts a campaign's deliveries again and again, reading only the parts of the ledger that may have changed.

To count a million rows takes half a second, which nobody can do once a second beside a campaign. A campaign's
deliveries were inserted by one statement and are sent in the order of their ids, so the ledger is counted in
blocks of ids: those whose rows are all settled, or all queued, are left alone most of the time.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select, text
from sqlmodel import col

from mailer.campaigns.report.reasons import ReasonGroup, make_reason_group, mask_words
from mailer.database.models import Delivery, DeliveryState
from mailer.dispatch.deliveries import Counts

_BLOCK = 10_000
_TOLD_STATES = frozenset(
    {
        *(DeliveryState.rejected, DeliveryState.failed, DeliveryState.deferred),
        *(DeliveryState.suppressed, DeliveryState.in_doubt),
    }
)
_MAX_GROUPS = 50
_MAX_LENGTH = 500


@dataclass(frozen=True, slots=True)
class _Kind:
    """Properties that many deliveries share. ``is_held`` says that a dispatcher has them in hand."""

    state: DeliveryState
    is_held: bool
    code: int | None
    words: str


@dataclass(kw_only=True)
class _IdBlock:
    """The deliveries of a range of ids, as they were counted last; ``serial`` says when."""

    first: int
    last: int
    found: Counter[_Kind] = field(default_factory=Counter)
    serial: int = 0

    @property
    def is_untouched(self) -> bool:
        return all(kind.state is DeliveryState.queued for kind in self.found)

    @property
    def is_moving(self) -> bool:
        states = {kind.state for kind in self.found}
        return any(kind.is_held for kind in self.found) or (
            DeliveryState.queued in states and len(states) > 1
        )


@dataclass(frozen=True, kw_only=True)
class LedgerCount:
    """The deliveries of a campaign by state. ``on_way`` of those in doubt are being sent at this moment."""

    counts: Counts
    on_way: int
    groups: tuple[ReasonGroup, ...]


class LedgerCounter:
    def __init__(self, campaign_id: int) -> None:
        self._campaign_id = campaign_id
        self._blocks: list[_IdBlock] | None = None
        self._serial = 0

    def count_all(self, connection: Connection) -> LedgerCount:
        self._serial += 1
        for block in self._list_blocks(connection):
            self._count_block(connection, block)
        return self._add_up()

    def count_changes(self, connection: Connection, *, seconds: float) -> LedgerCount:
        """Count those again that have probably changed, and then as many others as ``seconds`` allow, the
        longest uncounted first."""
        blocks = self._list_blocks(connection)
        if not self._serial:
            return self.count_all(connection)
        self._serial += 1
        until = time.monotonic() + seconds
        queue = sorted(blocks, key=lambda block: (not block.is_moving, block.serial))
        while queue and time.monotonic() < until:
            block = queue.pop(0)
            if block.serial == self._serial:
                continue
            was_untouched = block.is_untouched
            self._count_block(connection, block)
            # The campaign has come to this block: it may have come further.
            if (was_untouched and not block.is_untouched) or block.is_moving:
                following = next((one for one in blocks if one.is_untouched), None)
                if following is not None:
                    queue.insert(0, following)
        return self._add_up()

    def _list_blocks(self, connection: Connection) -> list[_IdBlock]:
        if not self._blocks:
            numbers = select(func.min(col(Delivery.id)), func.max(col(Delivery.id)))
            first, last = connection.execute(
                numbers.where(col(Delivery.campaign_id) == self._campaign_id)
            ).one()
            self._blocks = [] if first is None or last is None else _divide(first, last)
            self._serial = 0
        return self._blocks

    def _count_block(self, connection: Connection, block: _IdBlock) -> None:
        # Nobody reads why a message was sent, and each would be a group of its own: ten thousand rows that
        # Python would read once a second, while every page of this process waits.
        is_told = col(Delivery.state).in_(sorted(_TOLD_STATES))
        deliveries = (
            select(
                col(Delivery.state).label("state"),
                col(Delivery.owner).is_not(None).label("is_held"),
                case((is_told, col(Delivery.code))).label("code"),
                case((is_told, col(Delivery.reason)), else_="").label("reason"),
            )
            # With the sign, the campaign's index is not used, which has all of its rows.
            .where(
                text("+delivery.campaign_id = :campaign").bindparams(campaign=self._campaign_id),
                col(Delivery.id).between(block.first, block.last),
            )
            .subquery()
        )
        counted = select(*deliveries.c, func.count().label("number")).group_by(*deliveries.c)
        found: Counter[_Kind] = Counter()
        for row in connection.execute(counted):
            words = mask_words(row.reason)[:_MAX_LENGTH]
            found[_Kind(row.state, bool(row.is_held), row.code, words)] += row.number
        block.found, block.serial = found, self._serial

    def _add_up(self) -> LedgerCount:
        total: Counter[_Kind] = Counter()
        for block in self._blocks or ():
            total.update(block.found)
        states: Counter[DeliveryState] = Counter()
        groups: Counter[tuple[DeliveryState, int | None, str]] = Counter()
        on_way = 0
        for kind, number in total.items():
            states[kind.state] += number
            if kind.state is DeliveryState.in_doubt and kind.is_held:
                on_way += number
            elif kind.state in _TOLD_STATES:
                groups[kind.state, kind.code, kind.words] += number
        claimed = states.pop(DeliveryState.claimed, 0)
        states[DeliveryState.queued] += claimed
        return LedgerCount(
            counts=Counts(audience=states.total(), **{state.value: n for state, n in states.items()}),
            on_way=on_way,
            groups=tuple(
                make_reason_group(state, code, words, number)
                for (state, code, words), number in groups.most_common(_MAX_GROUPS)
            ),
        )


def _divide(first: int, last: int) -> list[_IdBlock]:
    starts = range(first, last + 1, _BLOCK)
    return [_IdBlock(first=start, last=min(start + _BLOCK - 1, last)) for start in starts]
