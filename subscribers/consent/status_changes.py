"""Change a subscriber's status and write the consent record in the same transaction.

No other module changes a status. Three rules always hold: a subscriber who unsubscribed, bounced or
complained becomes active again only by their own action; an erased subscriber stays erased; and every change
is recorded. Nothing here commits.
"""

import hmac
from collections.abc import Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import Any, Required, TypedDict, Unpack

from sqlmodel import Session, SQLModel, col, delete, select, update

from subscribers.address import normalise_address
from subscribers.consent.suppression import (
    SuppressionKey,
    add_suppression,
    blank_lifted_suppressions,
    lock_suppressions_exclusively,
    lock_suppressions_shared,
    remove_suppression,
)
from subscribers.errors import StatusError, UnknownSubscriberError
from subscribers.models import (
    ConsentEvent,
    ConsentRecord,
    ImportChange,
    MailedLink,
    MergedSubscriber,
    SignUpReview,
    Status,
    Subscriber,
    SubscriberCountry,
    SubscriberSector,
    SubscriberTag,
    Suppression,
)
from subscribers.queries import find_kept_subscriber

GONE_STATUSES = frozenset(
    {Status.unsubscribed, Status.bounced, Status.complained, Status.erased, Status.merged}
)
"""Subscribers with one of these receive nothing until they come back themselves; the erased never do."""

_ANY_BUT_ERASED = frozenset(Status) - {Status.erased}

_TRANSITIONS: Mapping[ConsentEvent, tuple[frozenset[Status], frozenset[Status]]] = MappingProxyType(
    {
        ConsentEvent.subscribed: (_ANY_BUT_ERASED, frozenset({Status.pending, Status.active})),
        ConsentEvent.paused: (frozenset({Status.active, Status.paused}), frozenset({Status.paused})),
        ConsentEvent.resumed: (frozenset({Status.paused}), frozenset({Status.active})),
        ConsentEvent.reconfirmed: (frozenset({Status.active, Status.paused}), frozenset({Status.active})),
        ConsentEvent.unsubscribed: (_ANY_BUT_ERASED, frozenset({Status.unsubscribed})),
        ConsentEvent.bounced: (_ANY_BUT_ERASED, frozenset({Status.bounced})),
        ConsentEvent.complained: (_ANY_BUT_ERASED, frozenset({Status.complained})),
        ConsentEvent.suppressed: (_ANY_BUT_ERASED, frozenset({Status.unsubscribed})),
        ConsentEvent.erased: (_ANY_BUT_ERASED, frozenset({Status.erased})),
        ConsentEvent.merged: (_ANY_BUT_ERASED - {Status.merged}, frozenset({Status.merged})),
    }
)
"""The statuses before and after each event. Importing, updating and unsuppressing change no status."""

_STATUS_BY_REASON: Mapping[ConsentEvent, Status] = MappingProxyType(
    {
        ConsentEvent.suppressed: Status.unsubscribed,
        ConsentEvent.bounced: Status.bounced,
        ConsentEvent.complained: Status.complained,
    }
)
_TEXT_LIMITS: Mapping[str, int | None] = MappingProxyType(
    {
        **{"method": 64, "source": 300, "wording_version": 32, "language": 35, "basis": 300},
        **{"wording": None, "evidence": None},
    }
)
_DIGEST_LENGTH = 32


class ConsentContext(TypedDict, total=False):
    """How an event happened, as stored in a consent record; see :class:`subscribers.models.ConsentRecord`."""

    method: Required[str]
    now: Required[datetime]
    source: str
    wording: str
    wording_version: str
    language: str
    evidence: str
    basis: str


