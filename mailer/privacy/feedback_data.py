"""A person's data in what came back: bounces, complaints and replies of and about them.

Rows that refer to a subscriber are found by that; a message by its events and its sender, and what is kept
of its text by the address in it. The row of a message itself stays, without a word of it: its fingerprint is
what counts a message once.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update
from sqlmodel import Session, col

from mailer.database.feedback_models import (
    FeedbackEvent,
    FeedbackMessage,
    FeedbackState,
    ProposedSuccessor,
    QueuedReply,
)
from mailer.database.report_models import Click, ReaderClick
from mailer.privacy.address_search import AddressMatcher
from subscribers.models import Subscriber

ERASURE = "erasure"
"""The judge of a message that waited for a person, or to go on, when its sender was erased."""

_NO_WORDS = {"sender": "", "subject": "", "note": "", "raw": None}


def erase_feedback(
    connection: Connection, person: Subscriber, matcher: AddressMatcher, now: datetime
) -> None:
    """Delete what messages say of a person and by them; what was done stays counted. The caller has locked
    the subscriber, and commits.
    """
    numbers = set(_find_in_texts(connection, matcher))
    about = connection.scalars(select(col(FeedbackMessage.id)).where(_is_theirs(person)))
    numbers.update(number for number in about if number is not None)
    for number in sorted(numbers):
        _blank_message(connection, number, now)
    theirs = or_(
        col(FeedbackEvent.subscriber_id) == person.id,
        func.lower(col(FeedbackEvent.address)).in_(_list_spellings(person)),
    )
    connection.execute(update(FeedbackEvent).where(theirs).values(address="", words="", status="", code=""))
    connection.execute(
        delete(ProposedSuccessor).where(
            or_(
                col(ProposedSuccessor.subscriber_id) == person.id,
                col(ProposedSuccessor.email) == person.email,
            )
        )
    )


def _is_theirs(person: Subscriber) -> ColumnElement[bool]:
    about = exists().where(
        col(FeedbackEvent.message_id) == col(FeedbackMessage.id),
        col(FeedbackEvent.subscriber_id) == person.id,
    )
    return or_(about, func.lower(col(FeedbackMessage.sender)).in_(_list_spellings(person)))


def _list_spellings(person: Subscriber) -> tuple[str, str]:
    return (person.email.lower(), person.envelope.lower())


def _find_in_texts(connection: Connection, matcher: AddressMatcher) -> Iterator[int]:
    """Yield the messages whose text names the person. Only those that wait have one."""
    waiting = select(col(FeedbackMessage.id), col(FeedbackMessage.raw)).where(
        col(FeedbackMessage.raw).is_not(None)
    )
    for number, raw in connection.execute(waiting.execution_options(yield_per=20)):
        if number is not None and raw is not None and matcher.bytes_pattern.search(raw):
            yield number


def _blank_message(connection: Connection, number: int, now: datetime) -> None:
    """Empty a message. What waited for a person, or to go on, waits no longer: nothing is left of it."""
    waits = or_(
        col(FeedbackMessage.state) == FeedbackState.held,
        col(FeedbackMessage.state) == FeedbackState.forwarding,
    )
    judged = {"state": FeedbackState.judged, "judgement": "ignore", "judged_by": ERASURE, "judged_at": now}
    one = col(FeedbackMessage.id) == number
    connection.execute(delete(QueuedReply).where(col(QueuedReply.message_id) == number))
    connection.execute(update(FeedbackMessage).where(one, waits).values(**judged, **_NO_WORDS))
    connection.execute(update(FeedbackMessage).where(one).values(**_NO_WORDS))


def collect_feedback_text(session: Session, person: Subscriber) -> set[str]:
    """Collect the texts that would identify the person if one were left in a freed page."""
    events = select(col(FeedbackEvent.address), col(FeedbackEvent.words)).where(
        col(FeedbackEvent.subscriber_id) == person.id
    )
    messages = select(
        col(FeedbackMessage.sender), col(FeedbackMessage.subject), col(FeedbackMessage.note)
    ).where(_is_theirs(person))
    successors = select(col(ProposedSuccessor.words)).where(col(ProposedSuccessor.subscriber_id) == person.id)
    connection = session.connection()
    rows = [row for query in (events, messages, successors) for row in connection.execute(query)]
    return {words for row in rows for words in row if words}


def list_messages(session: Session, person: Subscriber) -> list[dict[str, Any]]:
    """Return the messages by and about a person. Those they wrote have what is kept of their text."""
    wanted = select(FeedbackMessage).where(_is_theirs(person)).order_by(col(FeedbackMessage.id))
    found = []
    for known in session.scalars(wanted):
        row: dict[str, Any] = {
            "received_at": known.received_at,
            "kind": known.kind.value,
            "state": known.state.value,
            "sender": known.sender,
            "subject": known.subject,
            "judgement": known.judgement,
        }
        if known.raw is not None and known.sender.lower() in _list_spellings(person):
            row["text"] = known.raw.decode("utf-8", "replace")
        found.append(row)
    return found


def is_old_feedback(cutoff: datetime) -> ColumnElement[bool]:
    """Return the condition that a message came back before ``cutoff`` and anything is left of it to delete.

    Those that wait for a person, or to go on, are kept: nobody has read them yet.
    """
    has_events = exists().where(col(FeedbackEvent.message_id) == col(FeedbackMessage.id))
    has_words = or_(
        col(FeedbackMessage.sender) != "",
        col(FeedbackMessage.subject) != "",
        col(FeedbackMessage.note) != "",
    )
    return and_(
        col(FeedbackMessage.received_at) < cutoff,
        col(FeedbackMessage.state) != FeedbackState.held,
        col(FeedbackMessage.state) != FeedbackState.forwarding,
        or_(has_events, has_words),
    )


def delete_old_feedback(connection: Connection, cutoff: datetime) -> None:
    """Delete what old messages say, and of whom. The caller commits."""
    old = select(col(FeedbackMessage.id)).where(is_old_feedback(cutoff))
    numbers = list(connection.scalars(old))
    for start in range(0, len(numbers), 500):
        some = numbers[start : start + 500]
        connection.execute(delete(FeedbackEvent).where(col(FeedbackEvent.message_id).in_(some)))
        connection.execute(
            delete(ProposedSuccessor).where(
                col(ProposedSuccessor.message_id).in_(some), col(ProposedSuccessor.state) != "proposed"
            )
        )
        connection.execute(
            update(FeedbackMessage).where(col(FeedbackMessage.id).in_(some)).values(**_NO_WORDS)
        )


def forget_reader_clicks(connection: Connection, subscriber_id: int) -> None:
    """Delete what was recorded with a reader's name, and take it off what is not counted yet. The caller has
    locked the subscriber, and commits.
    """
    connection.execute(delete(ReaderClick).where(col(ReaderClick.subscriber_id) == subscriber_id))
    connection.execute(
        update(Click).where(col(Click.subscriber_id) == subscriber_id).values(subscriber_id=None)
    )
