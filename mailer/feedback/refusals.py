"""Records what mail servers refused while a campaign was sent with what came back later: the same reasons,
the same thresholds, the same alarms.

A refusal has no message of its own, so its row is made from the delivery, once. Who has a dead address has
been judged by then (:mod:`mailer.dispatch.dead_addresses`), and is not judged twice.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import String, and_, cast, exists, literal, or_
from sqlmodel import Session, col, select

from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.feedback_models import (
    Consequence,
    Evidence,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
)
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.dispatch.dead_addresses import DEAD_ADDRESS_METHOD, is_dead_refusal
from mailer.dispatch.ledger_changes import name_consent_source
from mailer.feedback.consequences import CaseOutcome, FeedbackCase, apply_consequences
from mailer.feedback.context import FeedbackContext
from mailer.feedback.identification import FoundReader, ReaderMatch
from mailer.feedback.incoming_message import ReportedRecipient
from mailer.feedback.recorder import insert_message, make_event
from mailer.reasons.reason import Reason
from mailer.reasons.reason_classifier import classify_reason
from mailer.smtp.reply_classifier import find_enhanced_code
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber

SOURCE: Final = "sending"
"""What brought a refusal, as `mailer feedback list` shows it."""

_PREFIX: Final = "refusal:"
_OUR_WORDS: Final = re.compile(r"^gave up after \d+ attempts?: ")
_BATCH_SIZE: Final = 50
_RECENT: Final = timedelta(days=30)
"""Campaigns that ended longer ago are left alone: their refusals were recorded, or were sent before any
were."""

_LOOK_SECONDS: Final = 10.0
_ENDED: Final = (CampaignState.finished, CampaignState.cancelled)


class _Refusal(NamedTuple):
    """A delivery that the reader's server, or the relay in its name, refused; ``words`` are the server's, or
    ours with the server's in them."""

    delivery_id: int
    campaign_id: int
    subscriber_id: int
    email: str
    code: int | None
    words: str
    at: datetime


class RefusalWatch:
    """Records the refusals of each campaign once it has ended, in a process that runs in the background."""

    def __init__(self, context: FeedbackContext, *, clock: Clock = read_clock) -> None:
        self._context = context
        self._clock = clock
        self._done: set[tuple[int, datetime]] = set()

    def run(self, stop: threading.Event) -> None:
        """Look every few seconds, until ``stop`` is set. Raise SQLAlchemyError if the database failed;
        nothing is lost by calling this again.
        """
        while not stop.is_set():
            self.look()
            stop.wait(_LOOK_SECONDS)

    def look(self) -> int:
        """Record what is new; return how many refusals that were."""
        with open_session(self._context.engine, read_only=True) as session:
            now = self._clock(session.connection())
            ended = set(_list_ended(session, ended_after=now - _RECENT))
        number = 0
        # A campaign that was resumed ends again, at another time.
        for campaign_id, at in sorted(ended - self._done):
            number += record_refusals(self._context, campaign_id, now=now)
            self._done.add((campaign_id, at))
        return number


def record_refusals(context: FeedbackContext, campaign_id: int, *, now: datetime) -> int:
    """Record the refusals of a campaign that has ended and do what follows from them; return how many are
    new.

    Each counts once, however often and from wherever this is called. Of a campaign that still has something
    to send, none is recorded: a refusal is final only at the end. Raise SQLAlchemyError if the database
    failed; what is not recorded yet is recorded by the next call.
    """
    with open_session(context.engine, read_only=True) as session:
        if campaign_id not in dict(_list_ended(session, campaign_id=campaign_id)):
            return 0
        found = _find_new(session, campaign_id)
    return sum(
        _record(context, campaign_id, found[start : start + _BATCH_SIZE], now)
        for start in range(0, len(found), _BATCH_SIZE)
    )


def _list_ended(
    session: Session, *, campaign_id: int | None = None, ended_after: datetime | None = None
) -> Sequence[tuple[int, datetime]]:
    # Whoever still sends for a campaign that was cancelled has yet to judge its dead addresses.
    claimed = exists().where(col(Delivery.campaign_id) == col(Campaign.id), col(Delivery.owner).is_not(None))
    columns: tuple[Any, ...] = (col(Campaign.id), col(Campaign.finished_at))
    statement = select(*columns).where(col(Campaign.state).in_(_ENDED), ~claimed)
    if campaign_id is not None:
        statement = statement.where(col(Campaign.id) == campaign_id)
    if ended_after is not None:
        statement = statement.where(col(Campaign.finished_at) > ended_after)
    return [(number, at) for number, at in session.exec(statement)]


