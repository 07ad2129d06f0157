"""Writing down the clicks of a campaign, without making a reader wait or knowing who they are.

A page hands its request over and sends the reader on at once. A thread writes those of one moment in one
transaction, so that a crowd costs a running campaign few commits, and tries again when the database is busy
or away. What waits is bounded; what had to be left out is counted and said.

A visitor is a network address and a program. What is stored is an HMAC of both under two keys: one of the
workspace, and one of the day that is in the database and deleted with the day's last click. Neither a copy of
the database nor the workspace's keys alone is enough to try out addresses, and after a day or two nothing is.
"""

import contextlib
import hmac
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlmodel import Session, col

from mailer.database.engine import open_session
from mailer.database.report_models import Click, ClickKey
from mailer.feedback.clicks.request_signs import SIGN_HEADERS, ClickRequest, find_signs
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.consent.suppression import SuppressionKey
from subscribers.models import Subscriber

_KEY_BYTES = 32
_VISITOR_BYTES = 16
_NOT_A_DAY = date.min
CAPACITY = 20_000
"""How many requests may wait: about ten megabytes, and minutes of the busiest hour."""
_BATCH_SIZE = 500
_RETRY_SECONDS = 1.0
_CLOSE_SECONDS = 5.0
_LONGEST_HEADER = 500
_log = logging.getLogger(__name__)


class VisitorHasher:
    """Makes the hashes of visitors. All processes that share a database make the same. Not thread-safe."""

    def __init__(self, engine: Engine, key: SuppressionKey) -> None:
        self._engine = engine
        self._own_key = key
        self._day = _NOT_A_DAY
        self._day_key = b""

    def hash_visitor(self, address: str, user_agent: str, *, at: datetime) -> bytes:
        """Return the 16 bytes that stand for a visitor on the day of ``at`` (UTC). Raise SQLAlchemyError if
        the day's key could not be read or made.
        """
        day = at.astimezone(UTC).date()
        if day != self._day:
            self._day_key = self._load_key(day)
            self._day = day
        # No e-mail address has a NUL in it, so this is never the digest of one.
        inner = self._own_key.digest(f"click\0{day}\0{address}\0{user_agent}")
        return hmac.digest(self._day_key, inner.encode(), "sha256")[:_VISITOR_BYTES]

    def _load_key(self, day: date) -> bytes:
        known = select(col(ClickKey.key)).where(col(ClickKey.day) == day)
        with self._engine.connect().execution_options(read_only=True) as connection:
            found = connection.execute(known).scalar()
        if found is None:
            made = insert(ClickKey).values(day=day, key=secrets.token_bytes(_KEY_BYTES))
            # Another process may make it at the same moment; then its key serves for both.
            with contextlib.suppress(IntegrityError), self._engine.begin() as connection:
                connection.execute(made)
            with self._engine.connect().execution_options(read_only=True) as connection:
                found = connection.execute(known).scalar_one()
        return bytes(found)


