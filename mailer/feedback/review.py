"""A person's judgement of a message that was not understood or not believed.

What a person says is believed: it needs no token, and is not weighed against how many others came back. Who
judged is kept with the message and, if somebody is removed, in the consent record.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from locales.phrase import WordedEnum, gettext_noop
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
from mailer.errors import MailerError
from mailer.feedback.consequences import CaseOutcome, FeedbackCase, apply_consequences
from mailer.feedback.context import FeedbackContext
from mailer.feedback.identification import FoundReader, ReaderMatch, find_person_by_address, load_person
from mailer.feedback.incoming_message import ReportedRecipient
from mailer.feedback.recorder import clean_text, make_event
from mailer.reasons.reason import Reason
from mailer.workspace import Workspace
from subscribers.queries import find_subscriber

_DONE: Final = (Consequence.bounced, Consequence.complained, Consequence.unsubscribed)


class ReviewFault(WordedEnum):
    """Why a message cannot be judged, in the words of a page, which is never asked about the first and the
    last."""

    unknown = "unknown"
    """There is no such message."""

    judged = (
        "judged",
        gettext_noop("%(name)s has judged this message in the meantime. Your judgement changed nothing."),
    )
    settled = (
        "settled",
        gettext_noop("This message no longer waits for a person. Your judgement changed nothing."),
    )
    nobody = (
        "nobody",
        gettext_noop("Nobody on the list was found for this message. Write the address of whom it is about."),
    )
    cut = (
        "cut",
        gettext_noop(
            "This message cannot go on: only its beginning is kept here. Forward it from the mailbox where "
            "it arrived, then choose “None of these”."
        ),
    )
    unnamed = "unnamed"
    """Nobody says who judges."""


class ReviewError(MailerError):
    """A message cannot be judged so; nothing was changed. ``judged_by`` is who had judged it, if anybody."""

    def __init__(self, fault: ReviewFault, words: str, *, judged_by: str = "") -> None:
        super().__init__(words)
        self.fault = fault
        self.judged_by = judged_by


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a person takes a message for; ``kind`` is None to ignore it."""

    kind: FeedbackKind | None
    reason: Reason | None = None

    @property
    def needs_person(self) -> bool:
        """Whether it is about somebody, so that one must be found or named."""
        return self.kind in {FeedbackKind.bounce, FeedbackKind.complaint, FeedbackKind.leave}


JUDGEMENTS: Final[Mapping[str, Judgement]] = MappingProxyType(
    {
        "dead": Judgement(kind=FeedbackKind.bounce, reason=Reason.no_such_user),
        **{
            reason.value: Judgement(kind=FeedbackKind.bounce, reason=reason)
            for reason in Reason
            if reason is not Reason.complaint
        },
        "complaint": Judgement(kind=FeedbackKind.complaint, reason=Reason.complaint),
        "leave": Judgement(kind=FeedbackKind.leave),
        "reply": Judgement(kind=FeedbackKind.reply),
        "auto-reply": Judgement(kind=FeedbackKind.auto_reply),
        "ignore": Judgement(kind=None),
    }
)
"""What a message can be judged as, by the word for it."""


Outcomes = tuple[tuple[str, Consequence], ...]
"""What was done, for each subscriber that a message is about, by their address."""


def judge(
    context: FeedbackContext,
    number: int,
    word: str,
    *,
    by: str,
    subscriber: str = "",
    now: datetime,
    record: Callable[[Session], None] = lambda _: None,
) -> Outcomes:
    """Judge a message as :func:`judge_in_session` does, in a transaction of its own, in which ``record``
    writes down who did it."""
    with open_session(context.engine) as session:
        outcomes = judge_in_session(
            session, context.workspace, number, word, by=by, subscriber=subscriber, now=now
        )
        record(session)
        session.commit()
    return outcomes


def judge_in_session(
    session: Session,
    workspace: Workspace,
    number: int,
    word: str,
    *,
    by: str,
    subscriber: str = "",
    now: datetime,
) -> Outcomes:
    """Judge the message ``number`` as ``word`` (one of :data:`JUDGEMENTS`), and do what follows from it.

    ``subscriber`` is the address of whom the message is about, where that was not found. The caller commits;
    of two people who judge at once, the second is told so. Raise SubscriberError if ``subscriber`` is not on
    the list, and ReviewError for every other reason in :class:`ReviewFault`.
    """
    judgement = JUDGEMENTS[word]
    if not (judge_name := clean_text(by, 200)):
        raise ReviewError(ReviewFault.unnamed, "Say who judges: --by NAME.")
    kept = _take(session, number, word, judge_name, now)
    if judgement.kind is FeedbackKind.reply:
        _forward(session, kept, now)
        return ()
    return _judge_people(session, workspace, number, judgement, judge_name, subscriber, now)


