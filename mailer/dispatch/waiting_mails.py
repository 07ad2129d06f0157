"""Sending the mails that wait in a table of their own: first a row, then the mail.

Whoever sends one claims its row (:mod:`mailer.dispatch.mail_attempts`), and finds out only then to whom it
goes and what it says, so that nobody gets one that they do not need any more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from mailer.database.engine import open_session
from mailer.dispatch.mail_attempts import (
    AttemptPolicy,
    WaitingMail,
    make_unsent_outcome,
    was_interrupted_twice,
)
from mailer.dispatch.single_mail import sign_and_send_mail
from mailer.errors import ConfigurationError
from mailer.smtp.reply_classifier import Outcome, Verdict
from mailer.workspace import Workspace


class AddressedMail(Protocol):
    """What a mail says, in a form of its kind's own."""

    @property
    def envelope(self) -> str:
        """The address that it goes to, as SMTP writes it."""


_RowT = TypeVar("_RowT", bound=WaitingMail)
_MailT = TypeVar("_MailT", bound=AddressedMail)


@dataclass(frozen=True, kw_only=True)
class QueueRun:
    """One run through the mails that wait: the workspace and the database they are in, the time, and whether
    to stop before the next."""

    workspace: Workspace
    engine: Engine
    clock: Callable[[], datetime]
    is_stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True, kw_only=True)
class QueueRunResult:
    """What became of the mails that were due. ``sent`` counts those that the relay has. ``problem`` says why
    the last that was tried did not leave, "" if it did; None if none was tried."""

    sent: int = 0
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class ClaimedMail(Generic[_MailT]):
    """A claimed mail, ready to be sent: the number of its row, what it says, and which attempt this is."""

    number: int
    mail: _MailT
    attempts: int


def _take_nothing_back(_: Connection, __: object) -> None:
    """Most mails leave nothing behind that an attempt has made."""


@dataclass(frozen=True, kw_only=True)
class MailKind(Generic[_RowT, _MailT]):
    """Mails of one kind: the ``table`` that they wait in, with the column of its ``number``s, and when they
    are tried again.

    ``describe`` says to whom a row's mail goes and what it says, in the transaction that claims the row, or
    None if nobody needs it any more. ``take_back`` undoes what it has written for an attempt that failed.
    """

    table: type[_RowT]
    number: Mapped[Any]
    attempts: AttemptPolicy
    describe: Callable[[Session, _RowT, datetime], _MailT | None]
    take_back: Callable[[Connection, _MailT], None] = _take_nothing_back

    def send_due(
        self,
        run: QueueRun,
        build: Callable[[ClaimedMail[_MailT], datetime], bytes],
        *,
        on_nothing: Callable[[], str | None] = lambda: None,
    ) -> QueueRunResult:
        """Send every mail that is due, as ``build`` makes it. ``on_nothing`` is asked for the problem if one
        must not be sent; None leaves it as it was."""
        sent, problem, former = 0, None, 0
        # One that is found twice is being claimed by another process.
        while not run.is_stopped() and (number := self._find_due(run)) not in {None, former}:
            former = number or 0
            claimed = self.claim(run.engine, former, run.clock())
            if claimed is None:
                told = on_nothing()
                problem = problem if told is None else told
                continue
            outcome = self._send(run, claimed, build)
            sent += outcome.verdict is Verdict.sent
            problem = outcome.reason if outcome.verdict in {Verdict.give_back, Verdict.stop} else ""
        return QueueRunResult(sent=sent, problem=problem)

    def claim(self, engine: Engine, number: int, now: datetime) -> ClaimedMail[_MailT] | None:
        """Claim a mail that is due; None if it must not be sent, and is forgotten, or if another has it."""
        with open_session(engine) as session:
            due = select(self.table).where(self.number == number, col(self.table.not_before) <= now)
            row = session.exec(due.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            mail = None if was_interrupted_twice(row) else self.describe(session, row, now)
            if mail is None:
                session.delete(row)
                session.commit()
                return None
            self.attempts.claim(row, now)
            session.add(row)
            claimed = ClaimedMail(number=number, mail=mail, attempts=row.attempts)
            session.commit()
            return claimed

    def _find_due(self, run: QueueRun) -> int | None:
        not_before = col(self.table.not_before)
        with open_session(run.engine, read_only=True) as session:
            due = select(self.number).where(not_before <= run.clock()).order_by(not_before, self.number)
            return session.exec(due.limit(1)).first()

    def _send(
        self,
        run: QueueRun,
        claimed: ClaimedMail[_MailT],
        build: Callable[[ClaimedMail[_MailT], datetime], bytes],
    ) -> Outcome:
        settings, now = run.workspace.settings, run.clock()
        try:
            outcome = sign_and_send_mail(
                settings,
                run.workspace.root,
                recipient=claimed.mail.envelope,
                message=build(claimed, now),
                now=now,
            )
        except ConfigurationError as error:
            outcome = make_unsent_outcome(error)
        row = self.number == claimed.number
        with run.engine.begin() as connection:
            is_finished = self.attempts.record_outcome(
                connection, self.table, row, outcome, attempts=claimed.attempts, now=run.clock()
            )
            if not is_finished:
                self.take_back(connection, claimed.mail)
        return outcome
