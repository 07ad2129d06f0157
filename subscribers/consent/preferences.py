"""What subscribers change themselves: preferences, the consent to record their clicks, their address.

Nothing here commits.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date
from typing import Unpack

from sqlmodel import Session, col, delete, select

from locales.countries import is_country
from subscribers.address import normalise_address
from subscribers.consent.status_changes import (
    GONE_STATUSES,
    ConsentContext,
    add_consent_record,
    change_status,
    lock_subscriber,
    record_update,
    replace_values,
)
from subscribers.consent.suppression import SuppressionKey, is_suppressed
from subscribers.errors import AddressError, DetailError, UnknownSubscriberError
from subscribers.models import (
    ConsentEvent,
    MailedLink,
    Status,
    Subscriber,
    SubscriberCountry,
    SubscriberSector,
)
from subscribers.queries import read_sectors
from subscribers.validation import clean_language, clean_line, clean_sectors


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """A subscriber's preferences. ``country`` is alpha-2, ``language`` a BCP 47 tag, either None if unknown.
    Mail resumes on the day ``paused_until``, None if it is not paused; ``countries`` are followed besides
    their own.
    """

    name: str
    country: str | None
    sectors: frozenset[str]
    language: str | None
    paused_until: date | None
    countries: frozenset[str] = frozenset()


_FIELD_NAMES = tuple(choice.name for choice in fields(Preferences))


def read_preferences(session: Session, subscriber_id: int) -> Preferences:
    """Return the preferences of a subscriber, even one who unsubscribed. Raise UnknownSubscriberError if
    there is no such subscriber, or it was erased.
    """
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None or subscriber.status is Status.erased:
        raise UnknownSubscriberError(subscriber_id)
    return _make_preferences(session, subscriber)


def save_preferences(
    session: Session,
    subscriber_id: int,
    preferences: Preferences,
    *,
    sectors: Collection[str] | None = None,
    **context: Unpack[ConsentContext],
) -> frozenset[str]:
    """Save a subscriber's preferences with a consent record; return which changed. The caller commits.

    ``sectors`` are the configured slugs; with None they are not checked. A pause until today or earlier ends
    the pause. Raise UnknownSubscriberError if there is no such subscriber, or it was erased, and DetailError
    if a preference is invalid; nothing was saved then.
    """
    subscriber = lock_subscriber(session, subscriber_id)
    if subscriber.status is Status.erased:
        raise UnknownSubscriberError(subscriber_id)
    before = _make_preferences(session, subscriber)
    after = _validate(preferences, sectors, today=context["now"].date())
    changed = frozenset(name for name in _FIELD_NAMES if getattr(before, name) != getattr(after, name))
    if "paused_until" in changed:
        _pause(session, subscriber, after.paused_until, **context)
    if details := changed - {"paused_until"}:
        subscriber.name, subscriber.country, subscriber.language = after.name, after.country, after.language
        if "sectors" in details:
            replace_values(session, SubscriberSector, subscriber_id, after.sectors)
        if "countries" in details:
            replace_values(session, SubscriberCountry, subscriber_id, after.countries)
        record_update(session, subscriber, f"changed: {', '.join(sorted(details))}", **context)
    return changed


def _make_preferences(session: Session, subscriber: Subscriber) -> Preferences:
    return Preferences(
        name=subscriber.name,
        country=subscriber.country,
        sectors=frozenset(read_sectors(session, [subscriber])[subscriber.id or 0]),
        language=subscriber.language,
        paused_until=subscriber.paused_until,
        countries=read_countries(session, subscriber.id or 0),
    )


def read_countries(session: Session, subscriber_id: int) -> frozenset[str]:
    wanted = select(SubscriberCountry.country).where(SubscriberCountry.subscriber_id == subscriber_id)
    return frozenset(session.exec(wanted))


def _validate(preferences: Preferences, sectors: Collection[str] | None, *, today: date) -> Preferences:
    country = preferences.country or None
    if not all(map(is_country, preferences.countries | frozenset([country] if country else []))):
        raise DetailError("country", "choose one of the countries offered.")
    paused_until = preferences.paused_until
    return Preferences(
        name=clean_line(preferences.name, "name"),
        country=country,
        sectors=clean_sectors(preferences.sectors, preferences.sectors if sectors is None else sectors),
        language=clean_language(preferences.language or ""),
        paused_until=paused_until if paused_until is not None and paused_until > today else None,
        countries=preferences.countries,
    )


def _pause(
    session: Session,
    subscriber: Subscriber,
    paused_until: date | None,
    **context: Unpack[ConsentContext],
) -> None:
    if paused_until is None:
        change_status(session, subscriber, Status.active, event=ConsentEvent.resumed, **context)
        return
    if subscriber.status not in {Status.active, Status.paused}:
        raise DetailError("paused_until", "you are not receiving mail at present, so you cannot pause it.")
    change_status(
        session, subscriber, Status.paused, event=ConsentEvent.paused, paused_until=paused_until, **context
    )


def set_click_consent(
    session: Session, subscriber_id: int, consent: bool, **context: Unpack[ConsentContext]
) -> bool:
    """Give or withdraw the consent, with a consent record; return whether that is a change. The caller
    commits, and forgets what was recorded if it is withdrawn. Only the subscriber may do this, so an import
    never does. Raise UnknownSubscriberError if there is no such subscriber, or it was erased.
    """
    subscriber = lock_subscriber(session, subscriber_id)
    if subscriber.status is Status.erased:
        raise UnknownSubscriberError(subscriber_id)
    if subscriber.click_consent is consent:
        return False
    subscriber.click_consent = consent
    answer = "given" if consent else "withdrawn"
    record_update(session, subscriber, f"consent to record the links they follow: {answer}", **context)
    return True


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
    address stop working, and the record does not quote it. Raise AddressError if ``address`` is not valid, is
    taken or is suppressed, and UnknownSubscriberError if there is no such subscriber, or they are gone.
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
