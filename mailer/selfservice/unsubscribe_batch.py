"""Many who press the button of their mail program in the same moment, written down in one transaction.

On SQLite one writer at a time has the database, and a campaign that is sent takes it hundreds of times a
second. Whoever gets the turn writes for all who wait meanwhile, so a crowd waits no longer than one of them.
"""

import threading
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.engine import open_session
from mailer.selfservice.unsubscribe import read_token, unsubscribe_one_click
from mailer.workspace import Keys
from subscribers.errors import TokenError
from subscribers.tokens import TokenPayload


@dataclass
class _Request:
    """One press: whose, when, and what became of it."""

    claim: TokenPayload
    now: datetime
    is_done: bool = False
    error: Exception | None = None


class UnsubscribeBatcher:
    """Takes the presses of one process. Safe to share between threads."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self._keys = keys
        self._pending_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._pending: list[_Request] = []

    def unsubscribe(self, token: str, *, now: datetime) -> None:
        """Let the reader leave; it is committed when this returns.

        Raises:
            TokenError: the token is not ours, or its subscriber is not on our list.
        """
        wish = _Request(read_token(self._keys, token), now)
        if self._engine.dialect.name != "sqlite":
            # Others write beside it, and a crowd in one transaction could only wait for each other in a ring.
            self._write([wish])
        else:
            with self._pending_lock:
                self._pending.append(wish)
            with self._write_lock:
                if not wish.is_done:
                    with self._pending_lock:
                        crowd, self._pending = self._pending, []
                    self._write(crowd)
        if wish.error is not None:
            raise wish.error

    def _write(self, crowd: list[_Request]) -> None:
        try:
            with open_session(self._engine) as opened:
                for wish in crowd:
                    self._apply(opened, wish)
                opened.commit()
        except Exception as error:
            # Nothing of it was kept, so nobody may be told that it was.
            for wish in crowd:
                wish.error = wish.error or error
        finally:
            for wish in crowd:
                wish.is_done = True

    @staticmethod
    def _apply(opened: Session, wish: _Request) -> None:
        try:
            unsubscribe_one_click(opened, wish.claim, now=wish.now)
        except TokenError as error:
            # Found out before anything was written for it: the others are none the worse.
            wish.error = error
