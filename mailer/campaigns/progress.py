"""How far a campaign is, once a second, for all who watch it: one thread reads, however many watch."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from locales.phrase import WordedEnum, gettext_noop
from mailer.campaigns.ledger_counter import LedgerCount, LedgerCounter
from mailer.campaigns.report.reasons import ReasonGroup
from mailer.database.engine import read_clock
from mailer.database.models import Campaign, CampaignState, Delivery
from mailer.dispatch.deliveries import Counts
from mailer.dispatch.liveness import list_alive

_MEASURED_FOR = 60.0
_LEAST_SECONDS = 5.0
_KEPT = (
    *("edition", "title", "segment", "state", "canary", "canary_until"),
    *("scheduled_at", "launched_at", "finished_at"),
)
"""What a reading has of its campaign as it is."""
_EVERY = 1.0
_EVERY_WHEN_OVER = 5.0
_UNWATCHED_FOR = 30.0
_COUNT_SECONDS = 0.02
"""How long a reading may count, so that it never takes more than a fiftieth of a core."""
_MAX_READERS = 20
_NEVER_SENT = gettext_noop("do not get it")
"""The words for the rest of a campaign that was cancelled."""
_log = logging.getLogger(__name__)


class SumTerm(WordedEnum):
    """A term of the sum of a campaign's messages."""

    sent = ("sent", gettext_noop("sent"))
    rejected = ("rejected", gettext_noop("refused"))
    failed = ("failed", gettext_noop("failed"))
    suppressed = ("suppressed", gettext_noop("left before their turn"))
    in_doubt = ("in_doubt", gettext_noop("in doubt"))
    on_way = ("on_way", gettext_noop("being sent"))
    deferred = ("deferred", gettext_noop("put off by their server"))
    queued = ("queued", gettext_noop("still to send"))


@dataclass(frozen=True, kw_only=True)
class CampaignProgress:
    """The progress of a campaign, ``read_at`` by the database's clock.

    Of those in doubt, ``on_way`` are being sent at this moment. ``rate`` is how many messages a second were
    settled during the last minute, None while that is not known, and ``rate_limit`` the most it may be.
    ``next_try`` is when the first message that was put off is due. ``senders`` counts the processes with a
    recent sign of life, and ``notices`` are what they say.
    """

    campaign_id: int
    edition: str
    title: str
    segment: str
    state: CampaignState
    reason: str
    counts: Counts
    on_way: int
    groups: tuple[ReasonGroup, ...]
    rate: float | None
    rate_limit: float | None
    canary: int | None
    canary_until: datetime | None
    next_try: datetime | None
    scheduled_at: datetime | None
    launched_at: datetime | None
    finished_at: datetime | None
    senders: int
    notices: tuple[str, ...]
    read_at: datetime

    @property
    def in_doubt(self) -> int:
        """How many may or may not have got it, and nobody is sending to them."""
        return self.counts.in_doubt - self.on_way

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent unless a person says so."""
        return self.state in {CampaignState.finished, CampaignState.cancelled}

    @property
    def seconds_left(self) -> int | None:
        """How long the rest will take at this rate; None if that cannot be said."""
        waiting = self.counts.queued + self.on_way
        if self.state is not CampaignState.sending or not self.rate or not waiting:
            return None
        return max(1, round(waiting / self.rate))

    @property
    def ends_at(self) -> datetime | None:
        left = self.seconds_left
        return None if left is None else self.read_at + timedelta(seconds=left)

    def list_terms(self) -> Iterator[tuple[SumTerm, int]]:
        """Yield the terms of the closing equation; they add up to the audience."""
        counts = self.counts
        yield SumTerm.sent, counts.sent
        yield SumTerm.rejected, counts.rejected
        yield SumTerm.failed, counts.failed
        yield SumTerm.suppressed, counts.suppressed
        yield SumTerm.in_doubt, self.in_doubt
        yield SumTerm.on_way, self.on_way
        yield SumTerm.deferred, counts.deferred
        yield SumTerm.queued, counts.queued

    def list_shown_terms(self) -> Iterator[tuple[SumTerm, str, int]]:
        """Yield the terms, what each is called and how many it is, but for those that are nothing and seldom
        are anything."""
        is_cancelled = self.state is CampaignState.cancelled
        for term, number in self.list_terms():
            is_rest = term in {SumTerm.queued, SumTerm.deferred}
            if number or term in {SumTerm.sent, SumTerm.rejected, SumTerm.queued}:
                yield term, _NEVER_SENT if is_cancelled and is_rest else term.words, number

    def list_bar_parts(self) -> Iterator[tuple[SumTerm, float, float]]:
        """Yield the parts of a bar of the terms that is 100 long: each with its start and its width."""
        start, audience = 0.0, self.counts.audience
        for term, number in self.list_terms():
            width = 100 * number / audience if audience else 0.0
            if width:
                yield term, round(start, 2), round(width, 2)
            start += width


class SettledRate:
    """The messages settled a second, from what was counted during the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def record(self, settled: int, moment: float) -> float | None:
        """Record that ``settled`` messages are done at ``moment`` (in seconds of a clock that nobody sets);
        return the rate, None while too little is known."""
        if self._seen and settled < self._seen[-1][1]:
            # A doubt was put back in the queue, or the circuit breaker took refusals back.
            self._seen.clear()
        self._seen.append((moment, settled))
        while moment - self._seen[0][0] > _MEASURED_FOR:
            self._seen.popleft()
        first, before = self._seen[0]
        if moment - first < _LEAST_SECONDS:
            return None
        return (settled - before) / (moment - first)


