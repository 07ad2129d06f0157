"""The lines of one run: opened as there is work, fed in turn, closed when it is over. In one event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailer.database.models import DeliveryState
from mailer.dispatch.circuit_breaker import CircuitBreaker, CongestionMonitor
from mailer.dispatch.deliveries.claims import Claim
from mailer.dispatch.deliveries.ledger import Ledger
from mailer.dispatch.delivery_queue import DeliveryQueue, RecordedDelivery
from mailer.dispatch.event_log import EventLog
from mailer.dispatch.message_prefetcher import MessagePrefetcher
from mailer.dispatch.rate.scheduler import Schedule, SendScheduler
from mailer.dispatch.relays import Relay, Relays
from mailer.errors import MailerError
from mailer.smtp.errors import SmtpError
from mailer.smtp.interfaces import Connection, ConnectionFailedError, OutgoingMessage
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_reply_text

_IDLE_SECONDS = 5.0
"""A line without work is closed after this long; a server would drop it in time, and we would take that for
trouble."""

_PREFETCH_COUNT = 64
"""Messages made ready ahead, where signing takes long: 4 MB of the longest."""


class StateCounter(Protocol):
    """Who counts along."""

    def count(self, state: DeliveryState) -> None:
        """A delivery of this run has come to ``state``."""


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What one run is made of.

    ``sender`` is the envelope's, ``connections`` how many lines at most; once ``stop`` is set nothing more is
    taken.
    """

    ledger: Ledger
    relays: Relays
    scheduler: SendScheduler
    prefetcher: MessagePrefetcher
    breaker: CircuitBreaker
    event_log: EventLog
    counter: StateCounter
    sender: str
    max_connections: int
    stop: threading.Event


