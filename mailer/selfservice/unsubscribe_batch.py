"""Many who press the button of their mail program in the same moment, written down in one transaction.

On SQLite one writer at a time has the database, and a campaign that is sent takes it hundreds of times a
second. Whoever gets the turn writes for all who wait meanwhile, so a crowd waits no longer than one of them.
"""

import threading
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.engine import session
from mailer.selfservice.unsubscribe import leave_in, read_claim
from mailer.workspace import Keys
from subscribers.errors import TokenError
from subscribers.tokens import TokenClaim


@dataclass
class _Wish:
    """One press: whose, when, and what became of it."""

    claim: TokenClaim
    now: datetime
    is_done: bool = False
    error: Exception | None = None


class LeavingDesk:
    """Takes the presses of one process. Safe to share between threads."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self._engine = engine
        self._keys = keys
        self._list = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Wish] = []

    def leave(self, token: str, *, now: datetime) -> None:
        """Let the reader leave; it is committed when this returns.

        Raises:
            TokenError: the token is not ours, or its subscriber is not on our list.
        """
        wish = _Wish(read_claim(self._keys, token), now)
        if self._engine.dialect.name != "sqlite":
            # Others write beside it, and a crowd in one transaction could only wait for each other in a ring.
            self._write([wish])
        else:
            with self._list:
                self._waiting.append(wish)
            with self._turn:
                if not wish.is_done:
                    with self._list:
                        crowd, self._waiting = self._waiting, []
                    self._write(crowd)
        if wish.error is not None:
            raise wish.error

    def _write(self, crowd: list[_Wish]) -> None:
        try:
            with session(self._engine) as opened:
                for wish in crowd:
                    self._grant(opened, wish)
                opened.commit()
        except Exception as error:
            # Nothing of it was kept, so nobody may be told that it was.
            for wish in crowd:
                wish.error = wish.error or error
        finally:
            for wish in crowd:
                wish.is_done = True

    @staticmethod
    def _grant(opened: Session, wish: _Wish) -> None:
        try:
            leave_in(opened, wish.claim, now=wish.now)
        except TokenError as error:
            # Found out before anything was written for it: the others are none the worse.
            wish.error = error
