"""What a subscriber was sent and what came of it, through merges and the undoing of imports."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Engine, Row, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mailer.database.engine import open_session
from mailer.database.feedback_models import FeedbackEvent, FeedbackMessage
from mailer.database.models import Campaign, Delivery, QueuedTransactionalMail, SentTest
from mailer.dispatch.ledger_changes import merge_deliveries, plan_merged_deliveries
from subscribers.consent.merge import MergeDetail, MergePlan, merge_subscribers, plan_merge
from subscribers.consent.status_changes import ConsentContext
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import RollbackError
from subscribers.imports.rollback import RollbackReport, plan_rollback, roll_back, was_added_by
from subscribers.models import Subscriber


def list_sent_campaigns(session: Session, numbers: Sequence[int], *, limit: int) -> Sequence[Row[Any]]:
    """List the latest campaigns that went to subscribers with these ``numbers``, who are one person.
    ``words`` are the server's reply or our own reason; ``subscriber_id`` is perhaps somebody who was merged
    since."""
    columns: tuple[Any, ...] = (
        *(col(Delivery.campaign_id), col(Campaign.edition), col(Campaign.title)),
        *(col(Delivery.subscriber_id), col(Delivery.state), col(Delivery.code)),
        *(col(Delivery.reason).label("words"), col(Delivery.updated_at).label("at")),
    )
    statement = (
        select(*columns)
        .select_from(Delivery)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .where(col(Delivery.subscriber_id).in_(numbers))
        .order_by(col(Delivery.campaign_id).desc(), col(Delivery.id))
        .limit(limit)
    )
    return session.connection().execute(statement).all()


def list_returned_messages(session: Session, numbers: Sequence[int], *, limit: int) -> Sequence[Row[Any]]:
    """List what last came back by or about subscribers with these ``numbers``. ``words`` are the server's or
    the program's, and ``consequence`` is what was done because of it."""
    event = FeedbackEvent
    columns: tuple[Any, ...] = (
        *(col(FeedbackMessage.kind), col(FeedbackMessage.subject), col(event.reason), col(event.words)),
        *(col(event.consequence), col(event.at)),
    )
    statement = (
        select(*columns)
        .select_from(event)
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(event.message_id))
        .where(col(event.subscriber_id).in_(numbers))
        .order_by(col(event.at).desc(), col(event.id).desc())
        .limit(limit)
    )
    return session.connection().execute(statement).all()


def list_sent_tests(session: Session, addresses: Sequence[str], *, limit: int) -> Sequence[Row[Any]]:
    """List the last tests that went to one of these ``addresses``, however they were written."""
    lower = func.lower(col(SentTest.address))
    columns: tuple[Any, ...] = (
        *(col(SentTest.edition), col(SentTest.sent_by)),
        col(SentTest.sent_at).label("at"),
    )
    statement = (
        select(*columns)
        .where(or_(*(lower == address.lower() for address in addresses)))
        .order_by(col(SentTest.id).desc())
        .limit(limit)
    )
    return session.connection().execute(statement).all()


@dataclass(frozen=True, kw_only=True)
class SubscriberMerge:
    """A merge that was planned or done: the ``people``, and the numbers of the deliveries that wait and are
    ``moved`` to the one who is kept, or ``dropped``."""

    people: MergePlan
    moved: Sequence[int]
    dropped: Sequence[int]

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.people.as_dict(),
            "deliveries": {"moved": len(self.moved), "dropped": len(self.dropped)},
        }


def preview_merge(
    session: Session,
    keep: str,
    other: str,
    *,
    key: SuppressionKey,
    take: Collection[MergeDetail] | None = None,
) -> SubscriberMerge:
    """Return what :func:`apply_merge` would do. Writes nothing. Raises as it does."""
    people = plan_merge(session, keep, other, key=key, take=take)
    moved, dropped = plan_merged_deliveries(session.connection(), people.kept.id, people.other.id)
    return SubscriberMerge(people=people, moved=moved, dropped=dropped)


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
    """Merge the subscriber with address ``other`` into that with address ``keep``. The caller commits. Nobody
    gets an edition twice because of it, even while a campaign is being sent. ``take`` and ``digest``, and
    what is raised, are as for :func:`subscribers.consent.merge.merge_subscribers`."""
    people = merge_subscribers(session, keep, other, key=key, take=take, digest=digest, **context)
    now, merged_id = context["now"], people.other.id
    moved, dropped = merge_deliveries(session.connection(), people.kept.id, merged_id, now)
    # Letters that were asked for by the address that is no longer in use.
    session.connection().execute(
        delete(QueuedTransactionalMail).where(col(QueuedTransactionalMail.subscriber_id) == merged_id)
    )
    return SubscriberMerge(people=people, moved=moved, dropped=dropped)


def plan_import_rollback(session: Session, import_id: int) -> RollbackReport:
    """Return what :func:`roll_back_import` would do. Writes nothing. Raises as it does."""
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
    record: Callable[[Session, RollbackReport], None] = lambda _, __: None,
) -> RollbackReport:
    """Roll the import back in one transaction; with ``dry_run`` only report what would change. ``record``
    writes down who did it, in the same transaction. Raise RollbackError if there is no such import, it was
    rolled back before, or people it added are in the audience of a campaign, whose deliveries must stay
    accounted for."""
    with open_session(engine) as session:
        if mailed := _count_mailed(session, import_id):
            raise _make_refusal(import_id, mailed)
        try:
            report = roll_back(session, import_id, now=now)
        except IntegrityError as error:
            # A campaign was launched to them in this very moment.
            raise _make_refusal(import_id, 1) from error
        if not dry_run:
            record(session, report)
            session.commit()
        return report


def _count_mailed(session: Session, import_id: int) -> int:
    """Count the people it added who are in the audience of a campaign."""
    wanted = (
        select(func.count(func.distinct(Delivery.subscriber_id)))
        .join(Subscriber, col(Subscriber.id) == Delivery.subscriber_id)
        .where(was_added_by(import_id))
    )
    return session.connection().scalar(wanted) or 0


def _make_refusal(import_id: int, mailed: int) -> RollbackError:
    return RollbackError(
        f"Import {import_id} cannot be rolled back: {mailed:,} of the people it added are in the audience of "
        "a campaign. To stop mail to one of them: mailer subscribers suppress ADDRESS",
        mailed=mailed,
    )
