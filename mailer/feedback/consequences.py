"""What happens to whom because of what came back.

Only an address that is dead removes somebody at once; a full or suspended mailbox does after so many bounces
over so many days, with no message in between that arrived. What a server says about us removes nobody. A
complaint and a mail to the leaving address always count: their tokens say whose they are.

Nothing here commits. Locks are taken in the same order as :mod:`mailer.dispatch.dead_addresses` takes them:
campaigns, then suppressions, then subscribers by number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, or_
from sqlmodel import Session, col, func, select

from mailer.database.feedback_models import (
    ARRIVED_ACTIONS,
    FAILED_ACTIONS,
    Consequence,
    Evidence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
)
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.dispatch.circuit_breaker import MAX_UNJUDGED
from mailer.dispatch.ledger_changes import mark_sent_by_evidence, name_consent_source
from mailer.feedback.identification import FoundReader, ReaderMatch
from mailer.reasons.reason import Reason
from mailer.selfservice.unsubscribe import unsubscribe_by_mail, unsubscribe_by_provider
from mailer.workspace import Workspace
from subscribers.consent.status_changes import GONE_STATUSES, lock_subscriber, mark_bounced, suppress
from subscribers.consent.suppression import lock_suppressions_exclusively, lock_suppressions_shared
from subscribers.models import ConsentEvent, ConsentRecord, Status
from subscribers.tokens import TokenPayload

_MAY_STILL_BOUNCE: Final = timedelta(days=5)
"""How long a server may keep a message in its queue before it gives up (RFC 5321, section 4.5.4.1)."""
_SOFT_REASONS: Final = tuple(reason for reason in Reason if reason.may_die)
_MAX_MESSAGES: Final = 200
_REFUSED: Final = (DeliveryState.rejected, DeliveryState.failed)

PROVIDER_SOURCE: Final = "webhook:"
"""What the source of a provider's event begins with."""
BOUNCE_METHOD: Final = "bounce"
COMPLAINT_METHOD: Final = "complaint"
"""The methods given in consent records."""
_SHARE_OF_LIMIT: Final = 1.5
"""How much more of a campaign may be dead than makes it pause: an old list may well have an eighth of dead
addresses."""
_EVIDENCE_WORDS: Final = {
    FeedbackKind.bounce: "a bounce of it",
    FeedbackKind.complaint: "a complaint about it",
    FeedbackKind.auto_reply: "an automatic reply to it",
    FeedbackKind.reply: "a reply to it",
    FeedbackKind.leave: "an unsubscribe through its leaving address",
}


def find_soft_bounces(session: Session, person: FoundReader, *, now: datetime) -> list[datetime]:
    """Return when the messages were sent, the last first, that came back as full or suspended since one
    arrived, or since the reader last did something themselves.

    The bounce that ``person`` was found by counts, though it is not recorded yet. Bounces whose reader was
    found by the address alone do not.
    """
    soft, others = _find_bounced_campaigns(session, person.subscriber_id)
    if person.campaign_id is not None:
        soft.add(person.campaign_id)
    times: list[datetime] = []
    for campaign_id, state, sent_at in _list_sent(session, person.subscriber_id):
        if campaign_id in soft:
            times.append(sent_at)
        elif state in _REFUSED or campaign_id in others:
            continue
        elif sent_at <= now - _MAY_STILL_BOUNCE:
            break
    return times


def _find_bounced_campaigns(session: Session, subscriber_id: int) -> tuple[set[int], set[int]]:
    """Return the campaigns whose message bounced as full or suspended, and those of other bounces."""
    statement = (
        select(FeedbackEvent.campaign_id, FeedbackEvent.reason)
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(
            col(FeedbackEvent.subscriber_id) == subscriber_id,
            col(FeedbackEvent.campaign_id).is_not(None),
            col(FeedbackEvent.action).in_(FAILED_ACTIONS),
            col(FeedbackMessage.kind) == FeedbackKind.bounce,
            or_(
                col(FeedbackEvent.evidence) != Evidence.address,
                col(FeedbackMessage.source).startswith(PROVIDER_SOURCE),
            ),
        )
    )
    soft: set[int] = set()
    others: set[int] = set()
    for campaign_id, reason in session.exec(statement):
        if campaign_id is not None:
            (soft if reason in _SOFT_REASONS else others).add(campaign_id)
    return soft, others - soft


