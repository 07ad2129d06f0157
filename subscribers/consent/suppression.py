"""Addresses that must never get mail again, known only by a keyed hash.

The hash outlives an erasure: the address is gone, yet an import that brings it back is still refused. Without
the key it tells nothing, not even to somebody who has a list of addresses to try.
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, select, update

from subscribers.models import ConsentEvent, LiftedSuppression, Suppression

_MIN_KEY_BYTES = 16
_CHUNK = 500
"""Values in one IN list: far below SQLite's limit of bound parameters."""

_ADVISORY_LOCK = 0x70_6D_73_75
"""An advisory lock of PostgreSQL, any number of our own: whoever lets addresses in shares it, whoever shuts
one out has it alone, both until their transaction ends. Otherwise an address could come onto the list at the
very moment it is suppressed, each of the two not seeing the other. SQLite's writers wait anyhow."""


@dataclass(frozen=True)
class SuppressionKey:
    """The secret behind the digests. It must never change: erased addresses are known only by it.

    Raises:
        ValueError: the key is too short.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < _MIN_KEY_BYTES:
            raise ValueError(f"the suppression key is shorter than {_MIN_KEY_BYTES} bytes")

    def digest(self, email: str) -> str:
        """HMAC-SHA256 of a normalised address (:attr:`subscribers.address.Address.email`), 64 hex digits."""
        return hmac.digest(self.key, b"suppression\0" + email.encode("utf-8"), "sha256").hex()


def lock_suppressions_shared(session: Session) -> None:
    """Let nobody put an address on the list before the transaction ends.

    Whoever looks at the list and holds a subscriber calls it before they take hold: so do those who put
    somebody on it, and in two orders each could wait for the other.
    """
    _take_advisory_lock(session, "SELECT pg_advisory_xact_lock_shared(:door)")


def lock_both_lists(session: Session) -> None:
    """Let nobody put an address on the list, or on that of suppressions, before the transaction ends.

    Whoever suppresses the address of a subscriber they hold calls it before they take hold.
    """
    _take_advisory_lock(session, "SELECT pg_advisory_xact_lock(:door)")


def is_suppressed(session: Session, key: SuppressionKey, email: str) -> bool:
    """Whether the normalised address ``email`` must never get mail. A no holds until the transaction ends."""
    lock_suppressions_shared(session)
    return session.get(Suppression, key.digest(email)) is not None


def find_suppressed(session: Session, key: SuppressionKey, emails: Iterable[str]) -> frozenset[str]:
    """Those of the normalised addresses that must never get mail; one statement for some hundreds of them.

    Nobody can be shut out before the transaction ends, so whoever adds the others meanwhile adds no
    suppressed one.
    """
    lock_suppressions_shared(session)
    by_digest = {key.digest(email): email for email in emails}
    digests = list(by_digest)
    found: set[str] = set()
    for start in range(0, len(digests), _CHUNK):
        chunk = digests[start : start + _CHUNK]
        found.update(session.exec(select(Suppression.digest).where(col(Suppression.digest).in_(chunk))))
    return frozenset(by_digest[digest] for digest in found)


def add_suppression(
    session: Session, key: SuppressionKey, email: str, *, reason: ConsentEvent, now: datetime
) -> bool:
    """Put the normalised address on the list; whether it was not there yet. The first reason stays.

    On PostgreSQL it waits for those who are letting addresses in; look for its subscriber afterwards.
    """
    lock_both_lists(session)
    digest = key.digest(email)
    if session.get(Suppression, digest) is not None:
        return False
    session.add(Suppression(digest=digest, reason=reason, at=now))
    session.flush()
    return True


def remove_suppression(session: Session, key: SuppressionKey, email: str) -> None:
    """Take the normalised address off the list; its owner came back by their own hand."""
    suppression = session.get(Suppression, key.digest(email))
    if suppression is not None:
        session.delete(suppression)
        session.flush()


def read_suppression(session: Session, key: SuppressionKey, email: str) -> Suppression | None:
    """What is kept about the normalised address, None where it is not suppressed."""
    return session.get(Suppression, key.digest(email), populate_existing=True)


def lock_suppression(session: Session, key: SuppressionKey, email: str) -> Suppression | None:
    """As :func:`read_suppression`; nobody else changes it before the transaction ends."""
    lock_both_lists(session)
    return read_suppression(session, key, email)


def list_lifted_suppressions(
    session: Session, key: SuppressionKey, email: str
) -> Sequence[LiftedSuppression]:
    """Each time a person took the normalised address off the list, the first time first."""
    theirs = select(LiftedSuppression).where(LiftedSuppression.digest == key.digest(email))
    return session.exec(theirs.order_by(col(LiftedSuppression.id))).all()


def blank_lifted_suppressions(session: Session, key: SuppressionKey, email: str) -> None:
    """Empty what was written about the owner of the normalised address, who is being erased."""
    theirs = col(LiftedSuppression.digest) == key.digest(email)
    session.exec(update(LiftedSuppression).where(theirs).values(why=""))


def _take_advisory_lock(session: Session, statement: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(statement), {"door": _ADVISORY_LOCK})
