"""The deliveries of one run: claimed ahead, and given out as messages, built ahead if signing takes long."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from mailer.dispatch.deliveries import Claim
from mailer.dispatch.ledger import Ledger, LedgerUnreachableError
from mailer.dispatch.scheduler import SendScheduler
from mailer.dispatch.write_ahead import WriteAhead
from mailer.errors import MailerError
from mailer.smtp.dkim import DkimSigner
from mailer.smtp.interfaces import SmtpError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict, clean_reply_text

_THREADS = 2
"""The relay and the dispatcher's own thread need their share of the machine too."""

_BATCH_SIZE = 16
"""Messages handed to a thread together. One by one, handing over takes a third as long as signing."""
_MIN_CLAIM = 10
_MAX_CLAIM = 500
_CLAIM_SECONDS = 0.5
"""A claim should last about this long: little to rescue after a crash, and the last messages of a campaign
are spread over all machines."""
_PREFETCH_COUNT = 64
"""Messages built ahead where signing takes long: 4 MB of the largest."""


class MessagePrefetcher:
    """Builds the messages of claims, and signs them if there is a ``signer``; with a slow one in two threads
    of its own as well as in the caller's. A message that fails does not affect the others. All methods are
    for one thread."""

    def __init__(
        self,
        build: Callable[[Claim], bytes],
        signer: DkimSigner | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
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
        Raises what ``build`` raised."""
        started, message = self._pending.pop(claim.delivery_id, (None, None))
        if message is None or message.cancel() or started is not claim:
            return self._make(claim)
        return message.result()

    def discard(self, claim: Claim) -> None:
        _, message = self._pending.pop(claim.delivery_id, (None, None))
        if message is not None:
            message.cancel()

    def close(self) -> None:
        """Cancel what has not started and wait for the rest. Messages requested later are built
        immediately."""
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


class DeliveryQueue:
    """The deliveries that one run has claimed ahead, given out as messages. For the thread of its event loop.
    ``on_ready`` is called when a delivery that had to wait can be sent."""

    def __init__(
        self, ledger: Ledger, scheduler: SendScheduler, prefetcher: MessagePrefetcher, write_ahead: WriteAhead
    ) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._prefetcher = prefetcher
        self._write_ahead = write_ahead
        self._loop = asyncio.get_running_loop()
        # Not where a rate is set: a message built long ahead would carry the time it was built.
        self._prefetches = prefetcher.is_enabled and scheduler.is_unlimited
        self._ready: deque[Claim] = deque()
        self._waiting: dict[int, tuple[Claim, asyncio.TimerHandle]] = {}
        self._limit = _MIN_CLAIM
        self._claimed_at = float("-inf")
        self.on_ready: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        """Return how many deliveries are ready to be sent."""
        return len(self._ready)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is claimed and not given out."""
        return not (self._ready or self._waiting)

    def refill(self) -> bool:
        """Claim more deliveries if none is ready; return whether some are ready now."""
        if not self._ready and self._write_ahead.failure is None:
            now = time.monotonic()
            quick = now - self._claimed_at < _CLAIM_SECONDS
            self._limit = min(2 * self._limit, _MAX_CLAIM) if quick else max(self._limit // 2, _MIN_CLAIM)
            self._claimed_at = now
            # Record pending outcomes before claiming more.
            self._write_ahead.commit()
            try:
                self._add_claims(self._ledger.claim(self._limit))
            except (SQLAlchemyError, LedgerUnreachableError) as error:
                self._write_ahead.fail(error)
        return bool(self._ready)

    def pop(self) -> Claim:
        """Take the next delivery that is ready, after :meth:`refill` said that there is one."""
        claim = self._ready.popleft()
        if self._prefetches and len(self._ready) >= _PREFETCH_COUNT:
            self._prefetcher.prefetch(self._ready[_PREFETCH_COUNT - 1])
        return claim

    def build(self, claim: Claim) -> bytes | None:
        """Build the message of ``claim``; None if it cannot be built, which is recorded."""
        try:
            return self._prefetcher.get(claim)
        except Exception as error:  # one message must not end the campaign for everybody
            outcome = Outcome(Verdict.failed, Stage.build, text=_describe_error(error))
            self._write_ahead.end(claim, outcome)
            return None

    def drain(self) -> list[Claim]:
        """Give up everything that is claimed and not given out, and return it."""
        for _, handle in self._waiting.values():
            handle.cancel()
        claims = [*self._ready, *(claim for claim, _ in self._waiting.values())]
        self._ready.clear()
        self._waiting.clear()
        return claims

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
        self.on_ready()


def _describe_error(error: Exception) -> str:
    text = clean_reply_text(str(error))
    return text if isinstance(error, MailerError | SmtpError) else f"{type(error).__name__}: {text}"
