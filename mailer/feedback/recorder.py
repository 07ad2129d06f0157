"""Records a message that came back, and acts on it, in one transaction that counts each message once.

The row of the message is inserted first. A second reader of the same message waits there for the first, and
then finds it recorded; if the first dies, nothing of it is there, and the second begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from mailer.database.engine import open_session
from mailer.database.feedback_models import (
    Consequence,
    Evidence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
    QueuedReply,
)
from mailer.feedback.consequences import CaseOutcome, FeedbackCase, apply_consequences
from mailer.feedback.context import FeedbackContext
from mailer.feedback.dmarc_reports import store_report
from mailer.feedback.identification import ReaderMatch, identify
from mailer.feedback.incoming_message import IncomingMessage
from mailer.feedback.successors import propose_successors
from mailer.reasons.reason import Reason
from mailer.rendering.headers import plain_phrase
from subscribers.address import normalise_address
from subscribers.consent.suppression import read_suppression
from subscribers.errors import AddressError
from subscribers.models import ConsentEvent, Status, Subscriber

MAX_HELD_BYTES: Final = 256 * 1024
"""How much is kept of a message that a person must judge. Bounces return what they bounce, pictures and all;
what explains them comes first."""

MAX_REPLY_BYTES: Final = 40 * 1024 * 1024
"""A larger reply is held, not forwarded. Few servers accept messages of more than 35 MB."""

_MAX_RECIPIENTS: Final = 500
_MAX_ATTEMPTS: Final = 5
_MAX_DOMAIN_LENGTH: Final = 100
_DEADLOCK_STATES: Final = frozenset({"40P01", "40001"})


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """That a message is recorded for good, with its number. ``is_new`` is false if it had been recorded
    before; then nothing was done again.
    """

    number: int
    kind: FeedbackKind
    state: FeedbackState
    is_new: bool

    @property
    def is_held(self) -> bool:
        """Whether it was not understood or not believed, so that it belongs in the quarantine."""
        return self.state is FeedbackState.held


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A message as it arrived. ``raw`` is None for a provider's event, which is no message; ``happened_at``
    is when the provider says that it happened. ``is_authentic`` says that its sender is known for certain.
    """

    message: IncomingMessage
    fingerprint: str
    source: str
    raw: bytes | None = None
    happened_at: datetime | None = None
    is_authentic: bool = False


def record(context: FeedbackContext, arrival: Arrival, *, now: datetime) -> Receipt:
    """Record ``arrival`` and do what follows from it, once; both are committed when this returns."""
    for attempt in range(_MAX_ATTEMPTS):
        try:
            with open_session(context.engine) as session:
                receipt = _record(session, context, arrival, now)
                session.commit()
                return receipt
        except DBAPIError as error:
            # PostgreSQL ends one of two transactions that wait for each other; nothing of it is left.
            is_deadlock = getattr(error.orig, "sqlstate", None) in _DEADLOCK_STATES
            if not is_deadlock or attempt == _MAX_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _record(session: Session, context: FeedbackContext, arrival: Arrival, now: datetime) -> Receipt:
    message = arrival.message
    number = insert_message(
        session,
        arrival.fingerprint,
        message.kind,
        source=arrival.source,
        now=now,
        sender=message.sender,
        subject=message.subject,
        size=len(arrival.raw or b""),
    )
    if number is None:
        return _read_receipt(session, arrival.fingerprint)
    workspace = context.workspace
    found = identify(
        session, workspace.keys, message, now=now, raw=arrival.raw, is_authentic=arrival.is_authentic
    )
    findings = found[:_MAX_RECIPIENTS]
    case = FeedbackCase(
        session=session,
        workspace=workspace,
        kind=message.kind,
        now=now,
        is_authentic=arrival.is_authentic,
    )
    outcomes = apply_consequences(case, findings)
    erased = _find_erased(session, context, findings)
    for position, (finding, outcome) in enumerate(zip(findings, outcomes, strict=True)):
        event = make_event(message.kind, finding, outcome, at=arrival.happened_at or now)
        if position in erased:
            event.address = event.words = ""
        event.message_id, event.position = number, position
        session.add(event)
    session.flush()
    state, note = _choose_state(arrival, findings, outcomes)
    values: dict[str, Any] = {"state": state, "note": note, "raw": _choose_raw(arrival, state)}
    if erased:
        values |= {"sender": "", "subject": ""}
    session.connection().execute(
        update(FeedbackMessage).where(col(FeedbackMessage.id) == number).values(**values)
    )
    if message.dmarc is not None:
        store_report(session, message.dmarc, now=now)
    if state is FeedbackState.forwarding:
        session.add(QueuedReply(message_id=number, not_before=now))
    if message.kind is FeedbackKind.auto_reply and workspace.settings.feedback.successors and not erased:
        for subscriber_id in {finding.person.subscriber_id for finding in findings if finding.person}:
            propose_successors(
                session, workspace, message, message_id=number, subscriber_id=subscriber_id, now=now
            )
    return Receipt(number=number, kind=message.kind, state=state, is_new=True)


def insert_message(
    session: Session,
    fingerprint: str,
    kind: FeedbackKind,
    *,
    source: str,
    now: datetime,
    sender: str = "",
    subject: str = "",
    size: int = 0,
) -> int | None:
    """Insert a message's row and return its number; None if there is one with this fingerprint already."""
    connection = session.connection()
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = (
        insert(FeedbackMessage)
        .values(
            fingerprint=fingerprint,
            received_at=now,
            source=clean_text(source, 100),
            kind=kind,
            state=FeedbackState.recorded,
            sender=clean_text(sender, 320),
            subject=clean_text(subject, 500),
            size=size,
            **dict.fromkeys(("note", "judgement", "judged_by"), ""),
        )
        .on_conflict_do_nothing(index_elements=["fingerprint"])
        .returning(col(FeedbackMessage.id))
    )
    return connection.execute(statement).scalar_one_or_none()


