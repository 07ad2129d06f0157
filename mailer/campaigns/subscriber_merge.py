"""Merge two subscribers who are one person, in the list and in the ledger of deliveries."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Unpack

from sqlalchemy import delete
from sqlmodel import Session, col

from mailer.database.models import QueuedTransactionalMail
from mailer.dispatch.ledger_changes import MergedDeliveries, merge_deliveries, plan_deliveries
from subscribers.consent.merge import merge_subscribers, plan_merge
from subscribers.consent.merge_plan import MergeDetail, MergePlan
from subscribers.consent.status_changes import ConsentContext
from subscribers.consent.suppression import SuppressionKey


@dataclass(frozen=True, kw_only=True)
class SubscriberMerge:
    """A merge that was planned or done: the ``people``, and their ``deliveries`` that wait."""

    people: MergePlan
    deliveries: MergedDeliveries

    def as_dict(self) -> dict[str, Any]:
        """The merge in the form of the JSON output."""
        return {
            **self.people.as_dict(),
            "deliveries": {"moved": len(self.deliveries.moved), "dropped": len(self.deliveries.dropped)},
        }


def preview_merge(
    session: Session,
    keep: str,
    other: str,
    *,
    key: SuppressionKey,
    take: Collection[MergeDetail] | None = None,
) -> SubscriberMerge:
    """What :func:`apply_merge` would do. Writes nothing. Raises as it does."""
    people = plan_merge(session, keep, other, key=key, take=take)
    waiting = plan_deliveries(session.connection(), people.kept.id, people.other.id)
    return SubscriberMerge(people=people, deliveries=waiting)


def apply_merge(
    session: Session,
    keep: str,
    other: str,
    *,
    key: SuppressionKey,
    take: Collection[MergeDetail] | None = None,
    digest: str = "",
    **context: Unpack[ConsentContext],
) -> SubscriberMerge:
    """Merge the subscriber with address ``other`` into that with address ``keep``. The caller commits.

    ``take`` and ``digest`` are as for :func:`subscribers.consent.merge.merge_subscribers`. Nobody gets an
    edition twice because of it, also while a campaign is being sent.

    Raises:
        AddressError: an address is not valid.
        UnknownSubscriberError: no subscriber has one of the addresses.
        MergeError: they cannot be merged, or have changed since the plan with ``digest`` was made.
    """
    people = merge_subscribers(session, keep, other, key=key, take=take, digest=digest, **context)
    now, merged_id = context["now"], people.other.id
    waiting = merge_deliveries(session.connection(), people.kept.id, merged_id, now)
    # Letters that were asked for by the address that is no longer in use.
    session.connection().execute(
        delete(QueuedTransactionalMail).where(col(QueuedTransactionalMail.subscriber_id) == merged_id)
    )
    return SubscriberMerge(people=people, deliveries=waiting)
