"""Answering: one answer per person and round, about exactly what they saw; the last one approves."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from locales.phrase import Phrase
from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.approvals.changes import SendingOptions, list_changed_options, list_changes
from mailer.campaigns.approvals.people import Writers, find_writers
from mailer.campaigns.approvals.round import Round
from mailer.campaigns.approvals.rounds import end_round, find_round, freeze_state
from mailer.campaigns.approvals.settings_hashes import hash_settings
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.content_changes import GONE
from mailer.campaigns.correction_record import SEPARATOR
from mailer.database.approval_models import ApprovalAnswer, ApprovalComment, ApprovalVerdict, RoundState
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.settings import Settings
from mailer.workspace import Workspace

MAX_WORDS_LENGTH = 4000


class AnswerFault(StrEnum):
    """Why an answer was not written down."""

    gone = "gone"
    """There is no such request any more."""

    ended = "ended"
    """The request has ended."""

    replaced = "replaced"
    """Something else was seen than what is asked for now."""

    changed = "changed"
    """What was asked for has changed since."""

    answered = "answered"
    """The person has given another answer."""

    not_asked = "not_asked"
    """The current step does not ask the person."""

    author = "author"
    """The person wrote it, or asked for its approval."""

    no_author = "no_author"
    """Nobody knows who wrote it, so nobody can say who did not."""

    no_words = "no_words"
    """Changes were asked for without saying which."""


class AnswerRefusedError(ApprovalRefusedError):
    """The answer was not written down. ``changes`` are what has changed since, if that is why."""

    def __init__(self, fault: AnswerFault, message: str, changes: Sequence[str] = ()) -> None:
        self.fault = fault
        self.changes = tuple(changes)
        super().__init__(message)


def list_round_changes(
    connection: Connection,
    workspace: Workspace,
    asked: Round,
    *,
    compiled: Sequence[CompiledEdition],
    options: SendingOptions,
) -> tuple[str, ...]:
    """What has changed since ``asked``: in ``compiled``, the content as it is, which is empty if it has
    errors; in the ``options`` as they are now; and in the settings."""
    if not compiled:
        return (Phrase(GONE, edition=asked.edition),)
    changed = list_changed_options(asked.options, options)
    hashes = hash_settings(workspace)
    return (*changed, *list_changes(freeze_state(connection, asked), compiled, hashes))


def find_author_fault(
    settings: Settings, asked: Round, person: Person, writers: Writers
) -> AnswerFault | None:
    """Why ``person`` may not approve, with ``[campaigns] approval_by = "another"``: they wrote it or asked
    for it, or nobody knows who did; None if they may."""
    if settings.campaigns.approval_by != "another":
        return None
    if writers.include(person) or (asked.member_id is not None and person.member_id == asked.member_id):
        return AnswerFault.author
    # A correction has no authors of its own.
    return None if writers or SEPARATOR in asked.edition else AnswerFault.no_author


def refuse_author(settings: Settings, asked: Round, person: Person, writers: Writers) -> None:
    """Refuse the approval of somebody who wrote it.

    Raises:
        AnswerRefusedError: they did, or nobody knows who did.
    """
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
    second time changes nothing. The caller holds the edition's launch lock, and commits.

    Raises:
        AnswerRefusedError: the round has ended, something else was seen or is there now, the person is not
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
    after = find_round(connection, asked.id)
    assert after is not None  # noqa: S101 - it was there above, and the lock is held
    return after


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
    number of the form, by which a second click is known. The caller commits.

    Raises:
        ApprovalRefusedError: there is nothing in ``text``.
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
