"""The threads that send: each takes a few deliveries, holds one connection, and records every outcome at
once.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from mailer.dispatch.claiming import Claim, LostClaimError
from mailer.dispatch.ledger import Ledger
from mailer.dispatch.pacing import Pacer
from mailer.dispatch.replies import Outcome, Stage, Verdict, clean_words
from mailer.dispatch.transport import Connection, ConnectionFailedError, Envelope, Transport
from mailer.dispatch.trouble import Breaker, Trouble, explain_break
from mailer.errors import MailerError

_log = logging.getLogger(__name__)

# Small, so that a crash leaves little to rescue; smaller still with a slow server, so that the last
# messages spread over all connections.
_BATCH = 20
_BATCH_SECONDS = 0.5
_IDLE_SECONDS = 0.05
# A connection without work is closed after this long; a server would drop it in time, and we would take
# that for trouble.
_LINGER_SECONDS = 5.0
# A known outcome is worth some waiting for a database that is busy or restarting; forgotten, it would be a
# doubt.
_RECORDING_PAUSES = (0.1, 0.5, 1.0, 2.0)


class LedgerUnreachableError(MailerError):
    """The database could not be read or written while sending."""

    def __init__(self, error: SQLAlchemyError) -> None:
        words = str(getattr(error, "orig", None) or error).strip()
        super().__init__(
            f"The database failed while sending: {words}. Nothing more was handed over. Mend it, then "
            "resume the campaign; a message whose outcome could not be recorded is then listed as in doubt."
        )


@dataclass(frozen=True, kw_only=True)
class Work:
    """What the workers of one run share. ``sender`` is the envelope's; ``build`` makes one message."""

    ledger: Ledger
    transport: Transport
    build: Callable[[Claim], bytes]
    sender: str
    pacer: Pacer
    trouble: Trouble
    breaker: Breaker = field(default_factory=Breaker)


class Crew:
    """Workers from ``with`` to its end, which waits for the message each has in hand."""

    def __init__(self, work: Work, size: int) -> None:
        self._halted = threading.Event()
        self._failure: BaseException | None = None
        workers = [_Worker(work, self._halted) for _ in range(size)]
        # Daemons: a person who presses Ctrl-C twice must not wait ten minutes for a server that is silent.
        self._threads = [
            threading.Thread(target=self._run, args=(worker,), name=f"worker-{number}", daemon=True)
            for number, worker in enumerate(workers, start=1)
        ]

    @property
    def has_failed(self) -> bool:
        return self._failure is not None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._halted.set()
        for thread in self._threads:
            thread.join()

    def raise_failure(self) -> None:
        """Raise what ended a worker before its time, if anything did."""
        if self._failure is not None:
            raise self._failure

    def _run(self, worker: "_Worker") -> None:
        try:
            worker.run()
        except BaseException as error:  # raised again by raise_failure, in the thread that waits
            self._failure = error
            self._halted.set()


