"""The desk between the lines and the ledger: deliveries claimed ahead go out, outcomes come in, and all that
happens in one moment is one commit.

A commit that waits for the disk costs more than a message. All lines that became ready together share one: it
carries the ends of their last messages and the marks of their next. No body leaves before it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from mailer.database.models import DeliveryState
from mailer.dispatch.deliveries.batch_writer import Entry
from mailer.dispatch.deliveries.claims import Claim
from mailer.dispatch.deliveries.ledger import Ledger, LedgerUnreachableError
from mailer.dispatch.rate.scheduler import Sifted
from mailer.smtp.reply_classifier import Outcome

_LEAST_AHEAD = 10
_MOST_AHEAD = 500
_AHEAD_SECONDS = 0.5
"""A claim should last about so long: little to rescue after a crash, and the last messages of a campaign
spread over all machines."""


class Ended(NamedTuple):
    """A delivery whose end is on record."""

    claim: Claim
    outcome: Outcome


class Desk:
    """The deliveries of one run. ``sift`` says when what was claimed may go; ``conclude`` is told of ends,
    once they are on record; ``fail`` of a ledger that cannot be written; ``wake`` when there is more to take.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        sift: Callable[[Sequence[Claim]], Sifted],
        conclude: Callable[[Ended], None],
        fail: Callable[[Exception], None],
        wake: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._sift = sift
        self._conclude = conclude
        self._fail = fail
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._ahead: deque[Claim] = deque()
        self._soon: dict[int, tuple[Claim, asyncio.TimerHandle]] = {}
        self._limit = _LEAST_AHEAD
        self._claimed_at = float("-inf")
        self._ends: list[Ended] = []
        self._begins: list[tuple[Claim, Callable[[bool], None]]] = []
        self._returns: list[Entry] = []
        self._is_armed = False
        self._has_failed = False

    def __len__(self) -> int:
        """How many claimed deliveries wait for a line."""
        return len(self._ahead)

    @property
    def is_clear(self) -> bool:
        """Whether nothing is claimed and not taken, and nothing is still to be put on record."""
        return not (self._ahead or self._soon or self._ends or self._begins or self._returns)

    def claim_ahead(self) -> bool:
        """Claim the next deliveries where none are left; whether there are some now."""
        if not self._ahead and not self._has_failed:
            now = time.monotonic()
            quick = now - self._claimed_at < _AHEAD_SECONDS
            self._limit = min(2 * self._limit, _MOST_AHEAD) if quick else max(self._limit // 2, _LEAST_AHEAD)
            self._claimed_at = now
            # What is known belongs on record before the database is asked for more.
            self._commit()
            try:
                self._receive(self._ledger.claim(self._limit))
            except (SQLAlchemyError, LedgerUnreachableError) as error:
                self._break(error)
        return bool(self._ahead)

    def _receive(self, claims: Sequence[Claim]) -> None:
        sifted = self._sift(claims)
        self._ahead.extend(sifted.now)
        for claim, seconds in sifted.soon:
            handle = self._loop.call_later(seconds, self._come_due, claim)
            self._soon[claim.delivery_id] = (claim, handle)
        for reason, put_off in sifted.later.items():
            self._ledger.put_off(put_off, reason)

    def _come_due(self, claim: Claim) -> None:
        del self._soon[claim.delivery_id]
        self._ahead.append(claim)
        self._wake()

    def peek(self, place: int) -> Claim | None:
        """The delivery at ``place`` in the queue, without taking it; None when the queue is shorter."""
        return self._ahead[place] if place < len(self._ahead) else None

    def take(self) -> Claim | None:
        """The next delivery; None when there is none now."""
        return self._ahead.popleft() if self._ahead or self.claim_ahead() else None

    def begin(self, claim: Claim, go: Callable[[bool], None]) -> None:
        """Mark the delivery as in doubt with the next commit; ``go`` is then told whether it may begin."""
        self._begins.append((claim, go))
        self._arm()

    def settle(self, claim: Claim, outcome: Outcome) -> None:
        """Put its end on record with the next commit."""
        self._ends.append(Ended(claim, outcome))
        self._arm()

    def clear(self) -> None:
        """Put everything on record, and what waits back in the queue."""
        for claim, handle in self._soon.values():
            handle.cancel()
            self._ahead.append(claim)
        self._returns += [Entry(claim.delivery_id, DeliveryState.queued) for claim in self._ahead]
        self._ahead.clear()
        self._soon.clear()
        while not self._has_failed and (self._ends or self._begins or self._returns):
            self._commit()

    def _arm(self) -> None:
        if not self._is_armed:
            self._is_armed = True
            self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        self._is_armed = False
        ends, begins, returns = self._ends, self._begins, self._returns
        if self._has_failed or not (ends or begins or returns):
            return
        self._ends, self._begins, self._returns = [], [], []
        numbers = [claim.delivery_id for claim, _ in begins]
        try:
            written = self._ledger.record(self._ledger.make_group(ends, begins=numbers, returns=returns))
        except LedgerUnreachableError as error:
            self._break(error)
            return
        for claim, go in begins:
            may_send = claim.delivery_id in written.begun
            if not may_send:
                # Paused, or the reader has left: the next claim looks at both again.
                self._returns.append(Entry(claim.delivery_id, DeliveryState.queued))
                self._arm()
            go(may_send)
        for end in ends:
            if end.claim.delivery_id not in written.lost:
                self._conclude(end)

    def _break(self, error: Exception) -> None:
        """Nothing more is written: whatever is not on record stays as the ledger last had it."""
        self._has_failed = True
        self._fail(error)