def _list_sent(session: Session, subscriber_id: int) -> list[tuple[int, str, datetime]]:
    """Return the messages sent to a subscriber since they last did something themselves, newest first, with
    those that their server refused at once."""
    last_action = session.exec(
        select(func.max(col(ConsentRecord.at))).where(
            col(ConsentRecord.subscriber_id) == subscriber_id, col(ConsentRecord.method) != "import"
        )
    ).one()
    sent = (
        select(Delivery.campaign_id, Delivery.state, Delivery.updated_at)
        .where(
            col(Delivery.subscriber_id) == subscriber_id,
            col(Delivery.state).in_((DeliveryState.sent, DeliveryState.in_doubt, *_REFUSED)),
        )
        .order_by(col(Delivery.updated_at).desc())
        .limit(_MAX_MESSAGES)
    )
    if last_action is not None:
        sent = sent.where(col(Delivery.updated_at) > last_action)
    return list(session.exec(sent))


@dataclass(frozen=True, kw_only=True)
class CaseOutcome:
    """What was done because of one finding, and whether it proved a delivery that was in doubt."""

    consequence: Consequence
    settled_doubt: bool = False


@dataclass(frozen=True, kw_only=True)
class FeedbackCase:
    """One message, or one person's judgement of it, whose findings are acted on in ``session``.

    ``is_authentic`` says that whoever reports is known to be who they say, as a provider that signs: then an
    address is as good as a token. ``judged_by`` is the person who judged the message, "" if nobody did: what
    a person says is believed, however many say the same.
    """

    session: Session
    workspace: Workspace
    kind: FeedbackKind
    now: datetime
    is_authentic: bool = False
    judged_by: str = ""

    def believes(self, person: FoundReader) -> bool:
        """Return whether the evidence for ``person`` is enough to act on. A message with an address alone may
        be from anybody who knows the address, so a person must look at it.
        """
        return bool(person.is_certain or self.is_authentic or self.judged_by)


def apply_consequences(case: FeedbackCase, findings: Sequence[ReaderMatch]) -> list[CaseOutcome]:
    """Do what follows from ``findings``; return what was done for each, in the same order. The caller commits
    in the transaction that records them.
    """
    _lock(case, findings)
    outcomes: dict[int, CaseOutcome] = {}
    # By number, so that two transactions that act on the same people never wait for each other in a circle.
    for at in sorted(range(len(findings)), key=lambda at: (_number(findings[at]), at)):
        outcomes[at] = _apply(case, findings[at], findings)
    return [outcomes[at] for at in range(len(findings))]


def _number(finding: ReaderMatch) -> int:
    return finding.person.subscriber_id if finding.person else 0


def _lock(case: FeedbackCase, findings: Sequence[ReaderMatch]) -> None:
    campaigns = sorted({one.person.campaign_id for one in findings if one.person and one.person.campaign_id})
    if campaigns:
        held = select(Campaign.id).where(col(Campaign.id).in_(campaigns)).order_by(col(Campaign.id))
        case.session.exec(held.with_for_update(key_share=True, read=True)).all()
    # Imports share this lock for as long as they take, so only what may suppress an address waits for it.
    if case.kind is FeedbackKind.complaint or any(_may_remove(one) for one in findings):
        lock_suppressions_exclusively(case.session)
    elif case.kind is FeedbackKind.auto_reply:
        # A successor is proposed only if their address is not suppressed, and that lock comes first.
        lock_suppressions_shared(case.session)


def _may_remove(finding: ReaderMatch) -> bool:
    reason = finding.recipient.reason
    return finding.person is not None and reason is not None and (reason.is_dead or reason.may_die)