def read_progress(connection: Connection, campaign_id: int, count: LedgerCount) -> CampaignProgress | None:
    """Return how far a campaign is, whose deliveries were just counted; None if there is none. The rate is
    not known yet."""
    names = (*_KEPT, "state_reason", "audience", "rate")
    columns: list[Any] = [getattr(Campaign, name) for name in names]
    row = connection.execute(select(*columns).where(col(Campaign.id) == campaign_id)).first()
    if row is None:
        return None
    now = read_clock(connection)
    alive = list_alive(connection, now)
    due = select(func.min(col(Delivery.not_before))).where(
        # As in the partial index: SQLite does not use it for a bound value.
        col(Delivery.campaign_id) == campaign_id,
        text("delivery.state = 'deferred'"),
    )
    return CampaignProgress(
        **{name: getattr(row, name) for name in _KEPT},
        campaign_id=campaign_id,
        reason=row.state_reason,
        # Before the launch there are no deliveries, and the audience is not chosen yet.
        counts=replace(count.counts, audience=row.audience),
        on_way=count.on_way,
        groups=count.groups,
        rate=None,
        rate_limit=row.rate,
        next_try=connection.execute(due).scalar() if count.counts.deferred else None,
        senders=len(alive),
        notices=tuple(f"{host}: {notice}" for host, notice in alive if notice),
        read_at=now,
    )


Listener = Callable[[CampaignProgress], None]
"""Is told of each reading, in the reader's thread. It must return at once."""


