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
from mailer.dispatch.deliveries.batch_writer import Transition
from mailer.dispatch.deliveries.claims import Claim
from mailer.dispatch.deliveries.ledger import Ledger, LedgerUnreachableError
from mailer.dispatch.rate.scheduler import Schedule
from mailer.smtp.reply_classifier import Outcome

_MIN_CLAIM = 10
_MAX_CLAIM = 500
_CLAIM_SECONDS = 0.5
"""A claim should last about so long: little to rescue after a crash, and the last messages of a campaign
spread over all machines."""


class RecordedDelivery(NamedTuple):
    """A delivery whose end is on record."""

    claim: Claim
    outcome: Outcome


class DeliveryQueue:
    """The deliveries of one run. ``sift`` says when what was claimed may go; ``conclude`` is told of ends,
    once they are on record; ``fail`` of a ledger that cannot be written; ``wake`` when there is more to take.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        schedule: Callable[[Sequence[Claim]], Schedule],
        on_recorded: Callable[[RecordedDelivery], None],
        on_failure: Callable[[Exception], None],
        on_ready: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._schedule = schedule
        self._on_recorded = on_recorded
        self._on_failure = on_failure
        self._on_ready = on_ready
        self._loop = asyncio.get_running_loop()
        self._ready: deque[Claim] = deque()
        self._waiting: dict[int, tuple[Claim, asyncio.TimerHandle]] = {}
        self._limit = _MIN_CLAIM
        self._claimed_at = float("-inf")
        self._ended: list[RecordedDelivery] = []
        self._starting: list[tuple[Claim, Callable[[bool], None]]] = []
        self._returned: list[Transition] = []
        self._is_commit_scheduled = False
        self._has_failed = False

    def __len__(self) -> int:
        """How many claimed deliveries wait for a line."""
        return len(self._ready)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is claimed and not taken, and nothing is still to be put on record."""
        return not (self._ready or self._waiting or self._ended or self._starting or self._returned)

    def refill(self) -> bool:
        """Claim the next deliveries where none are left; whether there are some now."""
        if not self._ready and not self._has_failed:
            now = time.monotonic()
            quick = now - self._claimed_at < _CLAIM_SECONDS
            self._limit = min(2 * self._limit, _MAX_CLAIM) if quick else max(self._limit // 2, _MIN_CLAIM)
            self._claimed_at = now
            # What is known belongs on record before the database is asked for more.
            self._commit()
            try:
                self._add_claims(self._ledger.claim(self._limit))
            except (SQLAlchemyError, LedgerUnreachableError) as error:
                self._stop_writing(error)
        return bool(self._ready)

    def _add_claims(self, claims: Sequence[Claim]) -> None:
        sifted = self._schedule(claims)
        self._ready.extend(sifted.now)
        for claim, seconds in sifted.soon:
            handle = self._loop.call_later(seconds, self._make_ready, claim)
            self._waiting[claim.delivery_id] = (claim, handle)
        for reason, put_off in sifted.later.items():
            self._ledger.postpone(put_off, reason)

    def _make_ready(self, claim: Claim) -> None:
        del self._waiting[claim.delivery_id]
        self._ready.append(claim)
        self._on_ready()

    def peek(self, index: int) -> Claim | None:
        """The delivery at ``place`` in the queue, without taking it; None when the queue is shorter."""
        return self._ready[index] if index < len(self._ready) else None

    def pop(self) -> Claim | None:
        """The next delivery; None when there is none now."""
        return self._ready.popleft() if self._ready or self.refill() else None

    def request_send(self, claim: Claim, proceed: Callable[[bool], None]) -> None:
        """Mark the delivery as in doubt with the next commit; ``go`` is then told whether it may begin."""
        self._starting.append((claim, proceed))
        self._schedule_commit()

    def report(self, claim: Claim, outcome: Outcome) -> None:
        """Put its end on record with the next commit."""
        self._ended.append(RecordedDelivery(claim, outcome))
        self._schedule_commit()

    def flush(self) -> None:
        """Put everything on record, and what waits back in the queue."""
        for claim, handle in self._waiting.values():
            handle.cancel()
            self._ready.append(claim)
        self._returned += [Transition(claim.delivery_id, DeliveryState.queued) for claim in self._ready]
        self._ready.clear()
        self._waiting.clear()
        while not self._has_failed and (self._ended or self._starting or self._returned):
            self._commit()

    def _schedule_commit(self) -> None:
        if not self._is_commit_scheduled:
            self._is_commit_scheduled = True
            self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        self._is_commit_scheduled = False
        ends, begins, returns = self._ended, self._starting, self._returned
        if self._has_failed or not (ends or begins or returns):
            return
        self._ended, self._starting, self._returned = [], [], []
        numbers = [claim.delivery_id for claim, _ in begins]
        try:
            written = self._ledger.record(self._ledger.make_batch(ends, starting=numbers, returned=returns))
        except LedgerUnreachableError as error:
            self._stop_writing(error)
            return
        for claim, go in begins:
            may_send = claim.delivery_id in written.started
            if not may_send:
                # Paused, or the reader has left: the next claim looks at both again.
                self._returned.append(Transition(claim.delivery_id, DeliveryState.queued))
                self._schedule_commit()
            go(may_send)
        for end in ends:
            if end.claim.delivery_id not in written.lost:
                self._on_recorded(end)

    def _stop_writing(self, error: Exception) -> None:
        """Nothing more is written: whatever is not on record stays as the ledger last had it."""
        self._has_failed = True
        self._on_failure(error)