def _apply(case: FeedbackCase, finding: ReaderMatch, findings: Sequence[ReaderMatch]) -> CaseOutcome:
    if finding.person is None:
        return CaseOutcome(consequence=Consequence.recorded)
    match case.kind:
        case FeedbackKind.leave:
            consequence = _leave(case, finding.person)
        case FeedbackKind.complaint:
            consequence = _complain(case, finding.person)
        case FeedbackKind.bounce:
            consequence = _bounce(case, finding, findings)
        case _:
            consequence = Consequence.recorded
    return CaseOutcome(consequence=consequence, settled_doubt=_settle_doubt(case, finding.person))


def _settle_doubt(case: FeedbackCase, person: FoundReader) -> bool:
    """Mark the delivery as sent if it was in doubt: nobody else has what proves it."""
    is_proof = person.evidence in {Evidence.token, Evidence.message_id} or case.is_authentic
    words = _EVIDENCE_WORDS.get(case.kind)
    if not is_proof or words is None or person.campaign_id is None:
        return False
    return mark_sent_by_evidence(
        case.session.connection(), person.campaign_id, person.subscriber_id, words, case.now
    )


def _leave(case: FeedbackCase, person: FoundReader) -> Consequence:
    if not case.believes(person):
        return Consequence.held
    payload = TokenPayload(subscriber_id=person.subscriber_id, campaign_id=person.campaign_id or 0)
    if case.is_authentic:
        changed = unsubscribe_by_provider(case.session, payload, now=case.now)
    else:
        changed = unsubscribe_by_mail(case.session, payload, now=case.now, judged_by=case.judged_by)
    return Consequence.unsubscribed if changed else Consequence.gone


def _complain(case: FeedbackCase, person: FoundReader) -> Consequence:
    if not person.is_certain and not _has_proof_of_sending(case, person):
        return Consequence.unproven
    if not case.believes(person):
        return Consequence.held
    subscriber = lock_subscriber(case.session, person.subscriber_id)
    # A provider may report one complaint by mail and by webhook, and the reader may have come back between.
    if subscriber.status is Status.erased or _has_complained(case, person):
        return Consequence.gone
    changed = suppress(
        case.session,
        subscriber.email,
        key=case.workspace.keys.suppression,
        reason=ConsentEvent.complained,
        method=COMPLAINT_METHOD,
        source=_name_source(person),
        evidence=_describe_judge(case) or "a complaint of the reader's provider",
        now=case.now,
    )
    return Consequence.complained if changed else Consequence.gone


def _has_complained(case: FeedbackCase, person: FoundReader) -> bool:
    """Return whether a complaint about the same message has been acted on before."""
    if person.campaign_id is None:
        return False
    earlier = select(FeedbackEvent.id).where(
        col(FeedbackEvent.subscriber_id) == person.subscriber_id,
        col(FeedbackEvent.campaign_id) == person.campaign_id,
        col(FeedbackEvent.consequence) == Consequence.complained,
    )
    return case.session.exec(earlier.limit(1)).first() is not None


def _bounce(case: FeedbackCase, finding: ReaderMatch, findings: Sequence[ReaderMatch]) -> Consequence:
    reason, action, person = finding.recipient.reason, finding.recipient.action, finding.person
    if reason is None or person is None or action in ARRIVED_ACTIONS:
        return Consequence.recorded
    if reason.concerns_us:
        return Consequence.alarm if case.believes(person) else Consequence.recorded
    if action not in FAILED_ACTIONS or not _speaks_for(finding, findings):
        return Consequence.recorded
    if reason.is_dead:
        return _bury(case, person, _describe_codes(finding), person.sent_at)
    if reason.may_die and case.believes(person):
        return _count_soft_bounce(case, finding, person)
    return Consequence.recorded


