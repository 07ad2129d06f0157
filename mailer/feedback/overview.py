"""What came back, by kind and reason, with the servers' words; and what waits for a person."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from mailer.database.feedback_models import (
    Consequence,
    Evidence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
)
from mailer.feedback.mime_part import parse_message
from mailer.reasons.reason import Reason
from mailer.utc import format_iso
from subscribers.models import Subscriber

ALARM_DAYS: Final = 14
"""For how many days what servers say about us is shown as an alarm."""

_MAX_WORDS: Final = 3
_EXCERPT_LENGTH: Final = 1500
# What differs between replies that mean the same: addresses, and the numbers by which servers know a message.
_VARIABLE_PARTS = re.compile(r"<?[^\s<>]+@[^\s<>:,;]+>?|\b(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{8,}\b")


@dataclass(frozen=True, kw_only=True)
class FeedbackGroup:
    """The events of one kind with one reason, "" if the message gave none. ``people`` counts the subscribers
    among them; ``words`` are what servers said most often, without what differs from message to message.
    """

    kind: FeedbackKind
    reason: str
    number: int
    people: int
    last_at: datetime
    consequences: dict[str, int]
    words: tuple[tuple[str, int], ...]

    def as_dict(self) -> dict[str, Any]:
        words = [{"words": words, "number": number} for words, number in self.words]
        return {**vars(self), "last_at": str(self.last_at), "words": words}


@dataclass(frozen=True, kw_only=True)
class ReportedEvent:
    """One event. ``number`` is that of its message; ``subscriber`` is "" if nobody was found, and
    ``subscriber_id`` None."""

    number: int
    at: datetime
    kind: FeedbackKind
    reason: str
    address: str
    subscriber: str
    campaign: int | None
    code: str
    status: str
    words: str
    found_by: Evidence
    consequence: Consequence
    state: FeedbackState
    subscriber_id: int | None = None

    def as_dict(self) -> dict[str, Any]:
        shown = {**vars(self), "at": format_iso(self.at)}
        del shown["subscriber_id"]
        return shown


def make_event_conditions(
    *, kind: FeedbackKind | None = None, reason: Reason | None = None, campaign_id: int | None = None
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for :func:`group_feedback` and :func:`list_events`; None is all."""
    if kind is not None:
        yield col(FeedbackMessage.kind) == kind
    if reason is not None:
        yield col(FeedbackEvent.reason) == reason
    if campaign_id is not None:
        yield col(FeedbackEvent.campaign_id) == campaign_id


def group_feedback(session: Session, *conditions: ColumnElement[bool]) -> list[FeedbackGroup]:
    """Group the events by kind and reason, the most frequent of each kind first."""
    found: dict[tuple[FeedbackKind, str], list[Any]] = defaultdict(list)
    people = _count_people(session, conditions)
    columns = (
        col(FeedbackMessage.kind),
        col(FeedbackMessage.state),
        col(FeedbackEvent.reason),
        col(FeedbackEvent.consequence),
        col(FeedbackEvent.words),
    )
    statement = (
        select(*columns, func.count(), func.max(col(FeedbackEvent.at)))  # type: ignore[call-overload]
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(*conditions)
        .group_by(*columns)
    )
    for kind, state, reason, consequence, words, number, last_at in session.exec(statement):
        done = _name_consequence(state, consequence)
        found[kind, reason.value if reason else ""].append((done, words, number, last_at))
    groups = [
        _make_group(kind, reason, rows, people.get((kind, reason), 0))
        for (kind, reason), rows in found.items()
    ]
    kinds = list(FeedbackKind)
    return sorted(groups, key=lambda group: (kinds.index(group.kind), -group.number, group.reason))


def _name_consequence(state: FeedbackState, consequence: Consequence) -> Consequence:
    """Return what was done, as people see it: what waits for them is held, whatever was recorded of it."""
    if state is FeedbackState.held and consequence is Consequence.recorded:
        return Consequence.held
    return consequence


