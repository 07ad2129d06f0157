"""Change a subscriber's address at their own request. Nothing here commits."""

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
    """Send the subscriber's mail to ``address`` from now on; return whether that changed anything.

    Only call this for a link that was mailed to the new address. It offers no way around a suppression: the
    new address may not be suppressed, and a subscriber who is gone cannot move. Links mailed to the old
    address stop working, and the record does not quote it.

    Raises:
        AddressError: ``address`` is not valid, is taken or is suppressed.
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
        # One message for both cases: the page that shows it was opened from that mailbox.
        raise AddressError(address, "it is already on the list or must not receive mail; contact the team")
    subscriber.email, subscriber.envelope = normalised.email, normalised.envelope
    subscriber.updated_at = context["now"]
    session.add(subscriber)
    session.exec(delete(MailedLink).where(col(MailedLink.subscriber_id) == subscriber_id))
    context.setdefault("evidence", "address changed")
    add_consent_record(session, subscriber, ConsentEvent.updated, **context)
    return True
