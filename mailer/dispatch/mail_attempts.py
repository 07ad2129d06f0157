"""The attempts at a mail that waits in a table of its own, outside any campaign.

Whoever sends such a mail claims its row by postponing the next attempt, so that several machines can share
the work and one that dies blocks nothing. A mail in doubt is not tried again, and one whose sender died is
tried once more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import ColumnElement, Connection, delete, update

from mailer.errors import ConfigurationError
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict

_BEING_SENT: Final = "being sent"
_BEING_SENT_AGAIN: Final = "being sent again, after an interruption"
_ENDS: Final = frozenset({Verdict.sent, Verdict.in_doubt, Verdict.rejected, Verdict.failed})
_MAX_REASON_LENGTH: Final = 1000


class WaitingMail(Protocol):
    """A row of a table of waiting mails."""

    not_before: datetime
    """The time of the next attempt."""

    attempts: int
    reason: str
    """Why the last attempt failed, or that one is under way."""


@dataclass(frozen=True, kw_only=True)
class AttemptPolicy:
    """When a mail is tried again: after ``first_wait``, which doubles up to ``max_wait``, or after ``lease``
    if its sender died."""

    lease: timedelta
    first_wait: timedelta
    max_wait: timedelta

    def claim(self, mail: WaitingMail, now: datetime) -> None:
        """Note in the row that the mail is being sent. The caller commits before it sends."""
        mail.attempts += 1
        mail.not_before = now + self.lease
        # A sender that died may have handed the mail over, so one retry follows and not one after each lease.
        mail.reason = _BEING_SENT_AGAIN if mail.reason == _BEING_SENT else _BEING_SENT

    def find_wait(self, attempts: int) -> timedelta:
        """How long to wait after ``attempts`` attempts that failed."""
        doublings: int = 2 ** min(attempts - 1, 10)
        return min(self.first_wait * doublings, self.max_wait)

    def record_outcome(
        self,
        connection: Connection,
        table: type[WaitingMail],
        row: ColumnElement[bool],
        outcome: Outcome,
        *,
        attempts: int,
        now: datetime,
    ) -> bool:
        """Delete the row of a mail that is finished, or set its next attempt; return whether it is."""
        if outcome.verdict in _ENDS:
            connection.execute(delete(table).where(row))
            return True
        values = {"not_before": now + self.find_wait(attempts), "reason": outcome.reason[:_MAX_REASON_LENGTH]}
        connection.execute(update(table).where(row).values(values))
        return False


def was_interrupted_twice(mail: WaitingMail) -> bool:
    """Whether two senders died while sending this mail, so that it must not be tried again."""
    return mail.reason == _BEING_SENT_AGAIN


def make_unsent_outcome(error: ConfigurationError) -> Outcome:
    """The outcome if settings cannot be used: no relay was asked, so nothing is in doubt."""
    return Outcome(verdict=Verdict.give_back, stage=Stage.connect, text=str(error))