def change_status(
    session: Session,
    subscriber: Subscriber,
    status: Status,
    *,
    event: ConsentEvent,
    paused_until: date | None = None,
    **context: Unpack[ConsentContext],
) -> None:
    """Set ``subscriber`` to ``status`` because of ``event``, and record it. The caller commits.

    Bounces and complaints come through :func:`suppress`, which also suppresses the address. Raise StatusError
    if the event does not allow this change.
    """
    session.flush()
    # With two concurrent changes on PostgreSQL, the second waits here and then sees the first.
    session.refresh(subscriber, with_for_update=True)
    before, after = _TRANSITIONS.get(event, (frozenset(), frozenset()))
    if subscriber.status not in before or status not in after:
        raise StatusError(
            f"{subscriber.email} is {subscriber.status}; the event {event} cannot make that {status}."
        )
    if subscriber.status is Status.merged:
        # A person who signs up with that address again is a subscriber of their own from then on.
        session.exec(delete(MergedSubscriber).where(col(MergedSubscriber.subscriber_id) == subscriber.id))
    subscriber.status = status
    subscriber.paused_until = paused_until if status is Status.paused else None
    subscriber.updated_at = context["now"]
    session.add(subscriber)
    withdraw_sign_up(session, subscriber.id or 0)
    add_consent_record(session, subscriber, event, **context)


def withdraw_sign_up(session: Session, subscriber_id: int) -> None:
    """Forget a sign-up that waits for the team: it was admitted, or its owner left. The caller commits."""
    session.exec(delete(SignUpReview).where(col(SignUpReview.subscriber_id) == subscriber_id))


def add_consent_record(
    session: Session, subscriber: Subscriber, event: ConsentEvent, **context: Unpack[ConsentContext]
) -> None:
    """Record what happened to ``subscriber`` without changing the status. The caller commits. Raise
    ValueError if ``subscriber`` was not flushed, and so has no ID yet.
    """
    if subscriber.id is None:
        raise ValueError("flush the subscriber before recording anything about it")
    session.add(ConsentRecord(**consent_record_values(subscriber.id, event, **context)))
    session.flush()


def record_update(
    session: Session, subscriber: Subscriber, note: str, **context: Unpack[ConsentContext]
) -> None:
    """Record a change of details, with ``note`` on a line below the evidence. The caller commits."""
    subscriber.updated_at = context["now"]
    session.add(subscriber)
    context["evidence"] = f"{context.get('evidence', '')}\n{note}".strip()
    add_consent_record(session, subscriber, ConsentEvent.updated, **context)


def consent_record_values(
    subscriber_id: int, event: ConsentEvent, **context: Unpack[ConsentContext]
) -> dict[str, Any]:
    """Return the columns of a consent record, safe to store in either database."""
    said: Mapping[str, Any] = context
    texts = {name: _clean_text(said.get(name, ""), limit) for name, limit in _TEXT_LIMITS.items()}
    return {"subscriber_id": subscriber_id, "event": event, "at": context["now"], **texts}


def replace_values(
    session: Session,
    table: type[SubscriberCountry] | type[SubscriberSector] | type[SubscriberTag],
    subscriber_id: int,
    values: Collection[str],
) -> None:
    # Not by the table's class: an import that is taken back does this for thousands of people.
    rows = SQLModel.metadata.tables[str(table.__tablename__)]
    owner, value = rows.c
    session.execute(rows.delete().where(owner == subscriber_id))
    if values:
        session.execute(
            rows.insert(), [{owner.name: subscriber_id, value.name: one} for one in sorted(values)]
        )


def unsubscribe(session: Session, subscriber_id: int, **context: Unpack[ConsentContext]) -> bool:
    """Unsubscribe a subscriber, or the one they were merged into; return whether that changed anything. A
    repeated request adds no second record.

    The address is not suppressed: its owner may come back themselves, but no import brings them back. Raise
    UnknownSubscriberError if there is no such subscriber.
    """
    subscriber = lock_kept_subscriber(session, subscriber_id)
    if subscriber.status in {Status.unsubscribed, Status.complained, Status.erased}:
        withdraw_sign_up(session, subscriber.id or 0)
        return False
    change_status(session, subscriber, Status.unsubscribed, event=ConsentEvent.unsubscribed, **context)
    return True


