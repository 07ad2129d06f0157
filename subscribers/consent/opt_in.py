"""Joining by one's own hand, in two steps: asking on a page, and confirming from the mailbox (double opt-in).

Asking alone never makes anybody get mail, and asking for an address that must never get mail does nothing at
all. Nothing here commits, and nothing here tells a page more than it may show: what it answers a visitor must
be the same in every case.
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
    """What asking came to. ``subscriber_id`` is whom a mail may go to, None where none must.

    ``status`` is where they stand: pending or gone, and a confirming link is what to mail; active or paused,
    and they are on the list already.
    """

    subscriber_id: int | None
    status: Status | None


NO_RECIPIENT = OptInRequest(subscriber_id=None, status=None)


def request_opt_in(
    session: Session, address: str, *, key: SuppressionKey, **context: Unpack[ConsentContext]
) -> OptInRequest:
    """Note that somebody asked for the newsletter at ``address``: a new subscriber is pending.

    Whoever left stays gone until they confirm, so that a request forgotten later leaves no gap through which
    an import could bring them back. A suppressed address comes to :data:`NOBODY`.

    Raises:
        AddressError: it is no address.
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
        # What is pending is deleted some time after it was last asked for.
        subscriber.updated_at = context["now"]
        add_consent_record(session, subscriber, ConsentEvent.requested, **context)
    return OptInRequest(subscriber_id=subscriber.id, status=Status(subscriber.status))


def confirm_opt_in(
    session: Session, subscriber_id: int, *, key: SuppressionKey, **context: Unpack[ConsentContext]
) -> StatusChange:
    """Put somebody on the list who has shown that the mailbox is theirs. Confirming again changes nothing.

    Raises:
        UnknownSubscriberError: there is no such subscriber any more, or it was erased.
        StatusError: the address was suppressed since.
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
