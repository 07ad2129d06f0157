"""The connections of one run: opened as there is work, closed when it is over. In one event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from mailer.dispatch.deliveries import Claim
from mailer.dispatch.delivery_queue import DeliveryQueue
from mailer.dispatch.event_log import EventLog, mask_reader
from mailer.dispatch.rate_limiter import CongestionMonitor
from mailer.dispatch.relays import Relay, Relays, SmallAudience
from mailer.dispatch.scheduler import SendScheduler
from mailer.dispatch.write_ahead import WriteAhead
from mailer.rendering.headers import split_address
from mailer.rendering.message import envelope_sender
from mailer.settings import Settings
from mailer.smtp.interfaces import Connection, ConnectionFailedError, OutgoingMessage
from mailer.smtp.reply_classifier import Outcome, Verdict

_IDLE_SECONDS = 5.0
"""A connection without work is closed after this long; a server would drop it in time, and that would look
like a failure."""

END_SECONDS = 20.0
"""How long a process that is to end waits for the servers' answers: systemd kills after thirty seconds
(docs/serving.md), and what is then unanswered would be in doubt without a word."""


class ReturnPath(NamedTuple):
    """The envelope ``sender`` of one message, and the ``envelope_id`` that a server's report repeats; "" for
    none."""

    sender: str
    envelope_id: str = ""


def make_return_path_finder(
    settings: Settings, find_token: Callable[[Claim], str] | None
) -> Callable[[Claim], ReturnPath]:
    """Return a function that finds the return path for a claim. With ``find_token`` and ``[feedback]
    bounce_address`` each message has an address of its own (VERP), so that a bounce tells whose it is,
    whatever else it says. Without the address, only the envelope id does."""
    plain = ReturnPath(envelope_sender(settings.sender))
    if find_token is None:
        return lambda _: plain
    if not settings.feedback.bounce_address:
        return lambda claim: ReturnPath(plain.sender, find_token(claim))
    before, after = split_address(settings.feedback.bounce_address, settings.feedback.delimiter)

    def find(claim: Claim) -> ReturnPath:
        token = find_token(claim)
        return ReturnPath(f"{before}{token}{after}", token)

    return find


class ConnectionPool:
    """The connections of one run, at most ``max_connections`` at a time. Made, used and closed inside one
    event loop. Once ``stop`` is set no more messages are taken; once ``ending`` is, servers have END_SECONDS
    to answer."""

    def __init__(
        self,
        queue: DeliveryQueue,
        write_ahead: WriteAhead,
        relays: Relays,
        scheduler: SendScheduler,
        event_log: EventLog,
        *,
        find_return_path: Callable[[Claim], ReturnPath],
        max_connections: int,
        audience: SmallAudience,
        stop: threading.Event,
        ending: threading.Event,
    ) -> None:
        self.queue = queue
        self.write_ahead = write_ahead
        self.scheduler = scheduler
        self.find_return_path = find_return_path
        self._relays = relays
        self._event_log = event_log
        self._max_connections = max_connections
        self._audience = audience
        self._stop_requested = stop
        self._ending = ending
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_loop_exception)
        queue.on_ready = self._distribute
        write_ahead.on_stop = self._on_stop
        self._connections: set[_PooledConnection] = set()
        self._congestion = {relay.name: CongestionMonitor(relay.throttle) for relay in relays}
        self.is_stopped = False
        """Whether it takes no more work: it was asked not to, or the campaign is paused."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._all_closed = asyncio.Event()
        self._is_out_of_work = asyncio.Event()
        self.failure: BaseException | None = None
        """What ended the run early, if anything did."""

    @property
    def is_taking(self) -> bool:
        return not (self.is_stopped or self._stop_requested.is_set())

    @property
    def is_idle(self) -> bool:
        """Whether no message is being sent and none waits."""
        return (
            self.queue.is_empty
            and self.write_ahead.is_empty
            and all(connection.is_idle for connection in self._connections)
        )

    def tick(self) -> None:
        """Look after everything that has no event of its own: new work, silent servers, idle connections."""
        if self.is_stopped:
            return
        now = self._loop.time()
        for connection in tuple(self._connections):
            connection.check_timeout(now)
        if self.queue.refill():
            self._distribute()

    async def run_for(self, seconds: float) -> None:
        """Let the connections work for so long, or until there is no more work."""
        self._is_out_of_work.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_out_of_work.wait()

    async def shut_down(self) -> None:
        """Let every connection finish its message, then record everything. In a process that is to end, a
        message that its server has not answered in time is in doubt."""
        self.stop()
        give_up_at = float("inf")
        while self._connections:
            if self._ending.is_set():
                give_up_at = min(give_up_at, self._loop.time() + END_SECONDS)
            self._all_closed.clear()
            try:
                async with asyncio.timeout(1):
                    await self._all_closed.wait()
            except TimeoutError:
                now = self._loop.time()
                if now > give_up_at:
                    self.abort()
                for connection in tuple(self._connections):
                    connection.check_timeout(now)
        self.write_ahead.flush(self.queue.drain())
        if self._timer is not None:
            self._timer.cancel()

    def stop(self) -> None:
        """Take nothing more; connections close once their message has ended."""
        if not self.is_stopped:
            self.is_stopped = True
            for connection in tuple(self._connections):
                connection.hang_up()

    def abort(self) -> None:
        """Close every connection immediately."""
        self.is_stopped = True
        for connection in tuple(self._connections):
            connection.abort()

    # --- what a connection reports

    def connection_idle(self) -> None:
        """A connection has nothing to do. The last one ends the waiting of :meth:`run_for`."""
        if self.is_idle:
            self._is_out_of_work.set()

    def relay_answered(self, connection: "_PooledConnection", claim: Claim, outcome: Outcome) -> Outcome:
        """Let the standing of a relay follow from how it answered a message; return how that ended. What is
        refused goes back in the queue if the relay refuses every message, and is rejected if not."""
        relay = connection.relay
        self._congestion[relay.name].record(outcome)
        if outcome.verdict is Verdict.stop:
            # It is kept as what the relay said to all, but this reader may have been erased, or will be.
            said = outcome._replace(text=mask_reader(outcome.text, claim))
            others = self._relays.report_refused_message(
                relay, said, claim.delivery_id, domain=claim.domain, audience=self._audience
            )
            if others is None:
                connection.served_count += 1
                return outcome._replace(verdict=Verdict.rejected)
            self.write_ahead.take_back(others)
            self._event_log.relay_quarantined(relay.name, said.reason)
            self._close_connections_to(relay)
        elif outcome.verdict is not Verdict.give_back:
            connection.served_count += 1
            self._relays.report_success(relay)
        return outcome

    def connection_closed(self, connection: "_PooledConnection", outcome: Outcome | None) -> None:
        self._connections.discard(connection)
        # "421 enough for one session", after some were served, is not a failure.
        if outcome is not None and connection.served_count == 0 and not self.is_stopped:
            self._event_log.connection_failed(connection.relay.name, outcome)
            self._relays.report_failure(connection.relay, connection.epoch, outcome)
        self._pause_if_no_relay()
        if not self._connections:
            self._all_closed.set()
        self._loop.call_soon(self._open_connections)

    def wait_for_slot(self, relay: Relay) -> bool:
        """Return whether a message may go over ``relay`` now. If not, connections are woken when it may."""
        wait = self.scheduler.seconds_until_slot(relay)
        if wait is None:
            self._pause_relay(relay)
            return False
        if wait > 0:
            self._wake_in(wait)
            return False
        return True

    # --- connections and work

    def _on_stop(self) -> None:
        if self.write_ahead.failure is not None:
            self._fail(self.write_ahead.failure)
        else:
            self.stop()

    def _distribute(self) -> None:
        self._open_connections()
        for connection in tuple(self._connections):
            connection.look_for_work()

    def _open_connections(self) -> None:
        while (
            not self.is_stopped
            and len(self._connections) < self._max_connections
            and sum(1 for connection in self._connections if connection.is_idle) < len(self.queue)
        ):
            relay = self._relays.choose()
            if relay is None:
                if not self._pause_if_no_relay():
                    self._wake_in(self._relays.seconds_to_wait())
                return
            connection = _PooledConnection(self, relay)
            self._connections.add(connection)
            connection.open()

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
        self._distribute()

    def _pause_relay(self, relay: Relay) -> None:
        """Stop using the relay for a while: it has had its share of the day."""
        seconds, reason = self.scheduler.explain_pause(relay)
        self._relays.pause(relay, seconds, reason)
        self._close_connections_to(relay)

    def _close_connections_to(self, relay: Relay) -> None:
        for connection in tuple(self._connections):
            if connection.relay is relay:
                self._loop.call_soon(connection.hang_up)

    def _pause_if_no_relay(self) -> bool:
        """Pause the campaign if no relay is left that could work; return whether that is so."""
        reason = self._relays.explain_exhaustion()
        if reason is not None and not self.is_stopped:
            self.write_ahead.pause_campaign(reason)
        return reason is not None

    def _on_loop_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback has failed: what was sent is no longer known, so nothing more is."""
        error = context.get("exception")
        if error is None:
            loop.default_exception_handler(context)
        else:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        # Not immediately: the caller that is just being told of the failure must return first.
        self._loop.call_soon(self.abort)


class _PooledConnection:
    """One connection to a relay, from its opening to its end, and the source of its messages."""

    def __init__(self, pool: ConnectionPool, relay: Relay) -> None:
        self.relay = relay
        self.epoch = relay.backoff.epoch
        self.served_count = 0
        self._pool = pool
        self._queue = pool.queue
        self._write_ahead = pool.write_ahead
        self._claims: dict[Hashable, Claim] = {}
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._idle_since = float("inf")

    @property
    def is_idle(self) -> bool:
        """Whether it could do with work; one that is being opened will be."""
        return not self._claims

    def open(self) -> None:
        self._task = asyncio.ensure_future(self._connect())
        # Not in the task itself: one that is cancelled before its first step never runs.
        self._task.add_done_callback(self._on_connect_done)

    def _on_connect_done(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            self._pool.connection_closed(self, None)

    async def _connect(self) -> None:
        try:
            connection = await self.relay.transport.connect(self)
        except ConnectionFailedError as error:
            self._pool.connection_closed(self, error.outcome)
        except Exception as error:
            self._pool.failure = self._pool.failure or error
            self._pool.connection_closed(self, None)
            self._pool.abort()
        else:
            self._connection = connection
            if self._pool.is_stopped:
                connection.close()
            else:
                connection.wake()

    def look_for_work(self) -> None:
        if self._connection is not None:
            self._connection.wake()

    def check_timeout(self, now: float) -> None:
        if self._connection is None:
            return
        self._connection.check_timeout(now)
        if now - self._idle_since > _IDLE_SECONDS:
            self._connection.close()

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        elif self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        elif self._task is not None:
            self._task.cancel()

    # --- MessageSource

    def next_message(self) -> OutgoingMessage | None:
        queue = self._queue
        while self._pool.is_taking and queue.refill() and self._pool.wait_for_slot(self.relay):
            claim = queue.pop()
            if (payload := queue.build(claim)) is not None:
                self._pool.scheduler.use_slot(self.relay)
                # Not the delivery: if it was taken from us, we may have claimed it again already.
                key = id(claim)
                self._claims[key] = claim
                self._idle_since = float("inf")
                sender, envelope_id = self._pool.find_return_path(claim)
                return OutgoingMessage(key, sender, claim.subscriber.envelope, payload, envelope_id)
        if not self._claims:
            if self._idle_since == float("inf"):
                self._idle_since = asyncio.get_running_loop().time()
            self._pool.connection_idle()
        return None

    def write_ahead(self, message: OutgoingMessage, send_message: Callable[[bool], None]) -> None:
        def answer(may_send: bool) -> None:
            if not may_send:
                del self._claims[message.key]
            send_message(may_send)

        self._write_ahead.begin(self._claims[message.key], answer)

    def report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        claim = self._claims.pop(message.key)
        self._write_ahead.end(claim, self._pool.relay_answered(self, claim, outcome))

    def closed(self, outcome: Outcome | None) -> None:
        self._connection = None
        self._pool.connection_closed(self, outcome)