class ProgressReader:
    """Reads one campaign once a second in a thread of its own, until nobody has watched it for a while."""

    def __init__(self, engine: Engine, campaign_id: int, forget: Callable[["ProgressReader"], None]) -> None:
        self.campaign_id = campaign_id
        self._engine = engine
        self._forget = forget
        self._changed = threading.Condition()
        self._latest: CampaignProgress | None = None
        self._readings = 0
        self._listeners: set[Listener] = set()
        self._watched_at = time.monotonic()
        self._is_stopped = False
        self._is_stale = True
        self._thread = threading.Thread(target=self._run, name=f"mailer-progress-{campaign_id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def touch(self) -> bool:
        """Somebody watches it; return whether it still reads."""
        with self._changed:
            self._watched_at = time.monotonic()
            return not self._is_stopped

    def await_reading(self, seconds: float) -> CampaignProgress | None:
        """Return the last reading, None if there is none; the first is waited for, for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._readings or self._is_stopped, seconds)
            return self._latest

    def refresh(self, seconds: float) -> None:
        """Count everything anew, because somebody has changed something, and wait for it for so long."""
        with self._changed:
            before, self._is_stale = self._readings, True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._readings > before or self._is_stopped, seconds)

    def add_listener(self, listener: Listener) -> None:
        with self._changed:
            self._listeners.add(listener)

    def remove_listener(self, listener: Listener) -> None:
        with self._changed:
            self._listeners.discard(listener)
            self._watched_at = time.monotonic()

    def abandon(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def stop(self) -> None:
        self.abandon()
        self._thread.join()

    def _run(self) -> None:
        counter, meter = LedgerCounter(self.campaign_id), SettledRate()
        while not self._is_stopped:
            try:
                reading = self._read(counter, meter)
            except SQLAlchemyError as error:
                _log.warning("Campaign %s cannot be read: %s", self.campaign_id, type(error).__name__)
                self._wait(_EVERY_WHEN_OVER)
                continue
            self._publish(reading)
            is_calm = reading is None or reading.is_over
            if not self._wait(_EVERY_WHEN_OVER if is_calm else _EVERY):
                break
        self._forget(self)

    def _read(self, counter: LedgerCounter, meter: SettledRate) -> CampaignProgress | None:
        with self._changed:
            is_stale, self._is_stale = self._is_stale, False
        before = self._latest
        with self._engine.connect().execution_options(read_only=True) as connection:
            if is_stale:
                count = counter.count_all(connection)
            else:
                count = counter.count_changes(connection, seconds=_COUNT_SECONDS)
            reading = read_progress(connection, self.campaign_id, count)
            if reading is not None and before is not None and reading.state is not before.state:
                # It has just ended, or begun: its last numbers must be whole.
                reading = read_progress(connection, self.campaign_id, counter.count_all(connection))
        if reading is None:
            return None
        settled = reading.counts.settled - reading.on_way
        rate = meter.record(settled, time.monotonic())
        return replace(reading, rate=rate if reading.state is CampaignState.sending else None)

    def _publish(self, reading: CampaignProgress | None) -> None:
        with self._changed:
            self._latest = reading
            self._readings += 1
            self._changed.notify_all()
            listeners = tuple(self._listeners)
        if reading is not None:
            for listener in listeners:
                listener(reading)

    def _wait(self, seconds: float) -> bool:
        """Wait for so long, or until everything is to be counted anew; return whether to go on."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_stopped or self._is_stale, seconds)
            if not self._listeners and time.monotonic() - self._watched_at > _UNWATCHED_FOR:
                self._is_stopped = True
            return not self._is_stopped


class ProgressReaders:
    """The readers of all campaigns that somebody watches. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._readers: dict[int, ProgressReader] = {}
        self._is_closed = False

    def watch(self, campaign_id: int) -> ProgressReader:
        """Return the reader of a campaign, which must exist; it is started if nobody watches it yet."""
        with self._lock:
            found = self._readers.get(campaign_id)
            if found is not None and found.touch():
                return found
            self._make_room()
            reader = ProgressReader(self._engine, campaign_id, self._forget)
            if not self._is_closed:
                self._readers[campaign_id] = reader
                reader.start()
            return reader

    def refresh(self, campaign_id: int, *, seconds: float = 2.0) -> None:
        with self._lock:
            reader = self._readers.get(campaign_id)
        if reader is not None:
            reader.refresh(seconds)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            readers = list(self._readers.values())
        for reader in readers:
            reader.stop()

    def _make_room(self) -> None:
        if len(self._readers) >= _MAX_READERS:
            self._readers.pop(next(iter(self._readers))).abandon()

    def _forget(self, reader: ProgressReader) -> None:
        with self._lock:
            if self._readers.get(reader.campaign_id) is reader:
                del self._readers[reader.campaign_id]