def _find_new(session: Session, campaign_id: int) -> Sequence[_Refusal]:
    """Return the refusals that are not recorded, by subscriber: in the order of all other locks."""
    recorded = exists().where(
        col(FeedbackMessage.fingerprint) == literal(_PREFIX) + cast(col(Delivery.id), String)
    )
    columns: tuple[Any, ...] = (
        *(col(Delivery.id), col(Delivery.campaign_id), col(Delivery.subscriber_id), col(Subscriber.email)),
        *(col(Delivery.code), col(Delivery.reason), col(Delivery.updated_at)),
    )
    statement = (
        select(*columns)
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            col(Delivery.campaign_id) == campaign_id,
            # It failed after a reply: the server deferred it until we gave up.
            or_(
                col(Delivery.state) == DeliveryState.rejected,
                and_(col(Delivery.state) == DeliveryState.failed, col(Delivery.code).is_not(None)),
            ),
            # Nothing about an erased person is written down again.
            col(Subscriber.status) != Status.erased,
            ~recorded,
        )
        .order_by(col(Delivery.subscriber_id))
    )
    return [_Refusal(*row) for row in session.exec(statement)]


def _record(context: FeedbackContext, campaign_id: int, refusals: Sequence[_Refusal], now: datetime) -> int:
    """Record a batch of one campaign in one transaction; return how many were new."""
    with open_session(context.engine) as session:
        rows = []
        for refusal in refusals:
            fingerprint = f"{_PREFIX}{refusal.delivery_id}"
            number = insert_message(session, fingerprint, FeedbackKind.bounce, source=SOURCE, now=now)
            if number is not None:
                rows.append((number, refusal))
        findings = [_make_finding(refusal) for _, refusal in rows]
        outcomes = _judge(session, context, campaign_id, findings, now)
        for (number, refusal), finding, outcome in zip(rows, findings, outcomes, strict=True):
            event = make_event(FeedbackKind.bounce, finding, outcome, at=refusal.at)
            event.message_id = number
            session.add(event)
            if outcome.consequence is Consequence.held:
                _hold(session, number)
        session.commit()
    return len(rows)


def _make_finding(refusal: _Refusal) -> ReaderMatch:
    code = "" if refusal.code is None else str(refusal.code)
    words = _OUR_WORDS.sub("", refusal.words)
    status = find_enhanced_code(refusal.code or 0, words)
    reason = classify_reason(words, status=status, code=code, action="failed")
    if reason is Reason.other and words != refusal.words:
        reason = Reason.expired
    recipient = ReportedRecipient(
        address=refusal.email,
        reason=reason,
        words=words,
        status=status,
        code=code,
        action="failed",
    )
    person = FoundReader(
        subscriber_id=refusal.subscriber_id,
        email=refusal.email,
        evidence=Evidence.refusal,
        campaign_id=refusal.campaign_id,
        sent_at=refusal.at,
    )
    return ReaderMatch(recipient=recipient, person=person)


def _judge(
    session: Session,
    context: FeedbackContext,
    campaign_id: int,
    findings: Sequence[ReaderMatch],
    now: datetime,
) -> Iterator[CaseOutcome]:
    buried = _list_buried(session, campaign_id)
    believes_relay = _has_sent(session, campaign_id)
    outcomes = {}
    open_cases = []
    for at, finding in enumerate(findings):
        if finding.person is not None and finding.person.subscriber_id in buried:
            outcomes[at] = CaseOutcome(consequence=Consequence.bounced)
        elif _is_judged(finding) or not (
            believes_relay or (finding.recipient.reason and finding.recipient.reason.concerns_us)
        ):
            outcomes[at] = CaseOutcome(consequence=Consequence.recorded)
        else:
            open_cases.append(at)
    case = FeedbackCase(
        session=session,
        workspace=context.workspace,
        kind=FeedbackKind.bounce,
        now=now,
        is_authentic=True,
    )
    applied = apply_consequences(case, [findings[at] for at in open_cases])
    outcomes |= dict(zip(open_cases, applied, strict=True))
    return (outcomes[at] for at in range(len(findings)))


def _is_judged(finding: ReaderMatch) -> bool:
    """Return whether the end of sending has decided about it: it was not plausible, or is outdated."""
    code = finding.recipient.code
    return is_dead_refusal(int(code) if code else None, finding.recipient.words)


def _list_buried(session: Session, campaign_id: int) -> set[int]:
    statement = select(ConsentRecord.subscriber_id).where(
        col(ConsentRecord.event) == ConsentEvent.bounced,
        col(ConsentRecord.method) == DEAD_ADDRESS_METHOD,
        col(ConsentRecord.source) == name_consent_source(campaign_id),
    )
    return set(session.exec(statement))


def _has_sent(session: Session, campaign_id: int) -> bool:
    """Return whether any message was accepted: a relay that refuses everything says nothing of readers."""
    sent = exists().where(col(Delivery.campaign_id) == campaign_id, col(Delivery.state) == DeliveryState.sent)
    return bool(session.connection().execute(select(sent)).scalar())


def _hold(session: Session, number: int) -> None:
    message = session.get(FeedbackMessage, number)
    assert message is not None  # noqa: S101 - inserted in this transaction
    message.state = FeedbackState.held
    message.note = "more addresses of this campaign came back as dead than is plausible"
    session.add(message)
