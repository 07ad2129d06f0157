"""Double opt-in: signing up on a page, and confirming from the mailbox.

Signing up alone never starts any mail, and signing up with a suppressed address has no effect. Nothing here
commits. The page must show a visitor the same answer in every case.
"""

from dataclasses import dataclass
from typing import Unpack

from sqlmodel import Session, select

from subscribers.address import normalise_address
from subscribers.consent.status_changes import (
    ConsentContext,
    StatusChange,
    add_consent_record,
    change_status,
    lock_subscriber,
)
from subscribers.consent.suppression import SuppressionKey, is_suppressed, lock_suppressions_shared
from subscribers.errors import StatusError, UnknownSubscriberError
from subscribers.models import ConsentEvent, Status, Subscriber


@dataclass(frozen=True, kw_only=True)
class OptInRequest:
    """The outcome of a sign-up. ``subscriber_id`` is who may be mailed, None if no mail may be sent.

    If ``status`` is pending or gone, mail a confirmation link; if it is active or paused, they are already
    on the list.
    """

    subscriber_id: int | None
    status: Status | None


NO_RECIPIENT = OptInRequest(subscriber_id=None, status=None)


def request_opt_in(
    session: Session, address: str, *, key: SuppressionKey, **context: Unpack[ConsentContext]
) -> OptInRequest:
    """Record a sign-up for ``address``; a new subscriber becomes pending.

    A subscriber who is gone stays so until they confirm, so that an abandoned sign-up never lets an import
    bring them back. A suppressed address returns :data:`NO_RECIPIENT`.

    Raises:
        AddressError: ``address`` is not valid.
    """
    normalised = normalise_address(address)
    if is_suppressed(session, key, normalised.email):
        return NO_RECIPIENT
    wanted = select(Subscriber).where(Subscriber.email == normalised.email).with_for_update()
    subscriber = session.exec(wanted, execution_options={"populate_existing": True}).one_or_none()
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
    elif subscriber.status not in {Status.active, Status.paused}:
        # Pending subscribers are deleted some time after their last sign-up.
        subscriber.updated_at = context["now"]
        add_consent_record(session, subscriber, ConsentEvent.requested, **context)
    return OptInRequest(subscriber_id=subscriber.id, status=Status(subscriber.status))


def confirm_opt_in(
    session: Session, subscriber_id: int, *, key: SuppressionKey, **context: Unpack[ConsentContext]
) -> StatusChange:
    """Activate a subscriber who confirmed from their mailbox. Confirming again changes nothing.

    Raises:
        UnknownSubscriberError: the subscriber no longer exists, or was erased.
        StatusError: the address has been suppressed since.
    """
    lock_suppressions_shared(session)
    subscriber = lock_subscriber(session, subscriber_id)
    if subscriber.status is Status.erased:
        raise UnknownSubscriberError(subscriber_id)
    if subscriber.status in {Status.active, Status.paused}:
        return StatusChange(changed=False, status=subscriber.status)
    if is_suppressed(session, key, subscriber.email):
        raise StatusError("This address can no longer receive mail. Contact the team to be added again.")
    change_status(session, subscriber, Status.active, event=ConsentEvent.subscribed, **context)
    return StatusChange(changed=True, status=Status.active)
