"""Whether a subscriber has agreed that the links they follow are recorded with their name."""

from typing import Unpack

from sqlmodel import Session

from subscribers.consent.status_changes import ConsentContext, add_consent_record, lock_subscriber
from subscribers.errors import UnknownSubscriberError
from subscribers.models import ConsentEvent, Status


def set_click_consent(
    session: Session, subscriber_id: int, consent: bool, **context: Unpack[ConsentContext]
) -> bool:
    """Give or withdraw the consent, with a consent record; return whether that is a change. The caller
    commits, and forgets what was recorded if it is withdrawn.

    Only the subscriber may do this, so an import never does.

    Raises:
        UnknownSubscriberError: there is no such subscriber, or it was erased.
    """
    subscriber = lock_subscriber(session, subscriber_id)
    if subscriber.status is Status.erased:
        raise UnknownSubscriberError(subscriber_id)
    if subscriber.click_consent is consent:
        return False
    subscriber.click_consent = consent
    subscriber.updated_at = context["now"]
    session.add(subscriber)
    said = context.get("evidence", "")
    answer = "given" if consent else "withdrawn"
    context["evidence"] = f"{said}\nconsent to record the links they follow: {answer}".strip()
    add_consent_record(session, subscriber, ConsentEvent.updated, **context)
    return True
