"""A thread that counts what pages ask for, so that no page waits for a million rows.

Asking never changes anything that people see: what is known is answered at once, with its time, and what is
missing or out of date is counted in the background, one number after the other, those asked for last first.
A number that is quick to count, as on a small list, is there in the same answer. Numbers are kept in the
database for all machines and for the next start.
"""

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlmodel import col

from editions.cache import BoundedCache
from mailer.counts.counters import (
    COUNTERS,
    SHAPE,
    CountedNumber,
    Counter,
    CountKind,
    CountRequest,
    read_value,
    write_value,
)
from mailer.database.engine import open_session
from mailer.database.models import Campaign, Delivery
from mailer.database.report_models import KeptCount
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import gettext_noop
from mailer.settings import Settings
from subscribers.errors import SubscriberError
from subscribers.models import ConsentRecord, ImportBatch, SavedSegment, Subscriber

_KEPT_FOR: Final = timedelta(days=30)
PATIENCE: Final = 0.04
"""How many seconds an answer waits for numbers that may be quick."""
_MAX_AGE: Final = timedelta(minutes=10)
_SHARE_OF_TIME: Final = 30
"""Counting again waits at least this many times as long as it took the last time."""
_LONGEST: Final = 120.0
"""After how many seconds a number is given up, for the sake of those behind it."""
_FAILED_FOR: Final = 60.0
_MAX_WAITING: Final = 200
_MAX_KNOWN: Final = 1000
_SQLITE_STEPS: Final = 100_000
"""Steps of SQLite's machine between two looks at the time: a few milliseconds."""
_CLOSE_SECONDS: Final = 5.0
_FAILED = gettext_noop("This could not be counted. Look again in a minute.")
_TOO_LONG = gettext_noop("Counting this takes more than two minutes, so it was given up. Ask for less.")
_log = logging.getLogger(__name__)


def store_count(engine: Engine, count: KeptCount) -> None:
    """Keep a number, and delete what nobody has asked for in a month."""
    values = count.model_dump()
    # Another machine may have stored the same number at this moment.
    with contextlib.suppress(IntegrityError), engine.begin() as connection:
        past = count.counted_at - _KEPT_FOR
        connection.execute(delete(KeptCount).where(col(KeptCount.counted_at) < past))
        changed = connection.execute(update(KeptCount).where(col(KeptCount.key) == count.key).values(values))
        if changed.rowcount == 0:
            connection.execute(insert(KeptCount).values(values))


def read_list_stamp(connection: Connection, today: date) -> str:
    """Read what the list, its campaigns and its saved segments are like on a day.

    Everything that changes a subscriber leaves a consent record, and whoever is added or removed changes the
    last numbers. Each part is found in an index, or in a table of a few hundred rows. What deliveries become
    while a campaign is being sent is not in it.
    """
    numbers: list[ColumnElement[Any]] = [
        *(func.max(col(table.id)) for table in (ConsentRecord, Subscriber, ImportBatch, Delivery, Campaign)),
        *(func.max(col(when)) for when in (ImportBatch.rolled_back_at, Campaign.launched_at)),
        *(func.max(col(Campaign.finished_at)), func.max(col(SavedSegment.updated_at))),
        func.count(col(SavedSegment.name)),
    ]
    read = [select(number).scalar_subquery() for number in numbers]
    return " ".join(
        [today.isoformat(), *(_shorten(value) for value in connection.execute(select(*read)).one())]
    )


def _shorten(value: object) -> str:
    return "-" if value is None else str(value).replace(" ", "T")


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """The failure to count a number, when by the monotonic clock, and what the list was like."""

    problem: str
    at: float
    stamp: str


