"""What a subscriber was sent and what came of it, kept when two are merged or an import is rolled back."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Engine, delete, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, or_, select
from sqlmodel import func as sa_func

from mailer.database.engine import open_session
from mailer.database.feedback_models import Consequence, FeedbackEvent, FeedbackKind, FeedbackMessage
from mailer.database.models import Campaign, Delivery, DeliveryState, QueuedTransactionalMail, SentTest
from mailer.dispatch.ledger_changes import MergedDeliveries, merge_deliveries, plan_deliveries
from mailer.reasons.reason import Reason
from subscribers.consent.merge import MergeDetail, MergePlan, merge_subscribers, plan_merge
from subscribers.consent.status_changes import ConsentContext
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import RollbackError
from subscribers.imports.rollback import RollbackReport, plan_rollback, roll_back, was_added_by
from subscribers.models import Subscriber


@dataclass(frozen=True, kw_only=True)
class SentCampaign:
    """A delivery of a campaign. ``code`` and ``words`` are the server's reply, or our own reason;
    ``subscriber_id`` is whom it was for: perhaps somebody who was merged since."""

    campaign_id: int
    edition: str
    title: str
    subscriber_id: int
    state: DeliveryState
    code: int | None
    words: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ReturnedMessage:
    """Something that came back: what it is, why (None if unknown), the server's or the program's words, and
    what was done because of it."""

    kind: FeedbackKind
    reason: Reason | None
    words: str
    subject: str
    consequence: Consequence
    at: datetime


@dataclass(frozen=True, kw_only=True)
class SentTestMessage:
    """A test of an edition that went to their address."""

    edition: str
    sent_by: str
    at: datetime


def list_sent_campaigns(session: Session, numbers: Sequence[int], *, limit: int) -> list[SentCampaign]:
    """List the latest campaigns that went to subscribers with these ``numbers``, who are one person."""
    rows = session.exec(
        select(Delivery, Campaign.edition, Campaign.title)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(col(Delivery.subscriber_id).in_(numbers))
        .order_by(col(Delivery.campaign_id).desc(), col(Delivery.id))
        .limit(limit)
    )
    return [
        SentCampaign(
            campaign_id=delivery.campaign_id,
            edition=edition,
            title=title,
            subscriber_id=delivery.subscriber_id,
            state=DeliveryState(delivery.state),
            code=delivery.code,
            words=delivery.reason,
            at=delivery.updated_at,
        )
        for delivery, edition, title in rows
    ]


def list_returned_messages(session: Session, numbers: Sequence[int], *, limit: int) -> list[ReturnedMessage]:
    """List what last came back by or about subscribers with these ``numbers``."""
    rows = session.exec(
        select(FeedbackEvent, FeedbackMessage.kind, FeedbackMessage.subject)
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(col(FeedbackEvent.subscriber_id).in_(numbers))
        .order_by(col(FeedbackEvent.at).desc(), col(FeedbackEvent.id).desc())
        .limit(limit)
    )
    return [
        ReturnedMessage(
            kind=FeedbackKind(kind),
            reason=event.reason,
            words=event.words,
            subject=subject,
            consequence=Consequence(event.consequence),
            at=event.at,
        )
        for event, kind, subject in rows
    ]


def list_sent_tests(session: Session, addresses: Sequence[str], *, limit: int) -> list[SentTestMessage]:
    """List the last tests that went to one of these ``addresses``, however they were written."""
    lower = sa_func.lower(col(SentTest.address))
    rows = session.exec(
        select(SentTest)
        .where(or_(*(lower == address.lower() for address in addresses)))
        .order_by(col(SentTest.id).desc())
        .limit(limit)
    )
    return [SentTestMessage(edition=row.edition, sent_by=row.sent_by, at=row.sent_at) for row in rows]


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


def plan_import_rollback(session: Session, import_id: int) -> RollbackReport:
    """Return what :func:`roll_back_import` would do. Writes nothing.

    Raises:
        RollbackError: as there.
    """
    report = plan_rollback(session, import_id)
    if mailed := _count_mailed(session, import_id):
        raise _make_refusal(import_id, mailed)
    return report


def roll_back_import(
    engine: Engine,
    import_id: int,
    *,
    now: datetime,
    dry_run: bool = False,
    record: Callable[[Session], None] = lambda _: None,
) -> RollbackReport:
    """Roll the import back in one transaction; with ``dry_run`` only report what would change. ``record``
    writes down who did it, in the same transaction.

    Raises:
        RollbackError: there is no such import, it was rolled back before, or people it added are in the
            audience of a campaign, whose deliveries must stay accounted for.
    """
    with open_session(engine) as session:
        if mailed := _count_mailed(session, import_id):
            raise _make_refusal(import_id, mailed)
        try:
            report = roll_back(session, import_id, now=now)
        except IntegrityError as error:
            # A campaign was launched to them in this very moment.
            raise _make_refusal(import_id, 1) from error
        if not dry_run:
            record(session)
            session.commit()
        return report


def _count_mailed(session: Session, import_id: int) -> int:
    """Count the people it added who are in the audience of a campaign."""
    wanted = (
        select(func.count(func.distinct(Delivery.subscriber_id)))
        .join(Subscriber, col(Subscriber.id) == Delivery.subscriber_id)
        .where(was_added_by(import_id))
    )
    return session.exec(wanted).one()


def _make_refusal(import_id: int, mailed: int) -> RollbackError:
    return RollbackError(
        f"Import {import_id} cannot be rolled back: {mailed:,} of the people it added are in the audience of "
        "a campaign. To stop mail to one of them: mailer subscribers suppress ADDRESS",
        mailed=mailed,
    )
