"""The suppression list: addresses that must never receive mail again, stored as keyed hashes.

The hash outlives an erasure: the address is deleted, but an import that contains it is still refused. Without
the key it reveals nothing, not even to someone with a list of addresses to try.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, select, update

from subscribers.models import ConsentEvent, LiftedSuppression, Suppression

_MIN_KEY_BYTES = 16

_ADVISORY_LOCK = 0x70_6D_73_75
"""The number of a PostgreSQL advisory lock. Transactions that add subscribers share it; one that suppresses
an address holds it exclusively. Otherwise an address could be added at the moment it is suppressed, with
neither transaction seeing the other. SQLite has only one writer at a time."""


@dataclass(frozen=True)
class SuppressionKey:
    """The secret key of the digests. It must never change: erased addresses are known only by their digest.
    Raise ValueError if it is too short.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < _MIN_KEY_BYTES:
            raise ValueError(f"the suppression key is shorter than {_MIN_KEY_BYTES} bytes")

    def digest(self, email: str) -> str:
        """Return the HMAC-SHA256 of a normalised address (:attr:`subscribers.address.Address.email`), 64
        hex digits."""
        return hmac.digest(self.key, b"suppression\0" + email.encode("utf-8"), "sha256").hex()


def lock_suppressions_shared(session: Session) -> None:
    """Keep other transactions from suppressing an address until this one ends.

    Call this before locking a subscriber: transactions that suppress an address take their locks in the same
    order, and two different orders could deadlock.
    """
    _take_advisory_lock(session, "SELECT pg_advisory_xact_lock_shared(:number)")


def lock_suppressions_exclusively(session: Session) -> None:
    """Keep other transactions from adding a subscriber or suppressing an address until this one ends."""
    _take_advisory_lock(session, "SELECT pg_advisory_xact_lock(:number)")


def is_suppressed(session: Session, key: SuppressionKey, email: str) -> bool:
    """Return whether the normalised address ``email`` is suppressed; "no" holds for this transaction."""
    lock_suppressions_shared(session)
    return session.get(Suppression, key.digest(email)) is not None


def add_suppression(
    session: Session, key: SuppressionKey, email: str, *, reason: ConsentEvent, now: datetime
) -> bool:
    """Suppress the normalised address; return whether it is new. The first reason is kept.

    On PostgreSQL this waits for transactions that add subscribers, so look for the subscriber afterwards.
    """
    lock_suppressions_exclusively(session)
    digest = key.digest(email)
    if session.get(Suppression, digest) is not None:
        return False
    session.add(Suppression(digest=digest, reason=reason, at=now))
    session.flush()
    return True


def remove_suppression(session: Session, key: SuppressionKey, email: str) -> None:
    """Remove the suppression of the normalised address, whose owner came back themselves."""
    suppression = session.get(Suppression, key.digest(email))
    if suppression is not None:
        session.delete(suppression)
        session.flush()


def read_suppression(session: Session, key: SuppressionKey, email: str) -> Suppression | None:
    return session.get(Suppression, key.digest(email), populate_existing=True)


def list_lifted_suppressions(
    session: Session, key: SuppressionKey, email: str
) -> Sequence[LiftedSuppression]:
    theirs = select(LiftedSuppression).where(LiftedSuppression.digest == key.digest(email))
    return session.exec(theirs.order_by(col(LiftedSuppression.id))).all()


def blank_lifted_suppressions(session: Session, key: SuppressionKey, email: str) -> None:
    """Empty the reasons given for lifting, because the owner of the address is being erased."""
    theirs = col(LiftedSuppression.digest) == key.digest(email)
    session.exec(update(LiftedSuppression).where(theirs).values(why=""))


def _take_advisory_lock(session: Session, statement: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(statement), {"number": _ADVISORY_LOCK})
