"""Giving a subscriber another address, by their own hand. Nothing here commits."""

from typing import Unpack

from sqlmodel import Session, col, delete, select

from subscribers.address import normalise_address
from subscribers.consent.status_changes import (
    GONE_STATUSES,
    ConsentContext,
    add_consent_record,
    lock_subscriber,
)
from subscribers.consent.suppression import SuppressionKey, is_suppressed
from subscribers.errors import AddressError, UnknownSubscriberError
from subscribers.models import ConsentEvent, MailedLink, Status, Subscriber


def change_address(
    session: Session,
    subscriber_id: int,
    address: str,
    *,
    key: SuppressionKey,
    **context: Unpack[ConsentContext],
) -> bool:
    """Let the subscriber get mail at ``address`` from now on; whether that changed anything.

    Call it for a link that was mailed to the new address and nowhere else. Nobody escapes a suppression this
    way: neither may the new address be suppressed, nor somebody who is gone move. Links that were mailed to
    the old address stop working, and the record does not quote it.

    Raises:
        AddressError: it is no address, or cannot be this subscriber's.
        UnknownSubscriberError: there is no such subscriber, or they are gone.
    """
    normalised = normalise_address(address)
    barred = is_suppressed(session, key, normalised.email)
    subscriber = lock_subscriber(session, subscriber_id)
    if subscriber.status in GONE_STATUSES or subscriber.status is Status.pending:
        raise UnknownSubscriberError(subscriber_id)
    if normalised.email == subscriber.email:
        return False
    taken = session.exec(select(Subscriber.id).where(Subscriber.email == normalised.email)).first()
    if barred or taken is not None:
        # One answer for both, and for nothing else: the page that shows it was opened from that mailbox.
        raise AddressError(address, "it is already on the list or must not receive mail; contact the team")
    subscriber.email, subscriber.envelope = normalised.email, normalised.envelope
    subscriber.updated_at = context["now"]
    session.add(subscriber)
    session.exec(delete(MailedLink).where(col(MailedLink.subscriber_id) == subscriber_id))
    context.setdefault("evidence", "address changed")
    add_consent_record(session, subscriber, ConsentEvent.updated, **context)
    return True
