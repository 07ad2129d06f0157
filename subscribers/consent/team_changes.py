"""Changes that the team makes to one subscriber, each with its record. Nothing here commits.

Every value is checked by the functions that an import uses. Lifting a suppression makes nobody active: a
subscriber who is gone stays so until they come back themselves, and the team cannot undo what the owner of an
address asked for.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Unpack

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from locales.phrase import gettext_noop
from subscribers.address import normalise_address
from subscribers.consent.status_changes import (
    ConsentContext,
    add_consent_record,
    change_status,
    lock_kept_subscriber,
    record_update,
    replace_values,
)
from subscribers.consent.status_changes import unsubscribe as unsubscribe_subscriber
from subscribers.consent.suppression import (
    SuppressionKey,
    lock_suppressions_exclusively,
    lock_suppressions_shared,
    read_suppression,
)
from subscribers.errors import (
    DetailError,
    OnListError,
    StatusError,
    SuppressionError,
    UnknownSubscriberError,
)
from subscribers.models import (
    ConsentEvent,
    LiftedSuppression,
    Status,
    Subscriber,
    SubscriberSector,
    SubscriberTag,
    Suppression,
)
from subscribers.queries import StoredDetails, find_by_email, find_subscriber, read_details
from subscribers.validation import clean_country, clean_language, clean_line, clean_sectors, clean_tags

_SUPPRESSED_WHY: Mapping[ConsentEvent, str] = MappingProxyType(
    {
        ConsentEvent.suppressed: "the team blocked it",
        ConsentEvent.bounced: "mail to it bounced",
        ConsentEvent.erased: "its owner asked to be erased",
        ConsentEvent.complained: "its owner reported our mail as spam",
        ConsentEvent.unsubscribed: "its owner unsubscribed",
    }
)
_BY_OWNER = frozenset({ConsentEvent.complained, ConsentEvent.unsubscribed})


@dataclass(frozen=True, kw_only=True)
class DetailChanges:
    """What to set, as a person wrote it; None leaves a detail as it is, and an empty text empties it.
    ``sectors`` and ``tags`` replace all that there are.
    """

    name: str | None = None
    organisation: str | None = None
    country: str | None = None
    language: str | None = None
    sectors: Collection[str] | None = None
    tags: Collection[str] | None = None
    add_tags: Collection[str] = ()
    remove_tags: Collection[str] = ()


def add_subscriber(
    session: Session,
    address: str,
    changes: DetailChanges,
    *,
    sectors: Collection[str],
    key: SuppressionKey,
    **context: Unpack[ConsentContext],
) -> Subscriber:
    """Add an active subscriber; ``sectors`` are the configured slugs, ``context`` has the declared basis.

    Raises:
        AddressError, DetailError: ``address`` or a detail is invalid.
        SuppressionError: the address must not get mail; the message says why and what can be done.
        OnListError: the address is on the list already.
    """
    found = normalise_address(address)
    details = _apply(StoredDetails(), changes, sectors)
    lock_suppressions_shared(session)
    if (known := find_by_email(session, found.email)) is not None:
        raise OnListError(found.email, known.status)
    if suppression := read_suppression(session, key, found.email):
        raise SuppressionError(_explain_suppression(found.email, suppression))
    subscriber = Subscriber(
        email=found.email,
        envelope=found.envelope,
        status=Status.active,
        created_at=context["now"],
        updated_at=context["now"],
    )
    session.add(subscriber)
    try:
        session.flush()
    except IntegrityError as error:
        # Someone else has added the address since we looked.
        raise OnListError(found.email, Status.active) from error
    _store(session, subscriber, StoredDetails(), details)
    add_consent_record(session, subscriber, ConsentEvent.imported, **context)
    return subscriber


def edit_subscriber(
    session: Session,
    address: str,
    changes: DetailChanges,
    *,
    sectors: Collection[str],
    **context: Unpack[ConsentContext],
) -> frozenset[str]:
    """Change the details of a subscriber, whatever their status; return the names of those that changed.
    Without a change nothing is recorded.

    ``sectors`` are the configured slugs. Raise AddressError or DetailError if ``address`` or a detail is
    invalid, and UnknownSubscriberError if no subscriber has the address.
    """
    subscriber = _lock(session, address)
    before = read_details(session, subscriber)
    changed = _store(session, subscriber, before, _apply(before, changes, sectors))
    if changed:
        record_update(session, subscriber, f"changed: {', '.join(sorted(changed))}", **context)
    return changed


def pause_subscriber(
    session: Session, address: str, until: date | None, **context: Unpack[ConsentContext]
) -> bool:
    """Pause mail to a subscriber ``until`` a day, on which it resumes; None ends the pause. Return whether
    that changed anything.

    Raises:
        AddressError, UnknownSubscriberError: ``address`` is not valid, or no subscriber has it.
        DetailError: the day is not in the future.
        StatusError: the subscriber gets no mail that could be paused.
    """
    subscriber = _lock(session, address)
    if until is not None and until <= context["now"].date():
        raise DetailError(
            "until",
            gettext_noop("%(until)s is not in the future. Give the day on which mail resumes.")
            % {"until": until},
        )
    if subscriber.status not in {Status.active, Status.paused}:
        raise StatusError(f"{subscriber.email} is {subscriber.status}, so there is no mail to pause.")
    if subscriber.paused_until == until and (subscriber.status is Status.paused) == (until is not None):
        return False
    if until is None:
        change_status(session, subscriber, Status.active, event=ConsentEvent.resumed, **context)
    else:
        paused = ConsentEvent.paused
        change_status(session, subscriber, Status.paused, event=paused, paused_until=until, **context)
    return True


def unsubscribe_address(session: Session, address: str, **context: Unpack[ConsentContext]) -> bool:
    """Unsubscribe the subscriber with ``address``, who asked the team for it; return whether they were not
    yet. Raise AddressError if ``address`` is not valid, and UnknownSubscriberError if no subscriber has it.
    """
    return unsubscribe_subscriber(session, _lock(session, address).id or 0, **context)


def _lock(session: Session, address: str) -> Subscriber:
    subscriber = lock_kept_subscriber(session, find_subscriber(session, address).id or 0)
    if subscriber.status is Status.erased:
        raise UnknownSubscriberError(normalise_address(address).email)
    return subscriber


def _explain_suppression(email: str, suppression: Suppression) -> str:
    why = f"{email} must not get mail: {_SUPPRESSED_WHY[suppression.reason]} on {suppression.at:%Y-%m-%d}."
    if suppression.reason in _BY_OWNER:
        return f"{why} Only they can come back, by signing up themselves."
    return f"{why} If that no longer holds: mailer subscribers unsuppress {email} --reason TEXT"


def _apply(before: StoredDetails, changes: DetailChanges, sectors: Collection[str]) -> StoredDetails:
    tags = before.tags if changes.tags is None else clean_tags(changes.tags)
    return replace(
        before,
        name=before.name if changes.name is None else clean_line(changes.name, "name"),
        organisation=(
            before.organisation
            if changes.organisation is None
            else clean_line(changes.organisation, "organisation")
        ),
        country=before.country if changes.country is None else clean_country(changes.country),
        language=before.language if changes.language is None else clean_language(changes.language),
        sectors=before.sectors if changes.sectors is None else clean_sectors(changes.sectors, sectors),
        tags=(tags | clean_tags(changes.add_tags)) - clean_tags(changes.remove_tags),
    )


def _store(
    session: Session, subscriber: Subscriber, before: StoredDetails, after: StoredDetails
) -> frozenset[str]:
    changed = frozenset(name for name in vars(after) if getattr(before, name) != getattr(after, name))
    for name in changed - {"sectors", "tags"}:
        setattr(subscriber, name, getattr(after, name))
    number = subscriber.id or 0
    if "sectors" in changed:
        replace_values(session, SubscriberSector, number, after.sectors)
    if "tags" in changed:
        replace_values(session, SubscriberTag, number, after.tags)
    session.add(subscriber)
    session.flush()
    return changed


def preview_unsuppress(
    session: Session, address: str, *, key: SuppressionKey
) -> tuple[Suppression, Subscriber | None]:
    """Return what :func:`unsuppress` would lift, and the subscriber with ``address``. Writes nothing. Raise
    AddressError if ``address`` is not valid, and SuppressionError if it is not suppressed, or only its owner
    may lift that.
    """
    email = normalise_address(address).email
    suppression, subscriber = read_suppression(session, key, email), find_by_email(session, email)
    return _require_liftable(email, suppression, subscriber), subscriber


def unsuppress(
    session: Session,
    address: str,
    *,
    key: SuppressionKey,
    by: str,
    why: str,
    **context: Unpack[ConsentContext],
) -> tuple[Suppression, Subscriber | None]:
    """Lift the suppression of ``address`` and return it, with its subscriber; ``by`` whom and ``why`` are
    kept on record. The caller commits.

    Raises as :func:`preview_unsuppress` does, and DetailError if ``by`` or ``why`` is empty, too long or not
    printable.
    """
    by, why, email = _require_text(by, "by"), _require_text(why, "reason"), normalise_address(address).email
    lock_suppressions_exclusively(session)
    held, subscriber = read_suppression(session, key, email), find_by_email(session, email)
    suppression = _require_liftable(email, held, subscriber)
    session.add(
        LiftedSuppression(
            digest=suppression.digest,
            reason=suppression.reason,
            since=suppression.at,
            lifted_at=context["now"],
            method=context["method"],
            lifted_by=by,
            why=why,
        )
    )
    session.delete(suppression)
    session.flush()
    if subscriber is not None:
        was = f"was {suppression.reason} since {suppression.at:%Y-%m-%d}"
        context.setdefault("evidence", f"{by}: {why} ({was})")
        add_consent_record(session, subscriber, ConsentEvent.unsuppressed, **context)
    return suppression, subscriber


def _require_liftable(
    email: str, suppression: Suppression | None, subscriber: Subscriber | None
) -> Suppression:
    if suppression is None:
        raise SuppressionError(
            f"{email} is not suppressed. To see whether it is on the list: mailer subscribers show {email}"
        )
    if suppression.reason in _BY_OWNER:
        # Without a subscriber there is no link to come back through.
        way = (
            "with another address"
            if subscriber is None
            else "through the link in any newsletter they have received"
        )
        raise SuppressionError(
            f"{email} stays suppressed: {_SUPPRESSED_WHY[suppression.reason]} on {suppression.at:%Y-%m-%d}, "
            f"and only its owner can undo that, {way}."
        )
    return suppression


def _require_text(text: str, field: str) -> str:
    line = clean_line(text, field)
    if not line:
        raise DetailError(field, "enter a few words; they are kept on record.")
    return line
