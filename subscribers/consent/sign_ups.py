"""Double opt-in: signing up on a page, confirming from the mailbox, and being admitted by the team.

Signing up alone never starts any mail, and signing up with a suppressed address has no effect. The page must
show a visitor the same answer in every case. Where a person of the team admits sign-ups, nobody gets mail
until then: a new subscriber stays pending, one who had left stays gone. Nothing here commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Row
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from subscribers.address import normalise_address
from subscribers.consent.status_changes import (
    ConsentContext,
    add_consent_record,
    change_status,
    lock_address,
    lock_subscriber,
)
from subscribers.consent.suppression import SuppressionKey, is_suppressed, lock_suppressions_shared
from subscribers.errors import StatusError, UnknownSubscriberError
from subscribers.models import ConsentEvent, SignUpReview, Status, Subscriber

_ON_THE_LIST = frozenset({Status.active, Status.paused})


def request_opt_in(
    session: Session, address: str, *, key: SuppressionKey, **context: Unpack[ConsentContext]
) -> Subscriber | None:
    """Record a sign-up for ``address`` and return who may be mailed; a new subscriber becomes pending. If
    they are pending or gone, mail a confirmation link; if active or paused, they are already on the list.

    A subscriber who is gone stays so until they confirm, so that an abandoned sign-up never lets an import
    bring them back. To a suppressed address no mail may be sent: the result is None. Raise AddressError if
    ``address`` is not valid.
    """
    normalised = normalise_address(address)
    if is_suppressed(session, key, normalised.email):
        return None
    subscriber = lock_address(session, normalised.email)
    if subscriber is None:
        now = context["now"]
        subscriber = Subscriber(
            email=normalised.email,
            envelope=normalised.envelope,
            status=Status.pending,
            created_at=now,
            updated_at=now,
        )
        session.add(subscriber)
        session.flush()
        add_consent_record(session, subscriber, ConsentEvent.requested, **context)
    elif subscriber.status not in _ON_THE_LIST:
        # Pending subscribers are deleted some time after their last sign-up.
        subscriber.updated_at = context["now"]
        add_consent_record(session, subscriber, ConsentEvent.requested, **context)
    return subscriber


def confirm_opt_in(
    session: Session, subscriber_id: int, *, key: SuppressionKey, **context: Unpack[ConsentContext]
) -> bool:
    """Activate a subscriber who confirmed from their mailbox; return whether that changed anything. Raise
    UnknownSubscriberError if the subscriber was deleted or erased, and StatusError if the address was
    suppressed since.
    """
    subscriber = _lock_confirming(session, subscriber_id, key)
    if subscriber.status in _ON_THE_LIST:
        return False
    change_status(session, subscriber, Status.active, event=ConsentEvent.subscribed, **context)
    return True


def hold_opt_in(
    session: Session, subscriber_id: int, *, key: SuppressionKey, **context: Unpack[ConsentContext]
) -> bool:
    """Keep a sign-up that was confirmed from the mailbox until a person admits it; return whether it waits.

    It does not if they are on the list already. Confirming again changes nothing, and confirming after the
    team has declined lets it wait anew. Raises as :func:`confirm_opt_in` does.
    """
    subscriber = _lock_confirming(session, subscriber_id, key)
    if subscriber.status in _ON_THE_LIST:
        return False
    known = session.get(SignUpReview, subscriber_id)
    if known is not None and known.declined_at is None:
        return True
    if known is not None:
        session.delete(known)
        session.flush()
    add_consent_record(session, subscriber, ConsentEvent.requested, **context)
    subscriber.updated_at = context["now"]
    session.add(subscriber)
    session.add(
        SignUpReview(
            subscriber_id=subscriber_id,
            confirmed_at=context["now"],
            source=context.get("source", ""),
            wording=context.get("wording", ""),
            wording_version=context.get("wording_version", ""),
            language=context.get("language", ""),
            evidence=context.get("evidence", ""),
        )
    )
    session.flush()
    return True


def _lock_confirming(session: Session, subscriber_id: int, key: SuppressionKey) -> Subscriber:
    """Lock a subscriber who confirms; refuse one who was erased, or one off the list who is suppressed."""
    lock_suppressions_shared(session)
    subscriber = lock_subscriber(session, subscriber_id)
    if subscriber.status is Status.erased:
        raise UnknownSubscriberError(subscriber_id)
    if subscriber.status not in _ON_THE_LIST and is_suppressed(session, key, subscriber.email):
        raise StatusError("This address can no longer receive mail. Contact the team to be added again.")
    return subscriber


def is_sign_up_waiting(session: Session, subscriber_id: int) -> bool:
    """Return whether the person has confirmed a sign-up about which the team has not decided."""
    review = session.get(SignUpReview, subscriber_id)
    return review is not None and review.declined_at is None


def admit_sign_up(
    session: Session, subscriber_id: int, *, key: SuppressionKey, by: str, method: str, now: datetime
) -> bool:
    """Make a subscriber active whose sign-up waits, or was declined; return whether that changed anything.

    The consent record has the wording that the person confirmed and when. Raise UnknownSubscriberError if the
    subscriber was deleted or erased, and StatusError if they have left since, or the address was suppressed.
    """
    lock_suppressions_shared(session)
    subscriber = lock_subscriber(session, subscriber_id)
    if subscriber.status is Status.erased:
        raise UnknownSubscriberError(subscriber_id)
    review = session.get(SignUpReview, subscriber_id, populate_existing=True, with_for_update=True)
    if subscriber.status in _ON_THE_LIST:
        return False
    if review is None:
        raise StatusError(
            f"There is no sign-up of {subscriber.email} to admit. They can sign up again on the page."
        )
    if is_suppressed(session, key, subscriber.email):
        raise StatusError(f"{subscriber.email} must not get mail: the address has been blocked since.")
    said = f"; {review.evidence}" if review.evidence else ""
    change_status(
        session,
        subscriber,
        Status.active,
        event=ConsentEvent.subscribed,
        method=method,
        now=now,
        source=review.source,
        wording=review.wording,
        wording_version=review.wording_version,
        language=review.language,
        evidence=f"confirmed {review.confirmed_at:%Y-%m-%d %H:%M} UTC{said}; admitted by {by}",
    )
    return True


def decline_sign_up(session: Session, subscriber_id: int, *, now: datetime) -> bool:
    """Decline a sign-up that waits; return whether it did. The person keeps the status they had and gets no
    mail; one who was never on the list is deleted after ``[retention] pending_days``. Raise
    UnknownSubscriberError if there is no such subscriber.
    """
    subscriber = lock_subscriber(session, subscriber_id)
    review = session.get(SignUpReview, subscriber_id, populate_existing=True, with_for_update=True)
    if review is None or review.declined_at is not None:
        return False
    review.declined_at = now
    # The days until it is deleted count from the decision.
    subscriber.updated_at = now
    session.add_all([review, subscriber])
    session.flush()
    return True


def count_waiting_sign_ups(session: Session) -> int:
    waiting = select(func.count()).select_from(SignUpReview).where(col(SignUpReview.declined_at).is_(None))
    return session.exec(waiting).one()


def list_waiting_sign_ups(
    session: Session, *, after: tuple[datetime, int] | None = None, limit: int
) -> Sequence[Row[Any]]:
    """Return the sign-ups that wait, the longest waiting first; ``after`` has the time and the number of the
    last one before.

    Each has ``confirmed_at``, and of its person ``subscriber_id``, ``email``, ``name``, ``language`` and
    ``status``, which is pending, or why they had left before.
    """
    columns: tuple[Any, ...] = (
        *(col(SignUpReview.confirmed_at), col(SignUpReview.subscriber_id), col(Subscriber.email)),
        *(col(Subscriber.name), col(Subscriber.language), col(Subscriber.status)),
    )
    wanted = (
        select_columns(*columns)
        .join(Subscriber, col(Subscriber.id) == col(SignUpReview.subscriber_id))
        .where(col(SignUpReview.declined_at).is_(None))
        .order_by(col(SignUpReview.confirmed_at), col(SignUpReview.subscriber_id))
        .limit(limit)
    )
    if after is not None:
        at, number = after
        later = col(SignUpReview.confirmed_at) > at
        same = (col(SignUpReview.confirmed_at) == at) & (col(SignUpReview.subscriber_id) > number)
        wanted = wanted.where(later | same)
    return session.connection().execute(wanted).all()
