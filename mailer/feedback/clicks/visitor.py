"""Telling visitors apart for a day, without knowing who they are.

A visitor is a network address and a program. What is stored is an HMAC of both under two keys: one of the
workspace, and one of the day that is in the database and deleted with the day's last click. Neither a copy of
the database nor the workspace's keys alone is enough to try out addresses, and after a day or two nothing is.
"""

import contextlib
import hmac
import secrets
from datetime import UTC, date, datetime

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from mailer.database.click_models import ClickKey
from subscribers.consent.suppression import SuppressionKey

_KEY_BYTES = 32
_VISITOR_BYTES = 16
_NOT_A_DAY = date.min


class VisitorHasher:
    """Makes the hashes of visitors. All processes that share a database make the same. Not thread-safe."""

    def __init__(self, engine: Engine, key: SuppressionKey) -> None:
        self._engine = engine
        self._own_key = key
        self._day = _NOT_A_DAY
        self._day_key = b""

    def hash_visitor(self, address: str, user_agent: str, *, at: datetime) -> bytes:
        """The 16 bytes that stand for a visitor on the day of ``at`` (UTC).

        Raises:
            SQLAlchemyError: the day's key could not be read or made.
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