def _count_people(
    session: Session, conditions: Sequence[ColumnElement[bool]]
) -> dict[tuple[FeedbackKind, str], int]:
    counted = (
        select(
            col(FeedbackMessage.kind),
            col(FeedbackEvent.reason),
            func.count(func.distinct(col(FeedbackEvent.subscriber_id))),
        )
        .join(FeedbackEvent, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .where(*conditions)
        .group_by(col(FeedbackMessage.kind), col(FeedbackEvent.reason))
    )
    return {(kind, reason.value if reason else ""): number for kind, reason, number in session.exec(counted)}


def _make_group(kind: FeedbackKind, reason: str, rows: list[Any], people: int) -> FeedbackGroup:
    consequences: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for consequence, said, number, _ in rows:
        consequences[consequence] += number
        if said:
            words[_VARIABLE_PARTS.sub("<…>", said)] += number
    return FeedbackGroup(
        kind=kind,
        reason=reason,
        number=consequences.total(),
        people=people,
        last_at=max(row[3] for row in rows),
        consequences=dict(consequences.most_common()),
        words=tuple(words.most_common(_MAX_WORDS)),
    )


def list_message_events(session: Session, number: int | None) -> Iterator[ReportedEvent]:
    """Yield what the message ``number`` says of each recipient, the first last."""
    yield from list_events(session, col(FeedbackEvent.message_id) == number)


def list_alarms(session: Session, *, now: datetime) -> list[ReportedEvent]:
    """List what servers said about us in the last :data:`ALARM_DAYS` days, newest first."""
    recent = col(FeedbackEvent.at) > now - timedelta(days=ALARM_DAYS)
    is_alarm = col(FeedbackEvent.consequence) == Consequence.alarm
    return list(list_events(session, is_alarm, recent))


def count_held(session: Session) -> int:
    """Count the messages that wait for a person."""
    is_held = col(FeedbackMessage.state) == FeedbackState.held
    return session.exec(select(func.count(col(FeedbackMessage.id))).where(is_held)).one()


def list_held(
    session: Session, *, campaign_id: int | None = None, after: int = 0, limit: int | None = None
) -> Sequence[FeedbackMessage]:
    """List the messages that wait for a person, oldest first; with ``campaign_id`` those about it, and only
    those after the number ``after``."""
    statement = (
        select(FeedbackMessage)
        .where(col(FeedbackMessage.state) == FeedbackState.held, col(FeedbackMessage.id) > after)
        .order_by(col(FeedbackMessage.id))
        .limit(limit)
    )
    if campaign_id is not None:
        about = select(FeedbackEvent.message_id).where(col(FeedbackEvent.campaign_id) == campaign_id)
        statement = statement.where(col(FeedbackMessage.id).in_(about))
    return session.exec(statement).all()


def read_excerpt(raw: bytes | None) -> str:
    """Return the beginning of a message's text, without empty lines and what a terminal would obey."""
    if raw is None:
        return ""
    text = parse_message(raw).readable_text[: 4 * _EXCERPT_LENGTH]
    lines = ("".join(filter(str.isprintable, line)).rstrip() for line in text.splitlines())
    return "\n".join(filter(None, lines))[:_EXCERPT_LENGTH]


def list_events(
    session: Session, *conditions: ColumnElement[bool], limit: int | None = None
) -> Iterator[ReportedEvent]:
    """Yield the events, newest first."""
    statement = (
        select(FeedbackEvent, col(FeedbackMessage.kind), col(FeedbackMessage.state), col(Subscriber.email))
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(FeedbackEvent.message_id))
        .join(Subscriber, col(Subscriber.id) == col(FeedbackEvent.subscriber_id), isouter=True)
        .where(*conditions)
        .order_by(col(FeedbackEvent.at).desc(), col(FeedbackEvent.id).desc())
        .limit(limit)
    )
    for event, kind, state, email in session.exec(statement):
        yield ReportedEvent(
            number=event.message_id,
            at=event.at,
            kind=kind,
            reason=event.reason.value if event.reason else "",
            address=event.address,
            subscriber=email or "",
            campaign=event.campaign_id,
            code=event.code,
            status=event.status,
            words=event.words,
            found_by=event.evidence,
            consequence=_name_consequence(state, event.consequence),
            state=state,
            subscriber_id=event.subscriber_id,
        )
