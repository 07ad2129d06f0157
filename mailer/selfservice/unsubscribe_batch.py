"""Writing many simultaneous one-click unsubscribe requests in one transaction.

SQLite allows one writer at a time, and a running campaign writes hundreds of times a second. The request that
gets the write lock writes for all requests waiting by then, so a crowd waits no longer than one of them.
"""

import threading
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.engine import open_session
from mailer.selfservice.subscription import read_token
from mailer.selfservice.unsubscribe import unsubscribe_one_click
from mailer.workspace import Keys
from subscribers.errors import TokenError
from subscribers.tokens import TokenPayload


@dataclass
class _Request:
    """One unsubscribe request and its result."""

    payload: TokenPayload
    now: datetime
    is_done: bool = False
    error: Exception | None = None


class UnsubscribeBatcher:
    """Batches the unsubscribe requests of one process. Thread-safe."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self._keys = keys
        self._pending_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._pending: list[_Request] = []

    def unsubscribe(self, token: str, *, now: datetime) -> None:
        """Unsubscribe the reader; the change is committed when this returns.

        Raises:
            TokenError: the token is invalid, or its subscriber is not on the list.
        """
        request = _Request(read_token(self._keys, token), now)
        if self._engine.dialect.name != "sqlite":
            # PostgreSQL has many writers at a time, and two batches could deadlock each other.
            self._write([request])
        else:
            with self._pending_lock:
                self._pending.append(request)
            with self._write_lock:
                if not request.is_done:
                    with self._pending_lock:
                        batch, self._pending = self._pending, []
                    self._write(batch)
        if request.error is not None:
            raise request.error

    def _write(self, batch: list[_Request]) -> None:
        try:
            with open_session(self._engine) as session:
                for request in batch:
                    self._apply(session, request)
                session.commit()
        except Exception as error:
            # Nothing was committed, so every request of the batch has failed.
            for request in batch:
                request.error = request.error or error
        finally:
            for request in batch:
                request.is_done = True

    @staticmethod
    def _apply(session: Session, request: _Request) -> None:
        try:
            unsubscribe_one_click(session, request.payload, now=request.now)
        except TokenError as error:
            # Raised before anything was written for this request, so the rest of the batch goes on.
            request.error = error
