"""Reads how far campaigns are: one thread for each campaign, however many watch it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.campaigns.progress.campaign_progress import CampaignProgress, RateMeter, read_progress
from mailer.campaigns.progress.ledger_counter import LedgerCounter
from mailer.database.models import CampaignState

Listener = Callable[[CampaignProgress], None]
"""Is told of each reading, in the reader's thread. It must return at once."""

_EVERY = 1.0
_EVERY_WHEN_OVER = 5.0
_UNWATCHED_FOR = 30.0
_COUNT_SECONDS = 0.02
"""How long a reading may count, so that it never takes more than a fiftieth of a core."""

_MAX_READERS = 20
_log = logging.getLogger(__name__)


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
        """The last reading; the first is waited for, for so long. None if there is none yet, or there is no
        such campaign."""
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
        """Let the thread end."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End the thread, and wait until it has ended."""
        self.abandon()
        self._thread.join()

    def _run(self) -> None:
        counter, meter = LedgerCounter(self.campaign_id), RateMeter()
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

    def _read(self, counter: LedgerCounter, meter: RateMeter) -> CampaignProgress | None:
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
        """The reader of a campaign, which must exist; it is started if nobody watches it yet."""
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
        """Let the reader of a campaign see what was just changed, if there is one."""
        with self._lock:
            reader = self._readers.get(campaign_id)
        if reader is not None:
            reader.refresh(seconds)

    def close(self) -> None:
        """End all threads."""
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
