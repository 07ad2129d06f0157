"""Answers to a round: one per person, about exactly what they saw; whose are missing, and who is told."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select
from sqlmodel import col, delete

from locales.phrase import WordedEnum, gettext_noop
from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.approvals.people import Writers, find_writers, list_colleagues, list_reviewers
from mailer.campaigns.approvals.rounds import Round, end_round, find_round, require_round
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.corrections import SEPARATOR
from mailer.database.approval_models import (
    ApprovalAnswer,
    ApprovalComment,
    ApprovalMail,
    ApprovalMailKind,
    ApprovalVerdict,
    RoundState,
)
from mailer.settings import Settings

MAX_WORDS_LENGTH = 4000


class AnswerFault(WordedEnum):
    """A reason why an answer was not written down."""

    gone = ("gone", gettext_noop("This request is not there any more."))

    ended = (
        "ended",
        gettext_noop(
            "This request has ended, so your answer was not taken. If the approval is asked for again, you "
            "will find it here."
        ),
    )

    replaced = (
        "replaced",
        gettext_noop(
            "Your answer was not taken: the approval was asked for again while you read. Look at what is "
            "asked for now."
        ),
    )

    changed = (
        "changed",
        gettext_noop(
            "Your answer was not taken, because this has changed since you were asked. Whoever asked has to "
            "ask again."
        ),
    )

    answered = (
        "answered",
        gettext_noop("You have answered already. If the approval is asked for again, you can answer anew."),
    )

    not_asked = ("not_asked", gettext_noop("You are not asked in this step."))

    author = (
        "author",
        gettext_noop(
            "You wrote in this edition or asked for its approval, and another person has to approve it."
        ),
    )

    no_author = (
        "no_author",
        gettext_noop(
            "Nobody knows who wrote this edition, so nobody can approve it as another person. Name its "
            "authors in its details first."
        ),
    )

    no_words = ("no_words", gettext_noop("Say what has to change."))


class AnswerRefusedError(ApprovalRefusedError):
    """The answer was not written down. ``changes`` are what has changed since, if that is why."""

    def __init__(self, fault: AnswerFault, message: str, changes: Sequence[str] = ()) -> None:
        self.fault = fault
        self.changes = tuple(changes)
        super().__init__(message)


def find_author_fault(
    settings: Settings, asked: Round, person: Person, writers: Writers
) -> AnswerFault | None:
    """Return why ``person`` may not approve, with ``[campaigns] approval_by = "another"``: they wrote it or
    asked for it, or nobody knows who did; None if they may."""
    if settings.campaigns.approval_by != "another":
        return None
    if writers.include(person) or (asked.member_id is not None and person.member_id == asked.member_id):
        return AnswerFault.author
    # A correction has no authors of its own.
    return None if writers or SEPARATOR in asked.edition else AnswerFault.no_author


def refuse_author(settings: Settings, asked: Round, person: Person, writers: Writers) -> None:
    """Refuse the approval of somebody who wrote it. Raise AnswerRefusedError also if nobody knows."""
    match find_author_fault(settings, asked, person, writers):
        case AnswerFault.author:
            done = "is an author of" if writers.include(person) else "asked for the approval of"
            raise AnswerRefusedError(
                AnswerFault.author,
                f"{person.name} {done} {asked.edition}. Another person must approve it "
                '([campaigns] approval_by = "another").',
            )
        case AnswerFault.no_author:
            raise AnswerRefusedError(
                AnswerFault.no_author,
                f"{asked.edition} does not say who wrote it, and its author must not approve it "
                '(approval_by = "another"). Add `authors: [NAME]` to its edition.md.',
            )


def record_answer(
    connection: Connection,
    settings: Settings,
    round_id: int,
    person: Person,
    verdict: ApprovalVerdict,
    *,
    seen: str,
    words: str = "",
    changes: Iterable[str] = (),
    now: datetime,
) -> Round:
    """Write down what ``person`` answers to a round, and return the round as it is then: it has ended if
    somebody asked for changes. If nobody is waited for any more, the caller approves the campaign.

    ``seen`` is the digest of what they saw, and ``changes`` are what has changed since. The same answer a
    second time changes nothing. The caller holds the edition's launch lock, and commits. Raise
    AnswerRefusedError if the round has ended, something else was seen or is there now, the person is not
    asked, has answered otherwise, or must not approve what they wrote.
    """
    asked = find_round(connection, round_id)
    if asked is None:
        raise AnswerRefusedError(AnswerFault.gone, "This request is not there any more.")
    given = asked.find_answer(person)
    if given is not None:
        if given.verdict is verdict:
            return asked
        raise AnswerRefusedError(AnswerFault.answered, f"{person.name} has answered already.")
    _refuse_stale(asked, seen, tuple(changes))
    if not asked.is_asked(person):
        raise AnswerRefusedError(
            AnswerFault.not_asked, f"{person.name} is not asked. It waits for {asked.describe_missing()}."
        )
    if verdict is ApprovalVerdict.approved:
        writers = find_writers(connection, asked.edition, asked.facts.authors)
        refuse_author(settings, asked, person, writers)
    elif not words.strip():
        raise AnswerRefusedError(AnswerFault.no_words, "Say what has to change.")
    _insert_answer(connection, asked, person, verdict, words, now)
    if verdict is ApprovalVerdict.changes_requested:
        end_round(connection, asked.id, RoundState.changes_requested, now)
    return require_round(connection, asked.id)


def _refuse_stale(asked: Round, seen: str, changes: tuple[str, ...]) -> None:
    if not asked.is_open:
        raise AnswerRefusedError(
            AnswerFault.ended,
            "This request has ended. If the approval was asked for again, look at the new request.",
        )
    if seen != asked.digest:
        raise AnswerRefusedError(
            AnswerFault.replaced, "This is not what you saw: the approval was asked for again. Look at it."
        )
    if changes:
        raise AnswerRefusedError(
            AnswerFault.changed,
            f"It has changed since the approval was asked for: {'; '.join(changes)}. It has to be asked for "
            "again.",
            changes,
        )


def _insert_answer(
    connection: Connection,
    asked: Round,
    person: Person,
    verdict: ApprovalVerdict,
    words: str,
    now: datetime,
) -> None:
    values = {
        "round_id": asked.id,
        "person": person.key[:220],
        "member_id": person.member_id,
        "reviewer_id": person.reviewer_id,
        "name": person.name[:200],
        "role": "" if person.role is None else person.role.value,
        "verdict": verdict,
        "words": words.strip()[:MAX_WORDS_LENGTH],
        "digest": asked.digest,
        "answered_at": now,
    }
    connection.execute(insert(ApprovalAnswer).values(values))


def add_comment(
    connection: Connection,
    asked: Round,
    answer_id: int,
    person: Person,
    text: str,
    *,
    request: str,
    now: datetime,
) -> bool:
    """Comment on an answer of a round; return False if it has no such answer. ``request`` is the random
    number of the form, by which a second click is known. The caller commits. Raise ApprovalRefusedError if
    there is nothing in ``text``.
    """
    words = text.strip()[:MAX_WORDS_LENGTH]
    if not words:
        raise ApprovalRefusedError("Write a comment.")
    if all(one.id != answer_id for one in asked.answers):
        return False
    known = connection.scalar(select(col(ApprovalComment.id)).where(col(ApprovalComment.request) == request))
    if known is None:
        connection.execute(
            insert(ApprovalComment).values(
                answer_id=answer_id,
                member_id=person.member_id,
                name=person.name,
                text=words,
                request=request,
                created_at=now,
            )
        )
    return True


def list_asked(connection: Connection, settings: Settings, asked: Round) -> tuple[Person, ...]:
    """Return those whose answer the current step of a round waits for. Who wrote it and must not approve it
    is left out."""
    people = (*list_colleagues(connection), *list_reviewers(connection, asked.id))
    writers = find_writers(connection, asked.edition, asked.facts.authors)
    return tuple(
        person
        for person in people
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
    asker = [one for one in list_colleagues(connection) if one.member_id == asked.member_id]
    _queue(connection, asked, ApprovalMailKind.answered, asker, now)


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