def _read_receipt(session: Session, fingerprint: str) -> Receipt:
    known = session.exec(select(FeedbackMessage).where(FeedbackMessage.fingerprint == fingerprint)).one()
    return Receipt(number=known.id or 0, kind=known.kind, state=known.state, is_new=False)


def make_event(
    kind: FeedbackKind, finding: ReaderMatch, outcome: CaseOutcome, *, at: datetime
) -> FeedbackEvent:
    """Make the row of one finding; the caller sets its message and position."""
    recipient, person = finding.recipient, finding.person
    return FeedbackEvent(
        message_id=0,
        subscriber_id=person.subscriber_id if person else None,
        campaign_id=person.campaign_id if person else None,
        evidence=person.evidence if person else Evidence.nothing,
        address=clean_text(recipient.address, 320),
        # A complaint is one even where the report says nothing more.
        reason=Reason.complaint if kind is FeedbackKind.complaint else recipient.reason,
        action=clean_text(recipient.action, 32),
        status=clean_text(recipient.status, 32),
        code=clean_text(recipient.code, 32),
        words=clean_text(recipient.words, 1000),
        at=at,
        consequence=outcome.consequence,
        settled_doubt=outcome.settled_doubt,
    )


def _find_erased(session: Session, context: FeedbackContext, findings: Sequence[ReaderMatch]) -> set[int]:
    """Return the positions of findings about people who were erased: nothing about them is kept again."""
    numbers = {finding.person.subscriber_id for finding in findings if finding.person}
    # Locked, so that an erasure at this moment comes before, and is seen here, or finds what is recorded.
    statuses = (
        select(col(Subscriber.id), col(Subscriber.status))
        .where(col(Subscriber.id).in_(numbers))
        .order_by(col(Subscriber.id))
        .with_for_update(read=True, key_share=True)
    )
    gone = {number for number, status in session.exec(statuses) if status is Status.erased}
    return {
        position
        for position, finding in enumerate(findings)
        if (
            finding.person.subscriber_id in gone
            if finding.person
            else any(
                _is_erased_address(session, context, address)
                for address in (finding.recipient.original_address, finding.recipient.address)
            )
        )
    }


def _is_erased_address(session: Session, context: FeedbackContext, address: str) -> bool:
    try:
        email = normalise_address(address).email
    except AddressError:
        return False
    suppression = read_suppression(session, context.workspace.keys.suppression, email)
    return suppression is not None and suppression.reason is ConsentEvent.erased


def _choose_state(
    arrival: Arrival, findings: Sequence[ReaderMatch], outcomes: Sequence[CaseOutcome]
) -> tuple[FeedbackState, str]:
    """Choose what becomes of a message, and say why a person must look at it."""
    message = arrival.message
    if message.kind is FeedbackKind.reply and arrival.raw is not None:
        if len(arrival.raw) > MAX_REPLY_BYTES:
            return FeedbackState.held, "a reply that is too large to go on; only its beginning is kept here"
        return FeedbackState.forwarding, ""
    if arrival.is_authentic and _names_anybody(message) and not any(one.person for one in findings):
        # Others may send through the same account of the provider.
        return FeedbackState.recorded, ""
    if note := _explain_holding(message, findings, outcomes):
        return FeedbackState.held, note
    return FeedbackState.recorded, ""


def _explain_holding(
    message: IncomingMessage, findings: Sequence[ReaderMatch], outcomes: Sequence[CaseOutcome]
) -> str:
    is_anybody_found = any(finding.person for finding in findings)
    if any(outcome.consequence is Consequence.held for outcome in outcomes):
        if all(finding.person is None or finding.person.is_certain for finding in findings):
            return "more addresses of this campaign came back as dead than is plausible"
        return "it came without one of our tokens, so that anybody may have written it"
    if message.strange_domain:
        domain = clean_text(message.strange_domain, _MAX_DOMAIN_LENGTH)
        return f"it is a report on senders (DMARC) about {domain}, which is not the domain of your mail"
    if message.kind is FeedbackKind.other:
        return "it was not understood"
    if message.kind is FeedbackKind.leave and not is_anybody_found:
        return "its leaving address has no valid token: nobody knows who wants to leave"
    if message.kind is FeedbackKind.complaint and not is_anybody_found:
        return "nobody on the list was found who could have complained"
    if message.kind is FeedbackKind.bounce and not is_anybody_found and not _names_anybody(message):
        return "a bounce that does not say for whom"
    if len(message.recipients) > _MAX_RECIPIENTS:
        return f"it names {len(message.recipients)} recipients; the first {_MAX_RECIPIENTS} were recorded"
    return ""


def _names_anybody(message: IncomingMessage) -> bool:
    return any(recipient.address for recipient in message.recipients)


def _choose_raw(arrival: Arrival, state: FeedbackState) -> bytes | None:
    if arrival.raw is None or state not in {FeedbackState.held, FeedbackState.forwarding}:
        return None
    return arrival.raw if state is FeedbackState.forwarding else arrival.raw[:MAX_HELD_BYTES]


def clean_text(text: str, limit: int) -> str:
    """Return ``text`` on one line, without what a database refuses or a terminal obeys, and not longer than
    ``limit`` characters."""
    return plain_phrase(text[: 4 * limit])[:limit]