class ClickRecorder:
    """Records the clicks of one process. Thread-safe; use it in a ``with`` statement, or call :meth:`start`
    and :meth:`close`.
    """

    def __init__(self, engine: Engine, key: SuppressionKey, *, capacity: int = CAPACITY) -> None:
        self._engine = engine
        self._visitors = VisitorHasher(engine, key)
        self._capacity = capacity
        self._condition = threading.Condition()
        self._waiting: deque[ClickRequest] = deque()
        self._in_hand = 0
        self._is_closing = False
        self._give_up_at = float("inf")
        self._thread = threading.Thread(target=self._run, name="mailer-clicks", daemon=True)
        self.dropped = 0
        """How many requests were left out because too many waited, or because the process ended first."""

    def __enter__(self) -> "ClickRecorder":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        self._thread.start()

    def record(self, request: ClickRequest) -> bool:
        """Take a request on; return whether there was room for it. Never waits for the database."""
        with self._condition:
            if self._is_closing or len(self._waiting) + self._in_hand >= self._capacity:
                self._drop(1)
                return False
            self._waiting.append(_trim(request))
            self._condition.notify_all()
            return True

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything that was taken on is written; return whether it is."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._waiting and not self._in_hand, timeout)

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Write what waits, and stop; what is not written after ``timeout`` seconds is counted as dropped."""
        with self._condition:
            self._is_closing = True
            self._give_up_at = time.monotonic() + timeout
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout + _RETRY_SECONDS)
        with self._condition:
            self._drop(len(self._waiting))
            self._waiting.clear()

    def _drop(self, number: int) -> None:
        if number:
            # Said at the first and then at every doubling, so that a flood does not fill the log.
            before, self.dropped = self.dropped, self.dropped + number
            if before.bit_length() != self.dropped.bit_length():
                _log.warning("Clicks left out so far: %d. The database did not take them.", self.dropped)

    def _run(self) -> None:
        last_words = ""
        while batch := self._take():
            try:
                self._write(batch)
                last_words = ""
            except SQLAlchemyError as error:
                self._put_back(batch)
                words = f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"
                if words != last_words:
                    _log.warning("Clicks could not be written (%s). They are kept, and tried again.", words)
                last_words = words
                with self._condition:
                    self._condition.wait_for(self._is_past_end, _RETRY_SECONDS)
            with self._condition:
                self._in_hand = 0
                self._condition.notify_all()

    def _write(self, batch: Sequence[ClickRequest]) -> None:
        try:
            write_clicks(self._engine, self._visitors, batch)
        except IntegrityError:
            # One that the database will never take, for a campaign that is no longer there, must not keep the
            # others waiting.
            if len(batch) == 1:
                with self._condition:
                    self._drop(1)
                return
            for request in batch:
                self._write([request])

    def _is_past_end(self) -> bool:
        return time.monotonic() >= self._give_up_at

    def _take(self) -> Sequence[ClickRequest]:
        """Wait for requests and take some; none means the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self._is_closing)
            if self._is_past_end():
                return ()
            number = min(len(self._waiting), _BATCH_SIZE)
            batch = [self._waiting.popleft() for _ in range(number)]
            self._in_hand = number
            return batch

    def _put_back(self, batch: Sequence[ClickRequest]) -> None:
        with self._condition:
            self._waiting.extendleft(reversed(batch))
            self._in_hand = 0


def write_clicks(engine: Engine, visitors: VisitorHasher, requests: Sequence[ClickRequest]) -> None:
    """Write requests down in one transaction. A reader is only named if they still agree to it, and are still
    on the list. Raise SQLAlchemyError if nothing was written.
    """
    hashes = [visitors.hash_visitor(one.address, one.user_agent, at=one.at) for one in requests]
    with open_session(engine) as session:
        agreed = _find_agreed(session, requests)
        rows = [
            _make_row(request, visitor, agreed) for request, visitor in zip(requests, hashes, strict=True)
        ]
        session.connection().execute(insert(Click), rows)
        session.commit()


def _trim(request: ClickRequest) -> ClickRequest:
    """Return a request without what nobody reads of it: a stranger decides how long its headers are."""
    headers = {
        name: request.headers[name][:_LONGEST_HEADER] for name in SIGN_HEADERS if name in request.headers
    }
    return replace(request, user_agent=request.user_agent[:_LONGEST_HEADER], headers=headers)


def _make_row(request: ClickRequest, visitor: bytes, agreed: frozenset[int]) -> dict[str, Any]:
    return {
        "campaign_id": request.campaign_id,
        "link_number": request.link_number,
        "country": request.country,
        "sectors": ",".join(sorted(request.sectors)),
        "subscriber_id": request.subscriber_id if request.subscriber_id in agreed else None,
        "clicked_at": request.at,
        "visitor": visitor,
        "signs": ",".join(find_signs(request)),
    }


def _find_agreed(session: Session, requests: Sequence[ClickRequest]) -> frozenset[int]:
    named = {one.subscriber_id for one in requests if one.subscriber_id is not None}
    if not named:
        return frozenset()
    willing = select(col(Subscriber.id)).where(
        col(Subscriber.id).in_(named),
        col(Subscriber.click_consent),
        col(Subscriber.status).not_in(GONE_STATUSES),
    )
    return frozenset(number for number in session.connection().scalars(willing) if number is not None)