def resubscribe(
    session: Session, subscriber_id: int, *, key: SuppressionKey, **context: Unpack[ConsentContext]
) -> bool:
    """Make a subscriber, or the one they were merged into, active again at their own request; return whether
    that changed anything. A page may call this, an import never.

    Removes a suppression caused by a bounce or a complaint. Raise UnknownSubscriberError if there is no such
    subscriber, or it was erased, and StatusError if the team suppressed the address.
    """
    lock_suppressions_shared(session)
    subscriber = lock_kept_subscriber(session, subscriber_id)
    if subscriber.status is Status.erased:
        raise UnknownSubscriberError(subscriber_id)
    if subscriber.status in {Status.active, Status.paused}:
        return False
    suppression = session.get(Suppression, key.digest(subscriber.email))
    if suppression is not None and suppression.reason is ConsentEvent.suppressed:
        raise StatusError("The team removed this address from the list. Contact them to be added again.")
    remove_suppression(session, key, subscriber.email)
    change_status(session, subscriber, Status.active, event=ConsentEvent.subscribed, **context)
    return True


def suppress(
    session: Session,
    address: str,
    *,
    key: SuppressionKey,
    reason: ConsentEvent = ConsentEvent.suppressed,
    **context: Unpack[ConsentContext],
) -> bool:
    """Suppress ``address`` so that it never receives mail again, and update its subscriber if there is one;
    return whether that changed anything.

    ``reason`` is suppressed (by the team: the subscriber becomes unsubscribed), bounced or complained. A
    subscriber who is already gone keeps their status, and the first reason is kept. What the team or the
    owner of an address has decided holds for whom they were merged into, too; that an address bounced says
    nothing of another. The caller commits. Raise AddressError if ``address`` is not valid, and ValueError if
    ``reason`` is any other event.
    """
    if reason not in _STATUS_BY_REASON:
        raise ValueError(f"an address cannot be suppressed with the reason {reason}")
    email = normalise_address(address).email
    remembered = add_suppression(session, key, email, reason=reason, now=context["now"])
    subscriber = lock_address(session, email)
    if subscriber is None:
        return remembered
    if reason is not ConsentEvent.bounced and subscriber.status is Status.merged:
        kept = lock_kept_subscriber(session, subscriber.id or 0)
        if kept is not subscriber:
            return suppress(session, kept.email, key=key, reason=reason, **context)
    if subscriber.status not in GONE_STATUSES:
        change_status(session, subscriber, _STATUS_BY_REASON[reason], event=reason, **context)
    elif remembered:
        add_consent_record(session, subscriber, reason, **context)
    else:
        return False
    return True


def mark_bounced(
    session: Session,
    subscriber_id: int,
    *,
    refused_at: datetime,
    key: SuppressionKey,
    **circumstances: Unpack[ConsentContext],
) -> bool:
    """Mark a subscriber whose address was refused as dead at ``refused_at`` as bounced, and suppress the
    address; return whether anything changed. The caller commits.

    A subscriber who has left already is not changed. Nor is one with a newer record that no import made: they
    may have come back, or have changed their address. Raise UnknownSubscriberError if there is no such
    subscriber.
    """
    lock_suppressions_exclusively(session)
    subscriber = lock_subscriber(session, subscriber_id)
    newer = select(ConsentRecord.id).where(
        col(ConsentRecord.subscriber_id) == subscriber_id,
        col(ConsentRecord.at) > refused_at,
        col(ConsentRecord.method) != "import",
    )
    if subscriber.status in GONE_STATUSES or session.exec(newer.limit(1)).first() is not None:
        return False
    return suppress(session, subscriber.email, key=key, reason=ConsentEvent.bounced, **circumstances)


def erase(session: Session, address: str, *, key: SuppressionKey, **context: Unpack[ConsentContext]) -> None:
    """Erase the person at ``address``: delete every personal detail, also from earlier records.

    The row itself stays, without a name, because deliveries refer to it. A keyed hash of the address stays
    too, so that no import adds it again. This is the one exception to records being append-only, and the
    database allows it only for erased subscribers, so the status is changed first. The caller commits. Raise
    AddressError if ``address`` is not valid, and UnknownSubscriberError if no subscriber has it.
    """
    email = normalise_address(address).email
    subscriber = lock_address(session, email)
    if subscriber is None:
        raise UnknownSubscriberError(email)
    add_suppression(session, key, email, reason=ConsentEvent.erased, now=context["now"])
    change_status(session, subscriber, Status.erased, event=ConsentEvent.erased, **context)
    blank_lifted_suppressions(session, key, email)
    _blank_records(session, subscriber)
    empty_details(
        session,
        subscriber,
        *(SubscriberCountry, SubscriberSector, SubscriberTag, SignUpReview, MailedLink, MergedSubscriber),
    )
    # Including any link by which another subscriber asked to move to this address.
    session.exec(delete(MailedLink).where(col(MailedLink.detail) == subscriber.email))
    # ".invalid" can never receive mail (RFC 2606), should a bug ever try.
    subscriber.email = subscriber.envelope = f"erased-{subscriber.id}@erased.invalid"
    session.flush()


