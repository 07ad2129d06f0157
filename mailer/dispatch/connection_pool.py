"""The lines of one run: opened as there is work, fed in turn, closed when it is over. In one event loop."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mailer.database.models import DeliveryState
from mailer.dispatch.circuit_breaker import Breaker, Strain
from mailer.dispatch.deliveries.claims import Claim
from mailer.dispatch.deliveries.ledger import Ledger
from mailer.dispatch.delivery_queue import Desk, Ended
from mailer.dispatch.event_log import Chronicle
from mailer.dispatch.message_prefetcher import Preparer
from mailer.dispatch.rate.scheduler import Pace, Sifted
from mailer.dispatch.relays import Relay, Relays
from mailer.errors import MailerError
from mailer.smtp.interfaces import ConnectionFailedError, Line, Parcel
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_words

_LINGER_SECONDS = 5.0
"""A line without work is closed after this long; a server would drop it in time, and we would take that for
trouble."""

_AHEAD = 64
"""Messages made ready ahead, where signing takes long: 4 MB of the longest."""


class Tally(Protocol):
    """Who counts along."""

    def count(self, state: DeliveryState) -> None:
        """A delivery of this run has come to ``state``."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one run is made of.

    ``sender`` is the envelope's, ``connections`` how many lines at most; once ``stop`` is set nothing more is
    taken.
    """

    ledger: Ledger
    relays: Relays
    pace: Pace
    preparer: Preparer
    breaker: Breaker
    chronicle: Chronicle
    tally: Tally
    sender: str
    connections: int
    stop: threading.Event


class Crew:
    """The lines of one run. Made, used and ended inside one event loop."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_fault)
        self._desk = Desk(
            work.ledger,
            sift=self._sift,
            conclude=self._conclude,
            fail=self._break_down,
            wake=self._on_timer,
        )
        # Not where a rate is kept: a message made long ahead would carry the time it was made at.
        self._works_ahead = work.preparer.works_ahead and work.pace.is_free
        self._seats: set[_Seat] = set()
        self._strains = {relay.name: Strain(relay.brake) for relay in work.relays}
        self._is_halted = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._all_left = asyncio.Event()
        self._has_run_dry = asyncio.Event()
        self.failure: BaseException | None = None
        """What ended the run before its time, if anything did."""

    @property
    def is_halted(self) -> bool:
        """Whether it takes on no more work: it was asked not to, or the campaign is paused."""
        return self._is_halted

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand and nothing waits."""
        return self._desk.is_clear and all(seat.is_idle for seat in self._seats)

    def tick(self) -> None:
        """Look after everything that has no event of its own: new work, silent servers, idle lines."""
        if self._is_halted:
            return
        now = self._loop.time()
        for seat in tuple(self._seats):
            seat.check(now)
        if self._desk.claim_ahead():
            self._staff()
            self._wake()

    async def work_for(self, seconds: float) -> None:
        """Let the lines work for so long, or until nothing is in hand any more."""
        self._has_run_dry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_run_dry.wait()

    async def end(self) -> None:
        """Let every line finish the message in hand, then put all on record."""
        self.halt()
        while self._seats:
            self._all_left.clear()
            try:
                async with asyncio.timeout(1):
                    await self._all_left.wait()
            except TimeoutError:
                for seat in tuple(self._seats):
                    seat.check(self._loop.time())
        self._desk.clear()
        if self._timer is not None:
            self._timer.cancel()

    def halt(self) -> None:
        """Take nothing more; lines close once the message in hand has ended."""
        if not self._is_halted:
            self._is_halted = True
            for seat in tuple(self._seats):
                seat.leave()

    def abort(self) -> None:
        """End every line at once."""
        self._is_halted = True
        for seat in tuple(self._seats):
            seat.abort()

    # --- what a seat asks for

    def take(self, seat: "_Seat") -> Parcel | None:
        """The next message for a seat's line, if one may go now."""
        while not (self._is_halted or self._work.stop.is_set()) and self._desk.claim_ahead():
            wait = self._work.pace.wait_for(seat.relay)
            if wait is None:
                self._rest(seat.relay)
                return None
            if wait > 0:
                self._wake_in(wait)
                return None
            claim = self._desk.take()
            if claim is None:
                return None
            self._prepare_ahead()
            if (parcel := self._make_parcel(claim)) is not None:
                self._work.pace.use(seat.relay)
                return parcel
        return None

    def rest(self) -> None:
        """A line has nothing to do. The last of them ends the waiting of :meth:`work_for`."""
        if self.is_idle:
            self._has_run_dry.set()

    def begin(self, claim: Claim, go: Callable[[bool], None]) -> None:
        self._desk.begin(claim, go)

    def settle(self, seat: "_Seat", claim: Claim, outcome: Outcome) -> None:
        """Put the end of a hand-over on record, and let the relay's standing follow from it."""
        relays, relay = self._work.relays, seat.relay
        self._strains[relay.name].watch(outcome)
        if outcome.verdict is Verdict.stop:
            relays.refused(relay, outcome)
            self._work.chronicle.relay_set_aside(relay.name, outcome.reason)
            self._abandon(relay)
        elif outcome.verdict is not Verdict.give_back:
            seat.served += 1
            relays.served(relay)
        self._desk.settle(claim, outcome)

    def left(self, seat: "_Seat", outcome: Outcome | None) -> None:
        """A seat's line has ended, or could not be opened."""
        self._seats.discard(seat)
        # "421 that is enough for one session", after some were served, is no failure.
        if outcome is not None and seat.served == 0 and not self._is_halted:
            self._work.chronicle.connection_failed(seat.relay.name, outcome)
            self._work.relays.failed(seat.relay, seat.epoch, outcome)
        self._look_whether_exhausted()
        if not self._seats:
            self._all_left.set()
        self._loop.call_soon(self._staff)

    # --- lines and work

    def _staff(self) -> None:
        """Open as many lines as there is work for."""
        while (
            not self._is_halted
            and len(self._seats) < self._work.connections
            and sum(1 for seat in self._seats if seat.is_idle) < len(self._desk)
        ):
            relay = self._work.relays.choose()
            if relay is None:
                if not self._look_whether_exhausted():
                    self._wake_in(self._work.relays.seconds_to_wait())
                return
            seat = _Seat(self, relay)
            self._seats.add(seat)
            seat.open()

    def _wake(self) -> None:
        for seat in tuple(self._seats):
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
        self._staff()
        self._wake()

    def _rest(self, relay: Relay) -> None:
        """The relay has had its share of the day."""
        seconds, reason = self._work.pace.explain_rest(relay)
        self._work.relays.rest(relay, seconds, reason)
        self._abandon(relay)

    def _abandon(self, relay: Relay) -> None:
        """Have the lines to a relay that is of no use end."""
        for seat in tuple(self._seats):
            if seat.relay is relay:
                self._loop.call_soon(seat.leave)

    def _look_whether_exhausted(self) -> bool:
        """Pause the campaign where no relay is left that could work."""
        reason = self._work.relays.exhausted()
        if reason is not None and not self._is_halted:
            self.pause(reason)
        return reason is not None

    def pause(self, reason: str) -> None:
        """Pause the campaign for a reason a person has to look at."""
        self._work.ledger.pause(reason)
        self._work.chronicle.campaign_paused(self._work.ledger.campaign_id, reason)
        self.halt()

    # --- deliveries

    def _sift(self, claims: Sequence[Claim]) -> Sifted:
        """Look when each may go, and start making the first of those that may go now."""
        sifted = self._work.pace.sift(claims, self._work.ledger.tell_time())
        if self._works_ahead:
            for claim in sifted.now[:_AHEAD]:
                self._work.preparer.start(claim)
        return sifted

    def _prepare_ahead(self) -> None:
        if self._works_ahead and (claim := self._desk.peek(_AHEAD - 1)) is not None:
            self._work.preparer.start(claim)

    def _make_parcel(self, claim: Claim) -> Parcel | None:
        try:
            payload = self._work.preparer.result(claim)
        except Exception as error:  # one reader's message must not end everybody's campaign
            outcome = Outcome(verdict=Verdict.failed, stage=Stage.build, words=_describe(error))
            self._desk.settle(claim, outcome)
            return None
        return Parcel(
            claim=claim, sender=self._work.sender, recipient=claim.subscriber.envelope, payload=payload
        )

    def _conclude(self, ended: Ended) -> None:
        """What follows from an end that is on record."""
        outcome = ended.outcome
        if (state := _COUNTED.get(outcome.verdict)) is not None:
            self._work.tally.count(state)
        if outcome.verdict is not Verdict.sent:
            self._work.chronicle.refused(ended.claim, outcome)
        breaker = self._work.breaker
        if suspects := breaker.watch(ended.claim.delivery_id, outcome, attempts=ended.claim.attempts):
            self._work.ledger.reopen(suspects, breaker.reason)
            self._work.chronicle.campaign_paused(self._work.ledger.campaign_id, breaker.reason)
            self.halt()

    def _on_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback has failed: nobody knows any more what is on the wire, so nothing more goes there."""
        error = context.get("exception")
        if error is None:
            loop.default_exception_handler(context)
        else:
            self._break_down(error)

    def _break_down(self, error: Exception) -> None:
        self.failure = self.failure or error
        # Not at once: whoever is just being told of the failure must be through first.
        self._loop.call_soon(self.abort)


_COUNTED = {
    Verdict.sent: DeliveryState.sent,
    Verdict.rejected: DeliveryState.rejected,
    Verdict.failed: DeliveryState.failed,
    Verdict.in_doubt: DeliveryState.in_doubt,
    Verdict.deferred: DeliveryState.deferred,
}


@dataclass(eq=False)
class _Seat:
    """One line's place in the crew: the courier of a line from its opening to its end."""

    crew: Crew
    relay: Relay
    served: int = 0
    in_hand: int = 0
    line: Line | None = None
    task: "asyncio.Task[None] | None" = None
    idle_since: float = float("inf")
    epoch: int = field(init=False)

    def __post_init__(self) -> None:
        self.epoch = self.relay.epoch

    @property
    def is_idle(self) -> bool:
        """Whether it could do with work; one that is being opened will be."""
        return self.in_hand == 0

    def open(self) -> None:
        self.task = asyncio.ensure_future(self._connect())
        # Not in the task itself: one that is cancelled before its first step never runs.
        self.task.add_done_callback(self._opened)

    def _opened(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            self.crew.left(self, None)

    async def _connect(self) -> None:
        try:
            line = await self.relay.transport.connect(self)
        except ConnectionFailedError as error:
            self.crew.left(self, error.outcome)
        except Exception as error:
            self.crew.failure = self.crew.failure or error
            self.crew.left(self, None)
            self.crew.abort()
        else:
            self.line = line
            if self.crew.is_halted:
                line.close()
            else:
                line.wake()

    def wake(self) -> None:
        if self.line is not None:
            self.line.wake()

    def check(self, now: float) -> None:
        if self.line is None:
            return
        self.line.check(now)
        if now - self.idle_since > _LINGER_SECONDS:
            self.line.close()

    def leave(self) -> None:
        if self.line is not None:
            self.line.close()
        elif self.task is not None:
            self.task.cancel()

    def abort(self) -> None:
        if self.line is not None:
            self.line.abort()
        elif self.task is not None:
            self.task.cancel()

    # --- Courier

    def take(self) -> Parcel | None:
        parcel = self.crew.take(self)
        if parcel is not None:
            self.in_hand += 1
            self.idle_since = float("inf")
        elif self.in_hand == 0:
            if self.idle_since == float("inf"):
                self.idle_since = asyncio.get_running_loop().time()
            self.crew.rest()
        return parcel

    def begin(self, parcel: Parcel, go: Callable[[bool], None]) -> None:
        def told(may_send: bool) -> None:
            self.in_hand -= not may_send
            go(may_send)

        self.crew.begin(parcel.claim, told)

    def settle(self, parcel: Parcel, outcome: Outcome) -> None:
        self.in_hand -= 1
        self.crew.settle(self, parcel.claim, outcome)

    def ended(self, outcome: Outcome | None) -> None:
        self.line = None
        self.crew.left(self, outcome)


def _describe(error: Exception) -> str:
    words = clean_words(str(error))
    return words if isinstance(error, MailerError) else f"{type(error).__name__}: {words}"
