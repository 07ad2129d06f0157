"""Merge two subscribers who are one person. Nothing here commits.

Both rows stay, because messages and their links refer to them. The one that is merged keeps its address
alone, so that no import brings it back as somebody else, and the other stands for it from then on
(:func:`subscribers.queries.find_kept_subscriber`). The records of both stay as they are. What is kept of each
is decided in :mod:`subscribers.consent.merge_plan`.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Unpack

from sqlmodel import Session, col, delete, update

from locales.phrase import gettext_noop
from subscribers.consent.merge_plan import (
    MergeDetail,
    MergePlan,
    MergeSide,
    find_carried_suppression,
    make_merge_plan,
)
from subscribers.consent.preferences import read_countries
from subscribers.consent.status_changes import (
    ConsentContext,
    add_consent_record,
    change_status,
    lock_subscriber,
    suppress,
)
from subscribers.consent.suppression import (
    SuppressionKey,
    add_suppression,
    lock_suppressions_exclusively,
    read_suppression,
)
from subscribers.errors import MergeError
from subscribers.models import (
    ConsentEvent,
    MailedLink,
    MergedSubscriber,
    Status,
    Subscriber,
    SubscriberCountry,
    SubscriberSector,
    SubscriberTag,
)
from subscribers.queries import find_subscriber, read_sectors, read_tags


def plan_merge(
    session: Session,
    keep: str,
    other: str,
    *,
    key: SuppressionKey,
    take: Collection[MergeDetail] | None = None,
) -> MergePlan:
    """What merging the subscriber with address ``other`` into that with address ``keep`` would do.

    ``take`` are the details to take from the other; None takes those that are empty in the one who is kept.
    Writes nothing.

    Raises:
        AddressError: an address is not valid.
        UnknownSubscriberError: no subscriber has one of the addresses.
        MergeError: it is the same subscriber, one was merged before, or the kept one has yet to confirm.
    """
    sides = [_read_side(session, find_subscriber(session, address), key) for address in (keep, other)]
    return make_merge_plan(sides[0], sides[1], take)


def merge_subscribers(
    session: Session,
    keep: str,
    other: str,
    *,
    key: SuppressionKey,
    take: Collection[MergeDetail] | None = None,
    digest: str = "",
    **context: Unpack[ConsentContext],
) -> MergePlan:
    """Merge the subscriber with address ``other`` into that with address ``keep``; return what was done.

    With ``digest``, only if that is still the plan's. The ledger of deliveries is not touched:
    :mod:`mailer.campaigns.subscriber_history` does both. Raises as :func:`plan_merge` does, and:

    Raises:
        MergeError: one of them has changed since the plan with ``digest`` was made.
    """
    lock_suppressions_exclusively(session)
    found = [find_subscriber(session, address).id or 0 for address in (keep, other)]
    # In the order of their numbers, so that two who merge the same pair never wait for each other.
    locked = {number: lock_subscriber(session, number) for number in sorted(found)}
    kept, gone = (locked[number] for number in found)
    plan = make_merge_plan(_read_side(session, kept, key), _read_side(session, gone, key), take)
    if digest and digest != plan.digest:
        raise MergeError(
            gettext_noop("One of the two has changed in the meantime. Look at what would be kept once more.")
        )
    said = context.get("evidence", "")
    _store_result(session, kept, plan, context["now"])
    _carry_decision(session, kept, plan, key, context)
    _carry_suppression(session, plan, key, context["now"])
    context["evidence"] = f"merged with {plan.other.email}; {said}".removesuffix("; ")
    add_consent_record(session, kept, ConsentEvent.merged, **context)
    context["evidence"] = f"merged into {plan.kept.email}; {said}".removesuffix("; ")
    change_status(session, gone, Status.merged, event=ConsentEvent.merged, **context)
    _empty_merged(session, gone)
    _link(session, gone.id or 0, kept.id or 0, context["now"])
    return plan


def _read_side(session: Session, subscriber: Subscriber, key: SuppressionKey) -> MergeSide:
    number = subscriber.id or 0
    suppression = read_suppression(session, key, subscriber.email)
    return MergeSide(
        id=number,
        email=subscriber.email,
        name=subscriber.name,
        organisation=subscriber.organisation,
        country=subscriber.country,
        language=subscriber.language,
        sectors=frozenset(read_sectors(session, [subscriber])[number]),
        countries=read_countries(session, number),
        tags=frozenset(read_tags(session, [subscriber])[number]),
        status=Status(subscriber.status),
        paused_until=subscriber.paused_until,
        suppressed_for=None if suppression is None else ConsentEvent(suppression.reason),
        created_at=subscriber.created_at,
    )


def _store_result(session: Session, kept: Subscriber, plan: MergePlan, now: datetime) -> None:
    result = plan.result
    kept.name, kept.organisation = result.name, result.organisation
    kept.country, kept.language = result.country, result.language
    kept.created_at, kept.updated_at = result.created_at, now
    session.add(kept)
    number = kept.id or 0
    for table, values, name in (
        (SubscriberSector, result.sectors, "sector"),
        (SubscriberCountry, result.countries, "country"),
        (SubscriberTag, result.tags, "tag"),
    ):
        session.exec(delete(table).where(col(table.subscriber_id) == number))
        session.add_all(table(subscriber_id=number, **{name: value}) for value in sorted(values))
    session.flush()


def _carry_decision(
    session: Session, kept: Subscriber, plan: MergePlan, key: SuppressionKey, context: ConsentContext
) -> None:
    """Let what was decided of the other hold for the one who is kept, with a record of it."""
    result, decision = plan.result, plan.decision
    about: ConsentContext = {**context, "evidence": f"carried over from {plan.other.email}, merged with it"}
    if decision in {ConsentEvent.complained, ConsentEvent.suppressed}:
        suppress(session, kept.email, key=key, reason=decision, **about)
    if kept.status is not result.status and decision is not None:
        # Also where the address was suppressed before, as one that had bounced.
        change_status(session, kept, result.status, event=decision, **about)
    elif result.status is Status.paused and (kept.status, kept.paused_until) != (
        Status.paused,
        result.paused_until,
    ):
        paused = ConsentEvent.paused
        change_status(session, kept, Status.paused, event=paused, paused_until=result.paused_until, **about)


def _carry_suppression(session: Session, plan: MergePlan, key: SuppressionKey, now: datetime) -> None:
    for one, another in ((plan.kept, plan.other), (plan.other, plan.kept)):
        if (reason := find_carried_suppression(one)) is not None:
            add_suppression(session, key, another.email, reason=reason, now=now)


def _empty_merged(session: Session, gone: Subscriber) -> None:
    """Keep the address of the one who is merged, and nothing else of what it said."""
    for table in (SubscriberCountry, SubscriberSector, SubscriberTag, MailedLink):
        session.exec(delete(table).where(col(table.subscriber_id) == gone.id))
    gone.name = gone.organisation = ""
    gone.country = gone.language = None
    gone.click_consent = False
    session.add(gone)
    session.flush()


def _link(session: Session, gone_id: int, kept_id: int, now: datetime) -> None:
    # Those who were merged into the one that is merged now have the same one to stand for them.
    session.exec(
        update(MergedSubscriber).where(col(MergedSubscriber.kept_id) == gone_id).values(kept_id=kept_id)
    )
    session.add(MergedSubscriber(subscriber_id=gone_id, kept_id=kept_id, merged_at=now))
    session.flush()
