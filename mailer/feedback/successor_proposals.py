"""Keeps who an automatic reply names as somebody's successor, for a person to decide."""

from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, select

from mailer.database.feedback_models import ProposedSuccessor, SuccessorState
from mailer.feedback.auto_replies.successor_reader import NamedSuccessor, read_successors
from mailer.feedback.incoming_message import IncomingMessage
from mailer.rendering.headers import plain_phrase
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.consent.suppression import is_suppressed
from subscribers.errors import AddressError
from subscribers.models import Status, Subscriber


def propose_successors(
    session: Session,
    workspace: Workspace,
    message: IncomingMessage,
    *,
    message_id: int,
    subscriber_id: int,
    now: datetime,
) -> int:
    """Keep who follows ``subscriber_id`` by the words of ``message``, an automatic reply; return how many.

    Who was proposed for them before, is on the list or must not get mail is not proposed. The caller commits.
    """
    subscriber = session.get(Subscriber, subscriber_id)
    if subscriber is None or subscriber.status is Status.erased:
        return 0
    settings = workspace.settings
    known = {
        subscriber.email,
        subscriber.envelope,
        message.sender,
        settings.sender.address,
        settings.sender.reply_to,
        settings.sender.bounces_to,
        settings.feedback.bounce_address,
        settings.feedback.leave_address,
    }
    successors = read_successors(message.text, known=known - {""})
    return sum(
        _propose(session, workspace, successor, message_id=message_id, subscriber_id=subscriber_id, now=now)
        for successor in successors
    )


def _propose(
    session: Session,
    workspace: Workspace,
    successor: NamedSuccessor,
    *,
    message_id: int,
    subscriber_id: int,
    now: datetime,
) -> int:
    try:
        email = normalise_address(successor.address).email
    except AddressError:
        return 0
    on_list = session.exec(select(Subscriber.id).where(Subscriber.email == email)).first() is not None
    if on_list or is_suppressed(session, workspace.keys.suppression, email):
        return 0
    connection = session.connection()
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = (
        insert(ProposedSuccessor)
        .values(
            message_id=message_id,
            subscriber_id=subscriber_id,
            email=email,
            name=plain_phrase(successor.name)[:300],
            words=plain_phrase(successor.words)[:1000],
            state=SuccessorState.proposed,
            at=now,
            decided_by="",
        )
        .on_conflict_do_nothing(index_elements=["subscriber_id", "email"])
    )
    return connection.execute(statement).rowcount
