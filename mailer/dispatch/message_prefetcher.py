"""Build messages before they are needed, if signing them takes long."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from mailer.dispatch.deliveries.claims import Claim
from mailer.smtp.dkim import DkimSigner

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
