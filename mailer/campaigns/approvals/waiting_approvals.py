"""Which approvals wait for a person, and which for others: for the first page."""

from dataclasses import dataclass

from sqlalchemy import Connection

from mailer.campaigns.approvals.answers import AnswerFault, find_author_fault
from mailer.campaigns.approvals.people import find_writers
from mailer.campaigns.approvals.round import Round
from mailer.campaigns.approvals.rounds import list_open_rounds
from mailer.campaigns.approvals.steps import Person
from mailer.settings import Settings


@dataclass(frozen=True, kw_only=True)
class WaitingApproval:
    """A round that waits for answers. ``is_for_me`` says that it waits for the person who looks; ``fault`` is
    why they must not approve it, where they wrote it or asked for it."""

    asked: Round
    is_for_me: bool
    fault: AnswerFault | None = None


def list_waiting_approvals(
    connection: Connection, settings: Settings, person: Person
) -> tuple[WaitingApproval, ...]:
    """The rounds that wait for answers, the newest first. There are few at a time, whatever the size of the
    list."""
    return tuple(_describe(connection, settings, asked, person) for asked in list_open_rounds(connection))


def _describe(connection: Connection, settings: Settings, asked: Round, person: Person) -> WaitingApproval:
    if not asked.is_asked(person):
        return WaitingApproval(asked=asked, is_for_me=False)
    writers = find_writers(connection, asked.edition, asked.facts.authors)
    fault = find_author_fault(settings, asked, person, writers)
    return WaitingApproval(asked=asked, is_for_me=fault is None, fault=fault)
