"""Lift the suppression of an address by decision of the team, and record it. Nothing here commits.

This does not make anyone active. A subscriber who is gone stays so until they come back themselves, and the
team cannot undo what the owner of an address asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Unpack

from sqlmodel import Session, select

from subscribers.address import normalise_address
from subscribers.consent.status_changes import ConsentContext, add_consent_record
from subscribers.consent.suppression import SuppressionKey, lock_suppression, read_suppression
from subscribers.errors import DetailError, SuppressionError
from subscribers.models import ConsentEvent, LiftedSuppression, Status, Subscriber, Suppression
from subscribers.validation import clean_line

_OWNER_REASONS: Mapping[ConsentEvent, str] = MappingProxyType(
    {
        ConsentEvent.complained: "its owner reported our mail as spam",
        ConsentEvent.unsubscribed: "its owner unsubscribed",
    }
)


@dataclass(frozen=True, kw_only=True)
class SuppressedAddress:
    """A suppressed address: ``reason`` and ``since`` when, and the ``status`` of its subscriber, None if it
    has none."""

    email: str
    reason: ConsentEvent
    since: datetime
    status: Status | None


def preview_unsuppress(session: Session, address: str, *, key: SuppressionKey) -> SuppressedAddress:
    """What :func:`unsuppress` would lift. Writes nothing.

    Raises:
        AddressError: ``address`` is not valid.
        SuppressionError: it is not suppressed, or only its owner may lift the suppression.
    """
    email = normalise_address(address).email
    suppression, subscriber = read_suppression(session, key, email), _find_subscriber(session, email)
    return _describe(email, _require_liftable(email, suppression, subscriber), subscriber)


def unsuppress(
    session: Session,
    address: str,
    *,
    key: SuppressionKey,
    by: str,
    why: str,
    **context: Unpack[ConsentContext],
) -> SuppressedAddress:
    """Lift the suppression of ``address``; ``by`` whom and ``why`` are kept on record.

    The caller commits. Raises as :func:`preview_unsuppress` does, and:

    Raises:
        DetailError: ``by`` or ``why`` is empty, too long or not printable.
    """
    by, why, email = _require_text(by, "by"), _require_text(why, "reason"), normalise_address(address).email
    held, subscriber = lock_suppression(session, key, email), _find_subscriber(session, email)
    suppression = _require_liftable(email, held, subscriber)
    found = _describe(email, suppression, subscriber)
    session.add(_make_lifted_record(suppression, by, why, context["method"], context["now"]))
    session.delete(suppression)
    session.flush()
    if subscriber is not None:
        context.setdefault("evidence", f"{by}: {why} (was {found.reason} since {found.since:%Y-%m-%d})")
        add_consent_record(session, subscriber, ConsentEvent.unsuppressed, **context)
    return found


def _require_liftable(
    email: str, suppression: Suppression | None, subscriber: Subscriber | None
) -> Suppression:
    if suppression is None:
        raise SuppressionError(
            f"{email} is not suppressed. To see whether it is on the list: mailer subscribers show {email}"
        )
    if suppression.reason in _OWNER_REASONS:
        # Without a subscriber there is no link to come back through.
        way = (
            "with another address"
            if subscriber is None
            else "through the link in any newsletter they have received"
        )
        raise SuppressionError(
            f"{email} stays suppressed: {_OWNER_REASONS[suppression.reason]} on {suppression.at:%Y-%m-%d}, "
            f"and only its owner can undo that, {way}."
        )
    return suppression


def _describe(email: str, suppression: Suppression, subscriber: Subscriber | None) -> SuppressedAddress:
    status = None if subscriber is None else Status(subscriber.status)
    return SuppressedAddress(
        email=email, reason=ConsentEvent(suppression.reason), since=suppression.at, status=status
    )


def _make_lifted_record(
    suppression: Suppression, by: str, why: str, method: str, now: datetime
) -> LiftedSuppression:
    return LiftedSuppression(
        digest=suppression.digest,
        reason=suppression.reason,
        since=suppression.at,
        lifted_at=now,
        method=method,
        lifted_by=by,
        why=why,
    )


def _find_subscriber(session: Session, email: str) -> Subscriber | None:
    return session.exec(select(Subscriber).where(Subscriber.email == email)).one_or_none()


def _require_text(text: str, field: str) -> str:
    line = clean_line(text, field)
    if not line:
        raise DetailError(field, "enter a few words; they are kept on record.")
    return line
