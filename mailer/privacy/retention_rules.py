"""The rules of ``[retention]``: which rows each one is about, and what it says of them."""

import calendar
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, exists
from sqlmodel import col, func, select

from mailer.database.approval_models import ApprovalReviewer, ApprovalRound
from mailer.database.comment_models import CommentThread
from mailer.database.feedback_models import FeedbackMessage
from mailer.database.models import Delivery, DeliveryState, SentTest
from mailer.database.verification_models import FakeMail
from mailer.privacy.feedback_data import is_old_feedback
from mailer.settings import RetentionSettings
from subscribers.models import SignUpReview, Status, Subscriber

_GONE_STATUSES = (Status.unsubscribed, Status.bounced, Status.complained)
_FINAL_STATES = (DeliveryState.sent, DeliveryState.rejected, DeliveryState.failed, DeliveryState.suppressed)


@dataclass(frozen=True, kw_only=True)
class RetentionRule:
    """One rule: the ``setting`` that turns it on, the ``table`` of its rows, and ``select_old``, which makes
    the condition on them of the setting's number and the time now.

    ``what`` says what happens to them, and ``reason`` why, with the field ``limit`` for that number.
    """

    setting: str
    table: type
    what: str
    reason: str
    select_old: Callable[[int, datetime], ColumnElement[bool]] = field(repr=False)

    def find_limit(self, rules: RetentionSettings) -> int | None:
        """The number of its setting; None if the rule is off."""
        limit: int | None = getattr(rules, self.setting)
        return limit

    def find_condition(self, rules: RetentionSettings, now: datetime) -> ColumnElement[bool] | None:
        """The condition on the rows it is about ``now``; None if the rule is off."""
        limit = self.find_limit(rules)
        return None if limit is None else self.select_old(limit, now)


def months_before(moment: datetime, months: int) -> datetime:
    """Return the same day of the month, that many months earlier; the last day if that month is shorter."""
    whole = moment.year * 12 + moment.month - 1 - months
    year, month = divmod(whole, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _is_unconfirmed(days: int, now: datetime) -> ColumnElement[bool]:
    was_mailed = exists().where(col(Delivery.subscriber_id) == col(Subscriber.id))
    # Whoever has confirmed waits for the team, however long the team takes.
    waits = exists().where(
        col(SignUpReview.subscriber_id) == col(Subscriber.id), col(SignUpReview.declined_at).is_(None)
    )
    return (
        (col(Subscriber.status) == Status.pending)
        & (col(Subscriber.updated_at) < now - timedelta(days=days))
        & ~was_mailed
        & ~waits
    )


def _is_long_gone(months: int, now: datetime) -> ColumnElement[bool]:
    return col(Subscriber.status).in_(_GONE_STATUSES) & (
        col(Subscriber.updated_at) < months_before(now, months)
    )


def _has_old_reply(months: int, now: datetime) -> ColumnElement[bool]:
    # Deliveries in doubt keep the server's reply, because a person has yet to decide about them.
    return (
        col(Delivery.state).in_(_FINAL_STATES)
        & (col(Delivery.reason) != "")
        & (col(Delivery.updated_at) < months_before(now, months))
    )


def _has_old_address(months: int, now: datetime) -> ColumnElement[bool]:
    return (col(SentTest.address) != "") & (col(SentTest.sent_at) < months_before(now, months))


def _has_old_reviewer(months: int, now: datetime) -> ColumnElement[bool]:
    # What was never answered has no end.
    ended = func.coalesce(col(ApprovalRound.ended_at), col(ApprovalRound.asked_at))
    old = select(ApprovalRound.id).where(ended < months_before(now, months))
    return (col(ApprovalReviewer.email) != "") & col(ApprovalReviewer.round_id).in_(old)


UNCONFIRMED: Final = RetentionRule(
    setting="pending_days",
    table=Subscriber,
    what="sign-ups to delete",
    reason="not confirmed within {limit} days",
    select_old=_is_unconfirmed,
)
LONG_GONE: Final = RetentionRule(
    setting="gone_months",
    table=Subscriber,
    what="people to erase, except for a keyed hash",
    reason="unsubscribed, bounced or complained, and unchanged for {limit} months",
    select_old=_is_long_gone,
)
OLD_REPLIES: Final = RetentionRule(
    setting="reply_months",
    table=Delivery,
    what="deliveries to delete the server's reply from",
    reason="settled more than {limit} months ago; their state is kept",
    select_old=_has_old_reply,
)
OLD_TESTS: Final = RetentionRule(
    setting="test_months",
    table=SentTest,
    what="tests to delete the address from",
    reason="sent more than {limit} months ago; the tests are kept",
    select_old=_has_old_address,
)
OLD_FEEDBACK: Final = RetentionRule(
    setting="feedback_months",
    table=FeedbackMessage,
    what="messages that came back to empty",
    reason="received more than {limit} months ago; those that wait for a person are kept",
    select_old=lambda months, now: is_old_feedback(months_before(now, months)),
)
OLD_FAKES: Final = RetentionRule(
    setting="fake_months",
    table=FakeMail,
    what="fakes to delete",
    reason="last submitted more than {limit} months ago",
    select_old=lambda months, now: col(FakeMail.last_at) < months_before(now, months),
)
OLD_COMMENTS: Final = RetentionRule(
    setting="comment_months",
    table=CommentThread,
    what="comments of the team to delete, with their replies",
    reason="resolved more than {limit} months ago",
    select_old=lambda months, now: col(CommentThread.resolved_at) < months_before(now, months),
)
OLD_REVIEWERS: Final = RetentionRule(
    setting="reviewer_months",
    table=ApprovalReviewer,
    what="outside reviewers to delete the address of",
    reason="asked for an approval that ended more than {limit} months ago",
    select_old=_has_old_reviewer,
)
RULES: Final[Sequence[RetentionRule]] = (
    UNCONFIRMED,
    LONG_GONE,
    OLD_REPLIES,
    OLD_TESTS,
    OLD_FEEDBACK,
    OLD_FAKES,
    OLD_COMMENTS,
    OLD_REVIEWERS,
)
