"""Taking an address off the suppression list: a person's decision, and a record of it. Nothing here commits.

It makes nobody active. A subscriber who is gone stays gone until they come back by their own hand, and what
the owner of an address wished is not the team's to undo.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Unpack

from sqlmodel import Session, select

from subscribers.address import normalise_address
from subscribers.consent.status_changes import Circumstances, record
from subscribers.consent.suppression import SuppressionKey, hold_suppression, read_suppression
from subscribers.errors import DetailError, SuppressionError
from subscribers.models import Event, LiftedSuppression, Status, Subscriber, Suppression
from subscribers.validation import clean_line

_OWN_WISHES: Mapping[Event, str] = MappingProxyType(
    {
        Event.complained: "its owner reported our mail as spam",
        Event.unsubscribed: "its owner unsubscribed",
    }
)


@dataclass(frozen=True, kw_only=True)
class Suppressed:
    """A suppressed address: ``reason`` and ``since`` when, and the ``status`` of its subscriber, None for an
    address that is nobody's on the list."""

    email: str
    reason: Event
    since: datetime
    status: Status | None


def look_at_suppression(session: Session, address: str, *, key: SuppressionKey) -> Suppressed:
    """What :func:`unsuppress` would take off the list. Writes nothing.

    Raises:
        AddressError: it is no address.
        SuppressionError: it is not suppressed, or its owner alone may end that.
    """
    email = normalise_address(address).email
    suppression, subscriber = read_suppression(session, key, email), _find(session, email)
    return _describe(email, _judge(email, suppression, subscriber), subscriber)


def unsuppress(
    session: Session,
    address: str,
    *,
    key: SuppressionKey,
    by: str,
    why: str,
    **circumstances: Unpack[Circumstances],
) -> Suppressed:
    """Take ``address`` off the list of those that must never get mail; ``by`` whom and ``why`` is kept.

    The caller commits. Raises as :func:`look_at_suppression` does, and:

    Raises:
        DetailError: ``by`` or ``why`` is empty, too long or cannot be shown.
    """
    by, why, email = _read(by, "by"), _read(why, "reason"), normalise_address(address).email
    held, subscriber = hold_suppression(session, key, email), _find(session, email)
    suppression = _judge(email, held, subscriber)
    found = _describe(email, suppression, subscriber)
    session.add(_lift(suppression, by, why, circumstances["method"], circumstances["now"]))
    session.delete(suppression)
    session.flush()
    if subscriber is not None:
        circumstances.setdefault("evidence", f"{by}: {why} (was {found.reason} since {found.since:%Y-%m-%d})")
        record(session, subscriber, Event.unsuppressed, **circumstances)
    return found


def _judge(email: str, suppression: Suppression | None, subscriber: Subscriber | None) -> Suppression:
    if suppression is None:
        raise SuppressionError(
            f"{email} is not suppressed. To see whether it is on the list: mailer subscribers show {email}"
        )
    if suppression.reason in _OWN_WISHES:
        # Without a subscriber there is nobody whom a link could bring back.
        way = (
            "with another address"
            if subscriber is None
            else "through the link in any newsletter they have received"
        )
        raise SuppressionError(
            f"{email} stays suppressed: {_OWN_WISHES[suppression.reason]} on {suppression.at:%Y-%m-%d}, and "
            f"only its owner can undo that, {way}."
        )
    return suppression


def _describe(email: str, suppression: Suppression, subscriber: Subscriber | None) -> Suppressed:
    status = None if subscriber is None else Status(subscriber.status)
    return Suppressed(email=email, reason=Event(suppression.reason), since=suppression.at, status=status)


def _lift(suppression: Suppression, by: str, why: str, method: str, now: datetime) -> LiftedSuppression:
    return LiftedSuppression(
        digest=suppression.digest,
        reason=suppression.reason,
        since=suppression.at,
        lifted_at=now,
        method=method,
        lifted_by=by,
        why=why,
    )


def _find(session: Session, email: str) -> Subscriber | None:
    return session.exec(select(Subscriber).where(Subscriber.email == email)).one_or_none()


def _read(text: str, field: str) -> str:
    line = clean_line(text, field)
    if not line:
        raise DetailError(field, "enter a few words; they are kept on record.")
    return line