def _speaks_for(finding: ReaderMatch, findings: Sequence[ReaderMatch]) -> bool:
    """Return whether a report is the one that counts for its person.

    Mail that a reader's server passes on to several addresses may bounce from some of them. The report about
    the reader's own address counts; without one, all of them must have failed for the same kind of reason.
    """
    if finding.person is None:
        return False
    about_them = [
        one for one in findings if one.person and one.person.subscriber_id == finding.person.subscriber_id
    ]
    own = [one for one in about_them if one.is_own_address]
    if own:
        return finding is own[0]
    is_first = finding is about_them[0]
    return is_first and all(
        one.recipient.action in FAILED_ACTIONS and one.recipient.is_dead == finding.recipient.is_dead
        for one in about_them
    )


def _bury(case: FeedbackCase, person: FoundReader, evidence: str, sent_at: datetime | None) -> Consequence:
    if not _has_proof_of_sending(case, person):
        return Consequence.unproven
    subscriber = lock_subscriber(case.session, person.subscriber_id)
    if subscriber.status in GONE_STATUSES:
        return Consequence.gone
    if not case.believes(person) or not _is_plausible(case, person):
        return Consequence.held
    changed = mark_bounced(
        case.session,
        person.subscriber_id,
        refused_at=sent_at or case.now,
        key=case.workspace.keys.suppression,
        method=BOUNCE_METHOD,
        source=_name_source(person),
        # Not the server's words, because they quote the address.
        evidence="; ".join(filter(None, (evidence, _describe_judge(case)))),
        now=case.now,
    )
    return Consequence.bounced if changed else Consequence.outdated


def _count_soft_bounce(case: FeedbackCase, finding: ReaderMatch, person: FoundReader) -> Consequence:
    rules = case.workspace.settings.feedback
    times = find_soft_bounces(case.session, person, now=case.now)
    # Between the times of sending, so that a mailbox read late, or in another order, gives the same.
    days = (times[0] - times[-1]).days if times else 0
    if not times or len(times) < rules.soft_bounces or days < rules.soft_bounce_days:
        return Consequence.recorded
    evidence = f"{_describe_codes(finding)}; {len(times)} bounces over {days} days".removeprefix("; ")
    return _bury(case, person, evidence, times[0])


def _has_proof_of_sending(case: FeedbackCase, person: FoundReader) -> bool:
    return person.sent_at is not None or bool(case.judged_by)


def _is_plausible(case: FeedbackCase, person: FoundReader) -> bool:
    """Return whether one more dead address of the campaign can be believed without a person: a server that
    refuses every address of a domain, or a filter in between, says the same of live ones.
    """
    if case.judged_by or person.campaign_id is None:
        return True
    campaign = case.session.get(Campaign, person.campaign_id)
    audience = campaign.audience if campaign else 0
    share = _SHARE_OF_LIMIT * case.workspace.settings.campaigns.halt_at_rejected
    allowed = max(share * audience, min(MAX_UNJUDGED, audience // 2), 1)
    others = select(func.count(func.distinct(col(FeedbackEvent.subscriber_id)))).where(
        col(FeedbackEvent.campaign_id) == person.campaign_id,
        col(FeedbackEvent.subscriber_id) != person.subscriber_id,
        # What a person judged says nothing of the others, and what was held for want of a token may be
        # forged.
        col(FeedbackEvent.evidence).in_(
            (Evidence.token, Evidence.message_id, Evidence.address, Evidence.refusal)
        ),
        or_(
            col(FeedbackEvent.consequence) == Consequence.bounced,
            and_(
                col(FeedbackEvent.consequence) == Consequence.held,
                col(FeedbackEvent.evidence) != Evidence.address,
            ),
        ),
    )
    return case.session.exec(others).one() + 1 <= allowed


def _describe_codes(finding: ReaderMatch) -> str:
    recipient = finding.recipient
    reason = recipient.reason.value if recipient.reason else ""
    return " ".join(filter(None, (recipient.code, recipient.status, reason)))


def _describe_judge(case: FeedbackCase) -> str:
    return f"judged by {case.judged_by}" if case.judged_by else ""


def _name_source(person: FoundReader) -> str:
    return "" if person.campaign_id is None else name_consent_source(person.campaign_id)
