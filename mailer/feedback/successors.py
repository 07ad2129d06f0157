"""People who may follow a reader that has left: proposed by automatic replies, decided by a person.

Nothing happens by itself. Accepting adds the new person to the list as an act of the team, with the reason
that the team gives for writing to them; the reader who left stays on the list unless the team says otherwise.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, func, select

from mailer.database.feedback_models import ProposedSuccessor, SuccessorState
from mailer.errors import MailerError
from mailer.feedback.auto_replies.successor_reader import NamedSuccessor, read_successors
from mailer.feedback.incoming_message import IncomingMessage
from mailer.rendering.headers import plain_phrase
from mailer.utc import format_iso
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.consent.status_changes import ConsentContext, suppress
from subscribers.consent.suppression import is_suppressed
from subscribers.consent.team_changes import DetailChanges, add_subscriber
from subscribers.errors import AddressError
from subscribers.models import Status, Subscriber
from subscribers.queries import read_sectors
from subscribers.validation import clean_line


class SuccessorError(MailerError):
    """A proposal that does not exist, or was decided before: then ``decided_by`` is by whom."""

    def __init__(self, words: str, *, decided_by: str = "") -> None:
        super().__init__(words)
        self.decided_by = decided_by


@dataclass(frozen=True, kw_only=True)
class SuccessorProposal:
    """Somebody who may follow ``predecessor``, beside the words of the automatic reply that say so. The
    predecessor's organisation, country and sectors are what the new person gets unless the team says
    otherwise.
    """

    number: int
    at: datetime
    email: str
    name: str
    words: str
    predecessor: str
    predecessor_name: str
    predecessor_status: str
    organisation: str
    country: str
    sectors: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "at": format_iso(self.at)}


def list_proposals(session: Session, *, after: int = 0, limit: int | None = None) -> list[SuccessorProposal]:
    """List the proposals that wait for a person, the oldest first; those after the number ``after``."""
    return list(_read(session, col(ProposedSuccessor.id) > after, limit=limit))


def find_proposal(session: Session, number: int) -> SuccessorProposal | None:
    """Return proposal ``number``, if it waits for a person."""
    return next(_read(session, col(ProposedSuccessor.id) == number), None)


def is_proposal_decided(session: Session, number: int) -> bool:
    found = session.get(ProposedSuccessor, number)
    return found is not None and found.state is not SuccessorState.proposed


def count_proposals(session: Session) -> int:
    """Count the proposals that wait for a person."""
    waits = col(ProposedSuccessor.state) == SuccessorState.proposed
    return session.exec(select(func.count(col(ProposedSuccessor.id))).where(waits)).one()


def accept_successor(
    session: Session,
    workspace: Workspace,
    number: int,
    *,
    by: str,
    basis: str,
    changes: DetailChanges,
    has_left: bool,
    now: datetime,
    method: str = "command line",
) -> tuple[int, SuccessorProposal]:
    """Add the person of proposal ``number`` to the list; return their number there and the proposal. The
    caller commits.

    ``basis`` says why the team may write to the new one, ``changes`` what is to be different from the
    predecessor's details. With ``has_left``, the predecessor gets no more mail. Both are kept in consent
    records, with the ``method``. Raise SuccessorError if there is no such proposal, or it was decided, and
    SubscriberError if the new person is on the list, must not get mail, or a detail is not valid.
    """
    proposal, successor = _take(session, number)
    context = _make_context(by, method, now, "named by an automatic reply as the successor of a reader")
    context["basis"] = clean_line(basis, "basis")
    proposed = DetailChanges(
        name=proposal.name,
        organisation=proposal.organisation,
        country=proposal.country,
        sectors=[sector for sector in proposal.sectors if sector in workspace.settings.sectors],
    )
    said = {name: value for name, value in vars(changes).items() if value not in (None, ())}
    added = add_subscriber(
        session,
        proposal.email,
        replace(proposed, **said),
        sectors=workspace.settings.sectors,
        key=workspace.keys.suppression,
        **context,
    )
    if has_left:
        suppress(
            session,
            proposal.predecessor,
            key=workspace.keys.suppression,
            **_make_context(
                by, method, now, "has left, as an automatic reply says; a successor was accepted"
            ),
        )
    _decide(session, successor, SuccessorState.accepted, by, now)
    assert added.id is not None  # noqa: S101 - it was just added
    return added.id, proposal


def refuse_successor(session: Session, number: int, *, by: str, now: datetime) -> SuccessorProposal:
    """Refuse proposal ``number``; the same person is not proposed for the same reader again. Raise
    SuccessorError if there is no such proposal, or it was decided.
    """
    proposal, successor = _take(session, number)
    _decide(session, successor, SuccessorState.refused, by, now)
    return proposal


def _take(session: Session, number: int) -> tuple[SuccessorProposal, ProposedSuccessor]:
    """Read a proposal that waits, and lock it."""
    waiting = select(ProposedSuccessor).where(ProposedSuccessor.id == number).with_for_update()
    successor = session.exec(waiting).one_or_none()
    if successor is None:
        raise SuccessorError(f"There is no proposal {number}. `mailer feedback successors` lists them.")
    if successor.state is not SuccessorState.proposed:
        raise SuccessorError(
            f"Proposal {number} was {successor.state} by {successor.decided_by}.",
            decided_by=successor.decided_by,
        )
    proposal = find_proposal(session, number)
    if proposal is None:
        raise SuccessorError(f"Whom proposal {number} would follow has been erased.")
    return proposal, successor


def _decide(
    session: Session, successor: ProposedSuccessor, state: SuccessorState, by: str, now: datetime
) -> None:
    successor.state, successor.decided_by, successor.decided_at = state, _clean_name(by), now
    session.add(successor)
    session.flush()


def _make_context(by: str, method: str, now: datetime, evidence: str) -> ConsentContext:
    return {
        "method": method,
        "now": now,
        "source": f"by {_clean_name(by)}",
        "evidence": evidence,
    }


def _clean_name(by: str) -> str:
    name = clean_line(by, "as")[:200]
    if not name:
        raise SuccessorError("Give the name of whoever decides: --as NAME. It is kept on record.")
    return name


def _read(
    session: Session, condition: ColumnElement[bool], *, limit: int | None = None
) -> Iterator[SuccessorProposal]:
    waits = col(ProposedSuccessor.state) == SuccessorState.proposed
    statement = (
        select(ProposedSuccessor, Subscriber)
        .join(Subscriber, col(Subscriber.id) == col(ProposedSuccessor.subscriber_id))
        .where(waits, col(Subscriber.status) != Status.erased, condition)
        .order_by(col(ProposedSuccessor.id))
        .limit(limit)
    )
    rows = session.exec(statement).all()
    sectors = read_sectors(session, [predecessor for _, predecessor in rows])
    for successor, predecessor in rows:
        yield SuccessorProposal(
            number=successor.id or 0,
            at=successor.at,
            email=successor.email,
            name=successor.name,
            words=successor.words,
            predecessor=predecessor.email,
            predecessor_name=predecessor.name,
            predecessor_status=predecessor.status.value,
            organisation=predecessor.organisation,
            country=predecessor.country or "",
            sectors=tuple(sorted(sectors[predecessor.id or 0])),
        )


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
