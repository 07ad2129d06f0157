"""The deliveries of one run: claimed ahead, given out as messages, and recorded in the ledger.

Everything that happens in one turn of the event loop is one commit. A commit that waits for the disk costs
more than a message. All connections that became ready together share one: it carries how their last messages
ended and which deliveries start next. No message body is sent before it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from mailer.database.models import DeliveryState
from mailer.dispatch.batch_writer import Transition
from mailer.dispatch.deliveries import Claim, RunningCounts
from mailer.dispatch.event_log import EventLog, mask_reader
from mailer.dispatch.ledger import Ledger, LedgerUnreachableError
from mailer.dispatch.safeguards import CircuitBreaker
from mailer.dispatch.scheduler import SendScheduler
from mailer.errors import MailerError
from mailer.smtp.dkim import DkimSigner
from mailer.smtp.interfaces import SmtpError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_reply_text

_THREADS = 2
"""The relay and the dispatcher's own thread need their share of the machine too."""

_BATCH_SIZE = 16
"""Messages handed to a thread together. One by one, handing over takes a third as long as signing."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MessagePrefetcher:
    """Builds the messages of claims: ``build``, then ``signer`` if there is one.

    With a slow signer, ``build`` is called in two threads of the prefetcher's own as well as in the caller's.
    Otherwise there are no threads and :meth:`prefetch` does nothing: a message is built when it is requested.
    A message that fails does not affect the others. All methods are for one thread.
    """

    def __init__(
        self,
        build: Callable[[Claim], bytes],
        signer: DkimSigner | None,
        *,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._build = build
        self._signer = signer
        self._now = now
        self._pool: ThreadPoolExecutor | None = None
        if signer is not None and signer.is_slow:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="message-prefetch")
        self._pending: dict[int, tuple[Claim, Future[bytes]]] = {}
        self._next_batch: list[tuple[Claim, Future[bytes]]] = []

    @property
    def is_enabled(self) -> bool:
        """Whether :meth:`prefetch` does anything."""
        return self._pool is not None

    def prefetch(self, claim: Claim) -> None:
        """Start building the message of ``claim``, once, after those requested before.

        What was started for another claim of the same delivery is discarded: its subscriber may have changed.
        """
        started, _ = self._pending.get(claim.delivery_id, (None, None))
        if self._pool is None or started is claim:
            return
        self.discard(claim)
        message: Future[bytes] = Future()
        self._pending[claim.delivery_id] = (claim, message)
        self._next_batch.append((claim, message))
        if len(self._next_batch) >= _BATCH_SIZE:
            batch, self._next_batch = self._next_batch, []
            self._pool.submit(self._make_batch, batch)

    def get(self, claim: Claim) -> bytes:
        """Return the message of ``claim``; wait while it is being built, or build it if that has not started.

        Raises what ``build`` raised.
        """
        started, message = self._pending.pop(claim.delivery_id, (None, None))
        if message is None or message.cancel() or started is not claim:
            return self._make(claim)
        return message.result()

    def discard(self, claim: Claim) -> None:
        """Discard what was started for the delivery of ``claim``."""
        _, message = self._pending.pop(claim.delivery_id, (None, None))
        if message is not None:
            message.cancel()

    def close(self) -> None:
        """Cancel what has not started and wait for the rest.

        Messages requested later are built immediately.
        """
        for _, message in self._pending.values():
            message.cancel()
        self._pending.clear()
        self._next_batch.clear()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _make_batch(self, batch: Sequence[tuple[Claim, Future[bytes]]]) -> None:
        for claim, message in batch:
            if message.set_running_or_notify_cancel():
                try:
                    message.set_result(self._make(claim))
                except BaseException as error:  # whatever it is: the caller may be waiting for this one
                    message.set_exception(error)

    def _make(self, claim: Claim) -> bytes:
        message = self._build(claim)
        return message if self._signer is None else self._signer.sign(message, now=self._now())


_MIN_CLAIM = 10
_MAX_CLAIM = 500
_CLAIM_SECONDS = 0.5
"""A claim should last about this long: little to rescue after a crash, and the last messages of a campaign
are spread over all machines."""

_PREFETCH_COUNT = 64
"""Messages built ahead where signing takes long: 4 MB of the largest."""

_COUNTED_STATES = {
    Verdict.sent: DeliveryState.sent,
    Verdict.rejected: DeliveryState.rejected,
    Verdict.failed: DeliveryState.failed,
    Verdict.in_doubt: DeliveryState.in_doubt,
    Verdict.deferred: DeliveryState.deferred,
}


class DeliveryQueue:
    """The deliveries of one run, for the thread of its event loop.

    ``on_change`` is called when there is more to send, and when the queue has stopped: because the campaign
    was paused (``is_stopped``) or the ledger cannot be written (``failure``). ``on_refused`` is called when
    the ledger did not take something as ours, which may mean that we were taken for dead. ``find_stories``
    says which stories the message of a claim contains, encoded for the ledger; None if they are the same for
    all readers.
    """

    def __init__(
        self,
        ledger: Ledger,
        scheduler: SendScheduler,
        prefetcher: MessagePrefetcher,
        breaker: CircuitBreaker,
        counts: RunningCounts,
        event_log: EventLog,
        find_stories: Callable[[Claim], str] | None = None,
    ) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._prefetcher = prefetcher
        self._breaker = breaker
        self._counts = counts
        self._event_log = event_log
        self._find_stories = find_stories
        self._loop = asyncio.get_running_loop()
        # Not where a rate is set: a message built long ahead would carry the time it was built.
        self._prefetches = prefetcher.is_enabled and scheduler.is_unlimited
        self._ready: deque[Claim] = deque()
        self._waiting: dict[int, tuple[Claim, asyncio.TimerHandle]] = {}
        self._limit = _MIN_CLAIM
        self._claimed_at = float("-inf")
        self._ended: list[tuple[Claim, Outcome]] = []
        self._starting: list[_Start] = []
        # Where other dispatchers took us for dead, we may have claimed again what we are still sending.
        self._in_flight: dict[int, Claim] = {}
        self._returned: list[Transition] = []
        self._is_commit_scheduled = False
        self.on_change: Callable[[], None] = _ignore
        self.on_refused: Callable[[], None] = _ignore
        self.is_stopped = False
        """Whether the campaign was paused by this run."""
        self.failure: Exception | None = None
        """Why nothing more can be recorded, if so. What is not on record stays as the ledger last had it."""

    def __len__(self) -> int:
        """How many deliveries are ready to be sent."""
        return len(self._ready)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is claimed and not given out, and nothing is still to be recorded."""
        return not (self._ready or self._waiting or self._ended or self._starting or self._returned)

    # --- out: what to send

    def refill(self) -> bool:
        """Claim more deliveries if none is ready; return whether some are ready now."""
        if not self._ready and self.failure is None:
            now = time.monotonic()
            quick = now - self._claimed_at < _CLAIM_SECONDS
            self._limit = min(2 * self._limit, _MAX_CLAIM) if quick else max(self._limit // 2, _MIN_CLAIM)
            self._claimed_at = now
            # Record pending outcomes before claiming more.
            self._commit()
            try:
                self._add_claims(self._ledger.claim(self._limit))
            except (SQLAlchemyError, LedgerUnreachableError) as error:
                self._fail(error)
        return bool(self._ready)

    def pop(self) -> Claim:
        """Take the next delivery that is ready, after :meth:`refill` said that there is one."""
        claim = self._ready.popleft()
        if self._prefetches and len(self._ready) >= _PREFETCH_COUNT:
            self._prefetcher.prefetch(self._ready[_PREFETCH_COUNT - 1])
        return claim

    def build(self, claim: Claim) -> bytes | None:
        """Build the message of ``claim``; None if it cannot be built, which is reported."""
        try:
            return self._prefetcher.get(claim)
        except Exception as error:  # one message must not end the campaign for everybody
            self.report(claim, Outcome(Verdict.failed, Stage.build, text=_describe_error(error)))
            return None

    def _add_claims(self, claims: Sequence[Claim]) -> None:
        schedule = self._scheduler.schedule(claims, self._ledger.now())
        if self._prefetches:
            for claim in schedule.now[:_PREFETCH_COUNT]:
                self._prefetcher.prefetch(claim)
        self._ready.extend(schedule.now)
        for claim, seconds in schedule.soon:
            handle = self._loop.call_later(seconds, self._make_ready, claim)
            self._waiting[id(claim)] = (claim, handle)
        for reason, postponed in schedule.later.items():
            self._ledger.postpone(postponed, reason)

    def _make_ready(self, claim: Claim) -> None:
        del self._waiting[id(claim)]
        self._ready.append(claim)
        self.on_change()

    # --- in: what happened

    def request_send(self, claim: Claim, proceed: Callable[[bool], None]) -> None:
        """Mark the delivery as in doubt with the next commit; ``proceed`` is then told whether to send it."""
        if (started := self._in_flight.get(claim.delivery_id)) is not None:
            self._return_second_claim(claim, started)
            self._loop.call_soon(proceed, False)
        else:
            self._in_flight[claim.delivery_id] = claim
            self._starting.append(_Start(claim, proceed))
        self._schedule_commit()

    def report(self, claim: Claim, outcome: Outcome) -> None:
        """Record how the delivery ended with the next commit."""
        started = self._in_flight.get(claim.delivery_id)
        if started is not None and started is not claim:
            # Of this claim nothing was sent.
            self._return_second_claim(claim, started)
        else:
            self._in_flight.pop(claim.delivery_id, None)
            self._ended.append((claim, outcome))
        self._schedule_commit()

    def _return_second_claim(self, claim: Claim, started: Claim) -> None:
        """Give back what we claimed again while we were sending it, so that the reply we wait for finds it in
        the queue."""
        # With the same number it was claimed before the other started, which made it the same claim.
        if claim.attempts != started.attempts:
            back = Transition(claim.delivery_id, DeliveryState.queued, attempt=claim.attempts)
            self._returned.append(back)

    def pause_campaign(self, reason: str) -> None:
        """Pause the campaign for a reason that a person has to deal with, and stop."""
        self._ledger.pause(reason)
        self._stop(reason)

    def flush(self) -> None:
        """Record everything, and put what is left back in the queue of the ledger."""
        for claim, handle in self._waiting.values():
            handle.cancel()
            self._ready.append(claim)
        self._returned += [Transition(claim.delivery_id, DeliveryState.queued) for claim in self._ready]
        self._ready.clear()
        self._waiting.clear()
        while self.failure is None and (self._ended or self._starting or self._returned):
            self._commit()

    def _schedule_commit(self) -> None:
        if not self._is_commit_scheduled:
            self._is_commit_scheduled = True
            self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        self._is_commit_scheduled = False
        ended, starting, returned = self._ended, self._starting, self._returned
        if self.failure is not None or not (ended or starting or returned):
            return
        self._ended, self._starting, self._returned = [], [], []
        numbers = [start.claim.delivery_id for start in starting]
        stories = self._list_stories(starting)
        try:
            batch = self._ledger.make_batch(ended, starting=numbers, stories=stories, returned=returned)
            result = self._ledger.record(batch)
        except LedgerUnreachableError as error:
            self._fail(error)
            return
        if result.lost or result.late or len(result.started) < len(starting):
            self._report_refusal()
        for claim, proceed in starting:
            may_send = claim.delivery_id in result.started
            if not may_send:
                # Paused, or the subscriber has left: the next claim checks both again.
                del self._in_flight[claim.delivery_id]
                self._returned.append(Transition(claim.delivery_id, DeliveryState.queued))
                self._schedule_commit()
            proceed(may_send)
        for claim, outcome in ended:
            if claim.delivery_id in result.late:
                # The reader may have been erased: the ledger knows, and has the server's words if not.
                self._on_recorded(claim, outcome._replace(text=""))
            elif claim.delivery_id not in result.lost:
                self._on_recorded(claim, outcome)

    def _list_stories(self, starting: "Sequence[_Start]") -> dict[int, str]:
        find = self._find_stories
        return {} if find is None else {start.claim.delivery_id: find(start.claim) for start in starting}

    def _report_refusal(self) -> None:
        try:
            self.on_refused()
        except SQLAlchemyError as error:
            self._fail(error)

    def _on_recorded(self, claim: Claim, outcome: Outcome) -> None:
        if (state := _COUNTED_STATES.get(outcome.verdict)) is not None:
            self._counts.add(state)
        if outcome.verdict is not Verdict.sent:
            self._event_log.delivery_not_sent(claim, outcome)
        if suspects := self._breaker.record(claim.delivery_id, outcome, attempts=claim.attempts):
            reason = mask_reader(self._breaker.reason, claim)
            self._ledger.pause_and_requeue(suspects, reason)
            self._stop(reason)

    def _stop(self, reason: str) -> None:
        self._event_log.campaign_paused(self._ledger.campaign_id, reason)
        self.is_stopped = True
        self.on_change()

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self.on_change()


class _Start(NamedTuple):
    """A delivery that waits for leave to be sent."""

    claim: Claim
    proceed: Callable[[bool], None]


def _ignore() -> None:
    """What a queue calls that nobody listens to yet."""


def _describe_error(error: Exception) -> str:
    text = clean_reply_text(str(error))
    return text if isinstance(error, MailerError | SmtpError) else f"{type(error).__name__}: {text}"