class _Worker:
    """One thread's work: claim, build, hand over, record."""

    def __init__(self, work: Work, halted: threading.Event) -> None:
        self._work = work
        self._halted = halted
        self._line: Connection | None = None
        self._epoch = 0
        self._served = 0

    def run(self) -> None:
        try:
            limit, ended = 1, time.monotonic()
            while not self._halted.is_set():
                claims = self._work.ledger.claim(limit)
                start = time.monotonic()
                if claims:
                    self._work_through(claims)
                    ended = time.monotonic()
                    limit = min(2 * limit, _BATCH) if ended - start < _BATCH_SECONDS else max(limit // 2, 1)
                    continue
                if start - ended > _LINGER_SECONDS:
                    self._hang_up()
                self._halted.wait(_IDLE_SECONDS)
        finally:
            self._hang_up()

    def _work_through(self, claims: list[Claim]) -> None:
        """Serve the claims in turn; what is left when something ends that goes back in the queue."""
        left = list(claims)
        try:
            while left and not self._halted.is_set() and self._serve(left[0]):
                left.pop(0)
        finally:
            self._work.ledger.give_back(left)

    def _serve(self, claim: Claim) -> bool:
        """Bring one delivery to an outcome; False when it and the rest should go back untried."""
        try:
            payload = self._work.build(claim)
        except Exception as error:  # one reader's message must not end everybody's campaign
            self._record(claim, Outcome(verdict=Verdict.failed, stage=Stage.build, words=_describe(error)))
            return True
        # The wait comes first: at a slow pace a connection would otherwise stand idle until the server
        # drops it.
        if not self._work.pacer.wait(self._halted) or (line := self._connect()) is None:
            return False
        envelope = Envelope(sender=self._work.sender, recipient=claim.subscriber.envelope, payload=payload)
        start = _Start(self._work.ledger, claim)
        outcome = line.deliver(envelope, start)
        if start.was_refused:
            # Paused, or the reader has left: the next claim looks at both again.
            return False
        self._record(claim, outcome)
        return True

    def _connect(self) -> Connection | None:
        """The connection, a new one where needed; None when there is none to be had or the work is over."""
        if self._line is not None and self._line.is_usable:
            return self._line
        self._hang_up()
        trouble = self._work.trouble
        while not self._halted.is_set():
            if (wait := trouble.seconds_to_wait()) > 0:
                self._halted.wait(wait)
                continue
            self._epoch, self._served = trouble.epoch, 0
            try:
                self._line = self._work.transport.connect()
            except ConnectionFailedError as error:
                if not self._bear(error.outcome):
                    return None
            else:
                return self._line
        return None

    def _bear(self, outcome: Outcome) -> bool:
        """A connection failed; False when the campaign is paused for it."""
        if outcome.verdict is Verdict.stop:
            self._pause(outcome.complaint)
            return False
        if not self._work.trouble.report(self._epoch):
            return True
        failures = self._work.trouble.failures
        self._pause(f"The mail server failed {failures} times in a row: {outcome.reason}")
        return False

    def _pause(self, reason: str) -> None:
        """Pause the campaign, and let the other workers give back what they hold."""
        self._work.ledger.pause(reason)
        self._halted.set()

    def _record(self, claim: Claim, outcome: Outcome) -> None:
        """Write the outcome down, then draw the conclusions."""
        self._write_down(claim, outcome)
        if outcome.slow_down:
            self._work.pacer.slow_down()
        if outcome.verdict is Verdict.give_back:
            # "421 that is enough for one session", after some were served, is no failure.
            if self._served == 0:
                self._bear(outcome)
        elif outcome.verdict is Verdict.stop:
            self._halted.set()
        elif outcome.stage is not Stage.build:
            self._served += 1
            self._work.trouble.clear()
        if suspects := self._work.breaker.watch(claim.delivery_id, outcome):
            self._work.ledger.reopen(suspects, explain_break(outcome))
            self._halted.set()

    def _write_down(self, claim: Claim, outcome: Outcome) -> None:
        for pause in (*_RECORDING_PAUSES, None):
            try:
                self._work.ledger.settle(claim, outcome)
            except LostClaimError as error:
                _log.warning("%s Its outcome was: %s %s", error, outcome.verdict.value, outcome.reason)
            except OperationalError:
                if pause is None:
                    raise
                time.sleep(pause)
                continue
            return

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class _Start:
    """The ``begin`` of one delivery; remembers whether the ledger refused it."""

    def __init__(self, ledger: Ledger, claim: Claim) -> None:
        self._ledger = ledger
        self._claim = claim
        self.was_refused = False

    def __call__(self) -> bool:
        has_begun = self._ledger.begin(self._claim)
        self.was_refused = not has_begun
        return has_begun


def _describe(error: Exception) -> str:
    words = clean_words(str(error))
    return words if isinstance(error, MailerError) else f"{type(error).__name__}: {words}"