def _take(session: Session, number: int, word: str, by: str, now: datetime) -> FeedbackMessage:
    """Mark a held message as judged, so that nobody else can, and return what was kept of it."""
    message = session.get(FeedbackMessage, number)
    if message is None:
        raise ReviewError(
            ReviewFault.unknown,
            f"There is no message {number}. `mailer feedback review` lists those that wait.",
        )
    values = {"state": FeedbackState.judged, "judgement": word, "judged_by": by, "judged_at": now}
    taken = session.connection().execute(
        update(FeedbackMessage)
        .where(col(FeedbackMessage.id) == number, col(FeedbackMessage.state) == FeedbackState.held)
        .values(raw=None, **values)
    )
    if taken.rowcount == 1:
        return message
    session.refresh(message)
    if message.judged_by:
        raise ReviewError(
            ReviewFault.judged,
            gettext_noop("Message %(number)s was judged by %(judged_by)s: %(judgement)s.")
            % {"number": number, "judged_by": message.judged_by, "judgement": message.judgement},
            judged_by=message.judged_by,
        )
    raise ReviewError(
        ReviewFault.settled,
        f"Message {number} does not wait for a person: what follows from it was done.",
    )


def _forward(session: Session, kept: FeedbackMessage, now: datetime) -> None:
    if kept.raw is None or len(kept.raw) < kept.size:
        raise ReviewError(
            ReviewFault.cut,
            gettext_noop(
                "Message %(number)s cannot go on: only its beginning is kept here. Forward it "
                "from the mailbox's quarantine folder, then judge it with --as ignore."
            )
            % {"number": kept.id},
        )
    session.connection().execute(
        update(FeedbackMessage)
        .where(col(FeedbackMessage.id) == kept.id)
        .values(state=FeedbackState.forwarding, kind=FeedbackKind.reply, raw=kept.raw)
    )
    session.add(QueuedReply(message_id=kept.id or 0, not_before=now))
    session.flush()


def _judge_people(
    session: Session,
    workspace: Workspace,
    number: int,
    judgement: Judgement,
    by: str,
    subscriber: str,
    now: datetime,
) -> Outcomes:
    if judgement.kind is None:
        return ()
    events = _list_open_events(session, number)
    pairs = _find_people(session, events, subscriber, now)
    if not pairs:
        if not judgement.needs_person:
            return ()
        raise ReviewError(
            ReviewFault.nobody,
            f"Nobody on the list was found for message {number}. Say whom it is about: --subscriber ADDRESS.",
        )
    findings = [
        ReaderMatch(recipient=_make_recipient(event, judgement), person=person) for event, person in pairs
    ]
    case = FeedbackCase(session=session, workspace=workspace, kind=judgement.kind, now=now, judged_by=by)
    outcomes = apply_consequences(case, findings)
    session.connection().execute(
        update(FeedbackMessage).where(col(FeedbackMessage.id) == number).values(kind=judgement.kind)
    )
    for (event, _), finding, outcome in zip(pairs, findings, outcomes, strict=True):
        _write_event(session, number, event, judgement.kind, finding, outcome, now)
    session.flush()
    return tuple(
        (person.email, outcome.consequence) for (_, person), outcome in zip(pairs, outcomes, strict=True)
    )


def _list_open_events(session: Session, number: int) -> Sequence[FeedbackEvent]:
    """Return the events of a message that a judgement is about: those that were held, or else all on which
    nothing was done."""
    statement = (
        select(FeedbackEvent)
        .where(
            col(FeedbackEvent.message_id) == number,
            col(FeedbackEvent.consequence).not_in(_DONE),
        )
        .order_by(col(FeedbackEvent.position))
    )
    found = session.exec(statement).all()
    return [event for event in found if event.consequence is Consequence.held] or found


def _find_people(
    session: Session, events: Sequence[FeedbackEvent], subscriber: str, now: datetime
) -> list[tuple[FeedbackEvent | None, FoundReader]]:
    """Find the people a judgement is about: the one who was named, or all that were found."""
    if not subscriber:
        return [
            (event, replace(person, evidence=Evidence.person))
            for event in events
            if event.subscriber_id is not None
            and (person := load_person(session, event.subscriber_id, event.campaign_id)) is not None
        ]
    email = find_subscriber(session, subscriber).email
    person = find_person_by_address(session, email, now=now)
    assert person is not None  # noqa: S101 - the subscriber was just found
    of_them = [event for event in events if event.subscriber_id == person.subscriber_id]
    of_nobody = [event for event in events if event.subscriber_id is None]
    event = next(iter((*of_them, *of_nobody)), None)
    return [(event, replace(person, evidence=Evidence.person))]


def _make_recipient(event: FeedbackEvent | None, judgement: Judgement) -> ReportedRecipient:
    if event is None:
        return ReportedRecipient(address="", reason=judgement.reason)
    return ReportedRecipient(
        address=event.address,
        reason=judgement.reason,
        words=event.words,
        status=event.status,
        code=event.code,
    )


def _write_event(
    session: Session,
    number: int,
    event: FeedbackEvent | None,
    kind: FeedbackKind,
    finding: ReaderMatch,
    outcome: CaseOutcome,
    now: datetime,
) -> None:
    judged = make_event(kind, finding, outcome, at=now)
    if event is None:
        positions = select(func.max(col(FeedbackEvent.position))).where(
            col(FeedbackEvent.message_id) == number
        )
        last = session.exec(positions).one()
        judged.message_id, judged.position = number, 0 if last is None else last + 1
        session.add(judged)
        return
    for name in ("subscriber_id", "campaign_id", "evidence", "reason", "consequence"):
        setattr(event, name, getattr(judged, name))
    session.add(event)