class ConnectionPool:
    """The lines of one run. Made, used and ended inside one event loop."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_loop_exception)
        self._queue = DeliveryQueue(
            context.ledger,
            schedule=self._schedule,
            on_recorded=self._on_recorded,
            on_failure=self._fail,
            on_ready=self._on_timer,
        )
        # Not where a rate is kept: a message made long ahead would carry the time it was made at.
        self._prefetches = context.prefetcher.is_enabled and context.scheduler.is_unlimited
        self._connections: set[_PooledConnection] = set()
        self._congestion = {relay.name: CongestionMonitor(relay.throttle) for relay in context.relays}
        self._is_stopped = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._all_closed = asyncio.Event()
        self._is_out_of_work = asyncio.Event()
        self.failure: BaseException | None = None
        """What ended the run before its time, if anything did."""

    @property
    def is_stopped(self) -> bool:
        """Whether it takes on no more work: it was asked not to, or the campaign is paused."""
        return self._is_stopped

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand and nothing waits."""
        return self._queue.is_empty and all(seat.is_idle for seat in self._connections)

    def tick(self) -> None:
        """Look after everything that has no event of its own: new work, silent servers, idle lines."""
        if self._is_stopped:
            return
        now = self._loop.time()
        for seat in tuple(self._connections):
            seat.check_timeout(now)
        if self._queue.refill():
            self._open_connections()
            self._wake()

    async def run_for(self, seconds: float) -> None:
        """Let the lines work for so long, or until nothing is in hand any more."""
        self._is_out_of_work.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_out_of_work.wait()

    async def shut_down(self) -> None:
        """Let every line finish the message in hand, then put all on record."""
        self.stop()
        while self._connections:
            self._all_closed.clear()
            try:
                async with asyncio.timeout(1):
                    await self._all_closed.wait()
            except TimeoutError:
                for seat in tuple(self._connections):
                    seat.check_timeout(self._loop.time())
        self._queue.flush()
        if self._timer is not None:
            self._timer.cancel()

    def stop(self) -> None:
        """Take nothing more; lines close once the message in hand has ended."""
        if not self._is_stopped:
            self._is_stopped = True
            for seat in tuple(self._connections):
                seat.close()

    def abort(self) -> None:
        """End every line at once."""
        self._is_stopped = True
        for seat in tuple(self._connections):
            seat.abort()

    # --- what a seat asks for

    def next_message(self, connection: "_PooledConnection") -> OutgoingMessage | None:
        """The next message for a seat's line, if one may go now."""
        while not (self._is_stopped or self._context.stop.is_set()) and self._queue.refill():
            wait = self._context.scheduler.seconds_until_slot(connection.relay)
            if wait is None:
                self._pause_relay(connection.relay)
                return None
            if wait > 0:
                self._wake_in(wait)
                return None
            claim = self._queue.pop()
            if claim is None:
                return None
            self._prefetch_next()
            if (parcel := self._make_message(claim)) is not None:
                self._context.scheduler.use_slot(connection.relay)
                return parcel
        return None

    def connection_idle(self) -> None:
        """A line has nothing to do. The last of them ends the waiting of :meth:`run_for`."""
        if self.is_idle:
            self._is_out_of_work.set()

    def request_send(self, claim: Claim, proceed: Callable[[bool], None]) -> None:
        self._queue.request_send(claim, proceed)

    def report(self, connection: "_PooledConnection", claim: Claim, outcome: Outcome) -> None:
        """Put the end of a hand-over on record, and let the relay's standing follow from it."""
        relays, relay = self._context.relays, connection.relay
        self._congestion[relay.name].record(outcome)
        if outcome.verdict is Verdict.stop:
            relays.report_refusal(relay, outcome)
            self._context.event_log.relay_set_aside(relay.name, outcome.reason)
            self._close_connections_to(relay)
        elif outcome.verdict is not Verdict.give_back:
            connection.served_count += 1
            relays.report_success(relay)
        self._queue.report(claim, outcome)

    def connection_closed(self, connection: "_PooledConnection", outcome: Outcome | None) -> None:
        """A seat's line has ended, or could not be opened."""
        self._connections.discard(connection)
        # "421 that is enough for one session", after some were served, is no failure.
        if outcome is not None and connection.served_count == 0 and not self._is_stopped:
            self._context.event_log.connection_failed(connection.relay.name, outcome)
            self._context.relays.report_failure(connection.relay, connection.epoch, outcome)
        self._pause_if_no_relay()
        if not self._connections:
            self._all_closed.set()
        self._loop.call_soon(self._open_connections)

    # --- lines and work

    def _open_connections(self) -> None:
        """Open as many lines as there is work for."""
        while (
            not self._is_stopped
            and len(self._connections) < self._context.max_connections
            and sum(1 for seat in self._connections if seat.is_idle) < len(self._queue)
        ):
            relay = self._context.relays.choose()
            if relay is None:
                if not self._pause_if_no_relay():
                    self._wake_in(self._context.relays.seconds_to_wait())
                return
            seat = _PooledConnection(self, relay)
            self._connections.add(seat)
            seat.open()

    def _wake(self) -> None:
        for seat in tuple(self._connections):
            seat.wake()

    def _wake_in(self, seconds: float) -> None:
        """Look for work again then, unless that happens earlier anyway."""
        at = self._loop.time() + max(0.0, seconds)
        if self._timer is not None and self._timer_at <= at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._open_connections()
        self._wake()

    def _pause_relay(self, relay: Relay) -> None:
        """The relay has had its share of the day."""
        seconds, reason = self._context.scheduler.explain_pause(relay)
        self._context.relays.pause(relay, seconds, reason)
        self._close_connections_to(relay)

    def _close_connections_to(self, relay: Relay) -> None:
        """Have the lines to a relay that is of no use end."""
        for seat in tuple(self._connections):
            if seat.relay is relay:
                self._loop.call_soon(seat.close)

    def _pause_if_no_relay(self) -> bool:
        """Pause the campaign where no relay is left that could work."""
        reason = self._context.relays.explain_exhaustion()
        if reason is not None and not self._is_stopped:
            self.pause_campaign(reason)
        return reason is not None

    def pause_campaign(self, reason: str) -> None:
        """Pause the campaign for a reason a person has to look at."""
        self._context.ledger.pause(reason)
        self._context.event_log.campaign_paused(self._context.ledger.campaign_id, reason)
        self.stop()

    # --- deliveries

    def _schedule(self, claims: Sequence[Claim]) -> Schedule:
        """Look when each may go, and start making the first of those that may go now."""
        sifted = self._context.scheduler.schedule(claims, self._context.ledger.now())
        if self._prefetches:
            for claim in sifted.now[:_PREFETCH_COUNT]:
                self._context.prefetcher.prefetch(claim)
        return sifted

    def _prefetch_next(self) -> None:
        if self._prefetches and (claim := self._queue.peek(_PREFETCH_COUNT - 1)) is not None:
            self._context.prefetcher.prefetch(claim)

    def _make_message(self, claim: Claim) -> OutgoingMessage | None:
        try:
            payload = self._context.prefetcher.get(claim)
        except Exception as error:  # one reader's message must not end everybody's campaign
            outcome = Outcome(verdict=Verdict.failed, stage=Stage.build, text=_describe_error(error))
            self._queue.report(claim, outcome)
            return None
        return OutgoingMessage(
            key=claim, sender=self._context.sender, recipient=claim.subscriber.envelope, payload=payload
        )

    def _on_recorded(self, recorded: RecordedDelivery) -> None:
        """What follows from an end that is on record."""
        outcome = recorded.outcome
        if (state := _COUNTED_STATES.get(outcome.verdict)) is not None:
            self._context.counter.count(state)
        if outcome.verdict is not Verdict.sent:
            self._context.event_log.delivery_not_sent(recorded.claim, outcome)
        breaker = self._context.breaker
        if suspects := breaker.record(recorded.claim.delivery_id, outcome, attempts=recorded.claim.attempts):
            self._context.ledger.pause_and_requeue(suspects, breaker.reason)
            self._context.event_log.campaign_paused(self._context.ledger.campaign_id, breaker.reason)
            self.stop()

    def _on_loop_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback has failed: nobody knows any more what is on the wire, so nothing more goes there."""
        error = context.get("exception")
        if error is None:
            loop.default_exception_handler(context)
        else:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        # Not at once: whoever is just being told of the failure must be through first.
        self._loop.call_soon(self.abort)


_COUNTED_STATES = {
    Verdict.sent: DeliveryState.sent,
    Verdict.rejected: DeliveryState.rejected,
    Verdict.failed: DeliveryState.failed,
    Verdict.in_doubt: DeliveryState.in_doubt,
    Verdict.deferred: DeliveryState.deferred,
}


@dataclass(eq=False)
class _PooledConnection:
    """One line's place in the crew: the courier of a line from its opening to its end."""

    pool: ConnectionPool
    relay: Relay
    served_count: int = 0
    unfinished: int = 0
    connection: Connection | None = None
    task: "asyncio.Task[None] | None" = None
    idle_since: float = float("inf")
    epoch: int = field(init=False)

    def __post_init__(self) -> None:
        self.epoch = self.relay.epoch

    @property
    def is_idle(self) -> bool:
        """Whether it could do with work; one that is being opened will be."""
        return self.unfinished == 0

    def open(self) -> None:
        self.task = asyncio.ensure_future(self._connect())
        # Not in the task itself: one that is cancelled before its first step never runs.
        self.task.add_done_callback(self._on_connect_done)

    def _on_connect_done(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            self.pool.connection_closed(self, None)

    async def _connect(self) -> None:
        try:
            line = await self.relay.transport.connect(self)
        except ConnectionFailedError as error:
            self.pool.connection_closed(self, error.outcome)
        except Exception as error:
            self.pool.failure = self.pool.failure or error
            self.pool.connection_closed(self, None)
            self.pool.abort()
        else:
            self.connection = line
            if self.pool.is_stopped:
                line.close()
            else:
                line.wake()

    def wake(self) -> None:
        if self.connection is not None:
            self.connection.wake()

    def check_timeout(self, now: float) -> None:
        if self.connection is None:
            return
        self.connection.check_timeout(now)
        if now - self.idle_since > _IDLE_SECONDS:
            self.connection.close()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        elif self.task is not None:
            self.task.cancel()

    def abort(self) -> None:
        if self.connection is not None:
            self.connection.abort()
        elif self.task is not None:
            self.task.cancel()

    # --- Courier

    def next_message(self) -> OutgoingMessage | None:
        parcel = self.pool.next_message(self)
        if parcel is not None:
            self.unfinished += 1
            self.idle_since = float("inf")
        elif self.unfinished == 0:
            if self.idle_since == float("inf"):
                self.idle_since = asyncio.get_running_loop().time()
            self.pool.connection_idle()
        return parcel

    def request_send(self, message: OutgoingMessage, proceed: Callable[[bool], None]) -> None:
        def told(may_send: bool) -> None:
            self.unfinished -= not may_send
            proceed(may_send)

        self.pool.request_send(message.key, told)

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self.unfinished -= 1
        self.pool.report(self, message.key, outcome)

    def closed(self, outcome: Outcome | None) -> None:
        self.connection = None
        self.pool.connection_closed(self, outcome)


def _describe_error(error: Exception) -> str:
    words = clean_reply_text(str(error))
    return words if isinstance(error, MailerError | SmtpError) else f"{type(error).__name__}: {words}"
