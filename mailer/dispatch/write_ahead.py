"""Write-ahead: a delivery is on disk as in doubt before the first byte of its message leaves.

The way of a delivery from *claimed* to *in doubt* to the first byte:

1. :meth:`mailer.dispatch.delivery_queue.DeliveryQueue.refill` claims it, and a connection takes it. The
   envelope (MAIL, RCPT, DATA) goes out ahead of the replies, the message does not.
2. The server answers DATA with 354, and the connection asks :meth:`WriteAhead.begin`. A connection asks for
   one message at a time, and waits.
3. :meth:`WriteAhead.commit` runs once for everything that happened in one turn of the event loop. One
   transaction marks the deliveries that begin as in doubt, but for those whose campaign does not send any
   more, whose reader has left, or which are not ours any more: this is the last moment at which leaving is
   heeded. It carries how other deliveries ended, too: waiting for the disk costs more than a message.
4. ``send_message(True)``: the connection writes the message and its final dot. After ``send_message(False)``,
   or without a call, it writes nothing of it.
5. The server answers the dot, and :meth:`WriteAhead.end` has that recorded with the next commit. If we crash
   before, the delivery stays in doubt.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from mailer.database.models import DeliveryState
from mailer.dispatch.batch_writer import Transition
from mailer.dispatch.circuit_breaker import CircuitBreaker
from mailer.dispatch.deliveries import Claim, RunningCounts
from mailer.dispatch.event_log import EventLog, mask_reader
from mailer.dispatch.ledger import Ledger, LedgerUnreachableError
from mailer.smtp.reply_classifier import Outcome, Verdict

_COUNTED_STATES = {
    Verdict.sent: DeliveryState.sent,
    Verdict.rejected: DeliveryState.rejected,
    Verdict.failed: DeliveryState.failed,
    Verdict.in_doubt: DeliveryState.in_doubt,
    Verdict.deferred: DeliveryState.deferred,
}


class WriteAhead:
    """The log of what begins and ends in one run, on disk before anything is sent. For the thread of its
    event loop.

    ``find_stories`` encodes the stories of a claim's message for the ledger; None if they are the same for
    all. ``on_stop`` is called when this run paused the campaign or the ledger cannot be written
    (``failure``), ``on_refused`` when the ledger did not take something as ours, which may mean that we were
    taken for dead.
    """

    def __init__(
        self,
        ledger: Ledger,
        breaker: CircuitBreaker,
        counts: RunningCounts,
        event_log: EventLog,
        find_stories: Callable[[Claim], str] | None = None,
    ) -> None:
        self._ledger = ledger
        self._breaker = breaker
        self._counts = counts
        self._event_log = event_log
        self._find_stories = find_stories
        self._loop = asyncio.get_running_loop()
        self._starting: list[_Start] = []
        self._ended: list[tuple[Claim, Outcome]] = []
        self._returned: list[Transition] = []
        self._taken_back: list[int] = []
        # Where other dispatchers took us for dead, we may have claimed again what we are still sending.
        self._in_flight: dict[int, Claim] = {}
        self._is_commit_scheduled = False
        self.on_stop: Callable[[], None] = lambda: None
        self.on_refused: Callable[[], None] = lambda: None
        self.failure: Exception | None = None
        """Why nothing more can be recorded, if so. What is not on record stays as the ledger last had it."""

    @property
    def is_empty(self) -> bool:
        return not (self._ended or self._starting or self._returned or self._taken_back)

    def begin(self, claim: Claim, send_message: Callable[[bool], None]) -> None:
        """Mark the delivery as in doubt with the next commit, which tells ``send_message`` whether it may."""
        if (started := self._in_flight.get(claim.delivery_id)) is not None:
            self._return_second_claim(claim, started)
            self._loop.call_soon(send_message, False)
        else:
            self._in_flight[claim.delivery_id] = claim
            self._starting.append(_Start(claim, send_message))
        self._schedule_commit()

    def end(self, claim: Claim, outcome: Outcome) -> None:
        """Record how the delivery ended with the next commit."""
        started = self._in_flight.get(claim.delivery_id)
        if started is not None and started is not claim:
            # Of this claim nothing was sent.
            self._return_second_claim(claim, started)
        else:
            self._in_flight.pop(claim.delivery_id, None)
            self._ended.append((claim, outcome))
        self._schedule_commit()

    def take_back(self, delivery_ids: Sequence[int]) -> None:
        """Requeue deliveries that were ended as refused, once that is recorded: it was not their fault."""
        self._taken_back += delivery_ids
        self._schedule_commit()

    def commit(self) -> None:
        """Record what has begun and ended since the last commit, then let go what is on disk as in doubt."""
        self._is_commit_scheduled = False
        ended, starting, returned = self._ended, self._starting, self._returned
        if self.failure is not None or self.is_empty:
            return
        self._ended, self._starting, self._returned = [], [], []
        numbers = [start.claim.delivery_id for start in starting]
        stories = self._list_stories(starting)
        try:
            batch = self._ledger.make_batch(ended, starting=numbers, stories=stories, returned=returned)
            result = self._ledger.record(batch)
        except LedgerUnreachableError as error:
            self.fail(error)
            return
        if result.lost or result.late or len(result.started) < len(starting):
            self._report_refusal()
        for claim, send_message in starting:
            may_send = claim.delivery_id in result.started
            if not may_send:
                # Paused, or the subscriber has left: the next claim checks both again.
                del self._in_flight[claim.delivery_id]
                self._returned.append(Transition(claim.delivery_id, DeliveryState.queued))
                self._schedule_commit()
            send_message(may_send)
        for claim, outcome in ended:
            if claim.delivery_id in result.late:
                # The reader may have been erased: the ledger knows, and has the server's words if not.
                self._on_recorded(claim, outcome._replace(text=""))
            elif claim.delivery_id not in result.lost:
                self._on_recorded(claim, outcome)
        if self._taken_back:
            numbers, self._taken_back = self._taken_back, []
            self._ledger.requeue_refused(numbers)

    def flush(self, unsent: Sequence[Claim]) -> None:
        """Record everything, and put ``unsent`` back in the queue of the ledger."""
        self._returned += [Transition(claim.delivery_id, DeliveryState.queued) for claim in unsent]
        while self.failure is None and not self.is_empty:
            self.commit()

    def pause_campaign(self, reason: str) -> None:
        """Pause the campaign for a reason that a person has to deal with, and stop."""
        self._ledger.pause(reason)
        self._stop(reason)

    def fail(self, error: Exception) -> None:
        """Record nothing more."""
        self.failure = error
        self.on_stop()

    def _schedule_commit(self) -> None:
        if not self._is_commit_scheduled:
            self._is_commit_scheduled = True
            self._loop.call_soon(self.commit)

    def _return_second_claim(self, claim: Claim, started: Claim) -> None:
        """Give back what we claimed again while sending it, so that the reply finds it in the queue."""
        # With the same number it was claimed before the other started, which made it the same claim.
        if claim.attempts != started.attempts:
            back = Transition(claim.delivery_id, DeliveryState.queued, attempt=claim.attempts)
            self._returned.append(back)

    def _list_stories(self, starting: "Sequence[_Start]") -> dict[int, str]:
        find = self._find_stories
        return {} if find is None else {start.claim.delivery_id: find(start.claim) for start in starting}

    def _report_refusal(self) -> None:
        try:
            self.on_refused()
        except SQLAlchemyError as error:
            self.fail(error)

    def _on_recorded(self, claim: Claim, outcome: Outcome) -> None:
        if (state := _COUNTED_STATES.get(outcome.verdict)) is not None:
            self._counts.add(state)
        if outcome.verdict is not Verdict.sent:
            self._event_log.delivery_not_sent(claim, outcome)
        recorded = self._breaker.record(
            claim.delivery_id, outcome, attempts=claim.attempts, domain=claim.domain
        )
        if suspects := recorded:
            reason = mask_reader(self._breaker.reason, claim)
            self._ledger.pause_and_requeue(suspects, reason)
            self._stop(reason)

    def _stop(self, reason: str) -> None:
        self._event_log.campaign_paused(self._ledger.campaign_id, reason)
        self.on_stop()


class _Start(NamedTuple):
    """A delivery that waits for leave to be sent."""

    claim: Claim
    send_message: Callable[[bool], None]
