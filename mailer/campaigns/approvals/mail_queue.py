"""Who is told of an approval by mail: whoever the current step asks, and in the end whoever asked."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, insert
from sqlmodel import col, delete

from mailer.campaigns.approvals.answers import find_author_fault
from mailer.campaigns.approvals.people import Colleague, find_writers, list_colleagues
from mailer.campaigns.approvals.reviewers import list_reviewers
from mailer.campaigns.approvals.round import Round
from mailer.campaigns.approvals.steps import Person
from mailer.database.approval_models import ApprovalMail, ApprovalMailKind
from mailer.settings import Settings


def list_asked(connection: Connection, settings: Settings, asked: Round) -> tuple[Person, ...]:
    """Those whose answer the current step of a round waits for. Who wrote it and must not approve it is left
    out."""
    reviewers = [one.as_person() for one in list_reviewers(connection, asked.id)]
    colleagues = [one.as_person() for one in list_colleagues(connection)]
    writers = find_writers(connection, asked.edition, asked.facts.authors)
    return tuple(
        person
        for person in (*colleagues, *reviewers)
        if asked.is_asked(person) and find_author_fault(settings, asked, person, writers) is None
    )


def queue_asked(
    connection: Connection,
    settings: Settings,
    asked: Round,
    *,
    told: Iterable[Person] = (),
    now: datetime,
) -> None:
    """Note that those whom the current step asks are to be told, but for those who were ``told`` before, and
    whoever asked. The caller commits, and then wakes the worker that mails them."""
    known = {person.key for person in told}
    _queue(
        connection,
        asked,
        ApprovalMailKind.asked,
        (
            person
            for person in list_asked(connection, settings, asked)
            if person.key not in known and (asked.member_id is None or person.member_id != asked.member_id)
        ),
        now,
    )


def queue_outcome(connection: Connection, asked: Round, *, by: Person | None, now: datetime) -> None:
    """Note that whoever asked is to be told how it ended, unless it ended ``by`` themselves; those who have
    not been told yet that they are asked are not told any more. The caller commits."""
    connection.execute(
        delete(ApprovalMail).where(
            col(ApprovalMail.round_id) == asked.id, col(ApprovalMail.kind) == ApprovalMailKind.asked
        )
    )
    if asked.member_id is None or (by is not None and by.member_id == asked.member_id):
        return
    asker: Colleague | None = next(
        (one for one in list_colleagues(connection) if one.id == asked.member_id), None
    )
    if asker is not None:
        _queue(connection, asked, ApprovalMailKind.answered, [asker.as_person()], now)


def _queue(
    connection: Connection, asked: Round, kind: ApprovalMailKind, people: Iterable[Person], now: datetime
) -> None:
    rows = [
        {
            "round_id": asked.id,
            "kind": kind,
            "member_id": person.member_id,
            "reviewer_id": person.reviewer_id,
            "asked_at": now,
            "not_before": now,
            "attempts": 0,
            "reason": "",
        }
        for person in people
    ]
    if rows:
        connection.execute(insert(ApprovalMail), rows)