def _blank_records(session: Session, subscriber: Subscriber) -> None:
    blank = {"source": "", "wording": "", "language": "", "evidence": "", "basis": ""}
    session.exec(
        update(ConsentRecord)
        .where(
            col(ConsentRecord.subscriber_id) == subscriber.id, col(ConsentRecord.event) != ConsentEvent.erased
        )
        .values(**blank)
    )
    # What imports overwrote is personal data too.
    session.exec(delete(ImportChange).where(col(ImportChange.subscriber_id) == subscriber.id))


def empty_details(session: Session, subscriber: Subscriber, *tables: type[Any]) -> None:
    """Empty the details of a subscriber, and delete what is theirs in ``tables``."""
    for table in tables:
        session.exec(delete(table).where(col(table.subscriber_id) == subscriber.id))
    subscriber.name = subscriber.organisation = ""
    subscriber.country = subscriber.language = None
    subscriber.click_consent = False
    session.add(subscriber)
    session.flush()


def lock_subscriber(session: Session, subscriber_id: int) -> Subscriber:
    """Load a subscriber and lock the row until the transaction ends. Raise UnknownSubscriberError if there is
    no such subscriber.
    """
    subscriber = session.get(Subscriber, subscriber_id, populate_existing=True, with_for_update=True)
    if subscriber is None:
        raise UnknownSubscriberError(subscriber_id)
    return subscriber


def lock_kept_subscriber(session: Session, subscriber_id: int) -> Subscriber:
    """Lock the subscriber who stands for another: the one they were merged into, or they themselves.
    Raises as :func:`lock_subscriber` does."""
    named = lock_subscriber(session, subscriber_id)
    kept = find_kept_subscriber(session, named)
    return named if kept is named else lock_subscriber(session, kept.id or 0)


def lock_address(session: Session, email: str) -> Subscriber | None:
    """Lock the subscriber with the normalised address ``email``; None if there is none."""
    wanted = select(Subscriber).where(Subscriber.email == email).with_for_update()
    return session.exec(wanted, execution_options={"populate_existing": True}).one_or_none()


def _clean_text(text: str, limit: int | None = None) -> str:
    """Replace what a database refuses (NUL, surrogates) or a terminal obeys (control characters)."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() or char == "\n" else " " for char in text)
    return text[:limit]


class IpRetention(StrEnum):
    """What to keep of an IP address. It is personal data, and rarely needed as evidence."""

    hashed = "hashed"
    """A keyed hash: it can be compared with a known address, and reveals nothing by itself."""

    plain = "plain"
    nothing = "nothing"


def describe_ip_address(
    address: str, *, key: SuppressionKey, retention: IpRetention = IpRetention.hashed
) -> str:
    """Return the text about the IP address for a consent record's ``evidence``; empty if there is none.

    ``key`` never changes, so an address has the same hash in all records. The prefix keeps these hashes
    distinct from those of email addresses.
    """
    origin = _parse_ip_address(address)
    if origin is None or retention is IpRetention.nothing:
        return ""
    if retention is IpRetention.plain:
        return f"from {origin}"
    digest = hmac.digest(key.key, b"origin\0" + str(origin).encode("ascii"), "sha256").hex()[:_DIGEST_LENGTH]
    return f"from hmac-sha256:{digest}"


def _parse_ip_address(address: str) -> IPv4Address | IPv6Address | None:
    try:
        origin = ip_address(address.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = origin.ipv4_mapped if isinstance(origin, IPv6Address) else None
    return mapped or origin