class BackgroundCounts:
    """The numbers of one workspace. Thread-safe; :meth:`close` ends its thread, whatever it counts.
    ``monotonic`` is this process's own clock in seconds, which tells what counting costs."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        clock: Callable[[], datetime],
        *,
        counters: Mapping[CountKind, Counter] = COUNTERS,
        longest: float = _LONGEST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._counters = counters
        self._longest = longest
        self._monotonic = monotonic
        # What a number depends on besides the database.
        self._basis = f"{SHAPE} {[*settings.sectors]} {settings.law.model_dump_json()}"
        self._known: BoundedCache[KeptCount] = BoundedCache(_MAX_KNOWN)
        self._failed: BoundedCache[_Failure] = BoundedCache(_MAX_WAITING)
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, CountRequest] = OrderedDict()
        self._in_hand = ""
        self._stopped = threading.Event()
        self._driver: Any = None
        self._thread = threading.Thread(target=self._run, name="mailer-studio-counts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Give up what is being counted, and end the thread."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        ends_at = time.monotonic() + _CLOSE_SECONDS
        while self._thread.is_alive() and time.monotonic() < ends_at:
            driver = self._driver
            if driver is not None:
                driver.cancel_safe(timeout=_CLOSE_SECONDS)
            self._thread.join(0.1)

    def get(self, request: CountRequest, *, patience: float = PATIENCE) -> CountedNumber:
        """Return what is known of ``request``; see :meth:`get_all`."""
        return self.get_all([request], patience=patience)[0]

    def get_all(self, requests: Sequence[CountRequest], *, patience: float = PATIENCE) -> list[CountedNumber]:
        """Return what is known of each of ``requests``; what is missing or out of date is counted in the
        background. They wait at most ``patience`` seconds together, for numbers that may be quick."""
        asked = {request.digest(self._basis): request for request in requests}
        now = self._clock()
        with open_session(self._engine, read_only=True) as session:
            connection = session.connection()
            stamp = read_list_stamp(connection, now.date())
            rows = session.scalars(select(KeptCount).where(col(KeptCount.key).in_(asked)))
            kept = {row.key: row for row in rows}
            session.expunge_all()

        def choose(key: str) -> KeptCount | None:
            return self._choose(key, kept.get(key), stamp, now)

        due = {key: one for key, one in asked.items() if self._is_due(key, choose(key), stamp, now)}
        self._ask(due)
        self._wait_for([key for key in due if _is_quick(choose(key), patience)], patience)
        found = {key: self._describe(key, one, choose(key), stamp) for key, one in asked.items()}
        return [found[request.digest(self._basis)] for request in requests]

    def _choose(self, key: str, kept: KeptCount | None, stamp: str, now: datetime) -> KeptCount | None:
        """Return the better of what this process counted, and what is in the database."""
        found = [count for count in (self._known.get(key), kept) if count is not None]
        # A time in the future comes of a clock that was set back.
        return max(
            found,
            key=lambda count: (count.stamp == stamp, count.counted_at <= now, count.counted_at),
            default=None,
        )

    def _is_due(self, key: str, last: KeptCount | None, stamp: str, now: datetime) -> bool:
        failure = self._failed.get(key)
        if failure is not None and failure.stamp == stamp and self._monotonic() - failure.at < _FAILED_FOR:
            return False
        if last is None:
            return True
        age = now - last.counted_at
        if last.stamp == stamp and timedelta(0) <= age < _MAX_AGE:
            return False
        if _is_quick(last, PATIENCE):
            return True
        return not timedelta(0) <= age < timedelta(seconds=last.cost) * _SHARE_OF_TIME

    def _ask(self, due: Mapping[str, CountRequest]) -> None:
        with self._changed:
            # What stands first on a page is counted first.
            for key, request in reversed([*due.items()]):
                if key != self._in_hand:
                    self._waiting[key] = request
                    self._waiting.move_to_end(key)
            while len(self._waiting) > _MAX_WAITING:
                self._waiting.popitem(last=False)
            self._changed.notify_all()

    def _wait_for(self, keys: Collection[str], patience: float) -> None:
        if keys and patience > 0:
            with self._changed:
                self._changed.wait_for(lambda: not any(map(self._is_under_way, keys)), patience)

    def _is_under_way(self, key: str) -> bool:
        return key == self._in_hand or key in self._waiting

    def _describe(self, key: str, request: CountRequest, last: KeptCount | None, stamp: str) -> CountedNumber:
        with self._changed:
            is_counting = self._is_under_way(key) and not self._stopped.is_set()
        failure = self._failed.get(key)
        failed = failure is not None and failure.stamp == stamp and not is_counting
        return CountedNumber(
            request=request,
            value=read_value(request.kind, last.body) if last else None,
            counted_at=last.counted_at if last else None,
            is_counting=is_counting,
            problem=failure.problem if failure is not None and failed else "",
        )

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped.is_set())
                if self._stopped.is_set():
                    return
                key, request = self._waiting.popitem()
                self._in_hand = key
            counted = self._count(key, request)
            with self._changed:
                self._in_hand = ""
                self._changed.notify_all()
            if counted is not None:
                self._store(counted)

    def _count(self, key: str, request: CountRequest) -> KeptCount | None:
        started, stamp = self._monotonic(), ""
        try:
            with open_session(self._engine, read_only=True) as session, self._limited(session.connection()):
                now = self._clock()
                stamp = read_list_stamp(session.connection(), now.date())
                count = self._counters[request.kind]
                value = count(session, self._settings, now.date(), **request.arguments)
                body = write_value(request.kind, value)
        except Exception as error:
            # A fault in one number must not hold up the others.
            if not self._stopped.is_set():
                problem = self._explain(request, error, self._monotonic() - started)
                self._failed.put(key, _Failure(problem=problem, at=self._monotonic(), stamp=stamp))
            return None
        counted = KeptCount(key=key, body=body, counted_at=now, stamp=stamp, cost=self._monotonic() - started)
        self._known.put(key, counted)
        return counted

    def _explain(self, request: CountRequest, error: Exception, taken: float) -> str:
        if isinstance(error, (SubscriberError, MailerError, ConfigurationError)):
            return str(error)
        if isinstance(error, DBAPIError) and taken >= self._longest:
            return _TOO_LONG
        if isinstance(error, DBAPIError):
            # Without its parameters, which may quote a person.
            _log.error("Counting failed (%s): %s", request.kind.value, error.orig)
        else:
            _log.error("Counting failed (%s).", request.kind.value, exc_info=error)
        return _FAILED

    def _store(self, counted: KeptCount) -> None:
        try:
            store_count(self._engine, counted)
        except SQLAlchemyError as error:
            # It is known all the same, until this process ends.
            _log.warning("A number that was counted could not be kept: %s", error)

    @contextmanager
    def _limited(self, connection: Connection) -> Iterator[None]:
        """Within the block, statements end when this is closed, or after the longest time."""
        driver = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            ends_at = time.monotonic() + self._longest
            assert driver is not None  # noqa: S101 - it has begun a transaction
            driver.set_progress_handler(
                lambda: self._stopped.is_set() or time.monotonic() > ends_at, _SQLITE_STEPS
            )
            try:
                yield
            finally:
                driver.set_progress_handler(None, 0)
            return
        connection.execute(text("SET TRANSACTION READ ONLY"))
        connection.execute(text(f"SET LOCAL statement_timeout = {int(1000 * self._longest)}"))
        self._driver = driver
        try:
            yield
        finally:
            self._driver = None


def _is_quick(last: KeptCount | None, patience: float) -> bool:
    """Return whether a number may be there within ``patience`` seconds, by what it took the last time."""
    return last is None or last.cost < patience
