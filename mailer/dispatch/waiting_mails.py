"""Mails outside any campaign: sent at once, or from a table in which they wait, first a row, then the mail.

Whoever sends such a mail claims its row by postponing the next attempt, so that several machines can share
the work and one that dies blocks nothing. Only then do they find out to whom it goes and what it says, so
that nobody gets one that they do not need any more. A mail in doubt is not tried again, and one whose sender
died is tried once more.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, Engine, delete, update
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from mailer.database.engine import Clock, open_session, read_clock
from mailer.dispatch.sending_settings import list_relays, load_signer, make_transport, merge_relay_settings
from mailer.errors import ConfigurationError
from mailer.rendering.message import envelope_sender
from mailer.settings import Settings, SmtpSettings
from mailer.smtp.interfaces import OutgoingMessage, apply_dot_stuffing
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict
from mailer.smtp.transport import send_messages
from mailer.workspace import Workspace

_FINAL_VERDICTS = frozenset({Verdict.sent, Verdict.rejected, Verdict.in_doubt})
"""After these no other relay is tried: it accepted the mail, knows that the address is dead, or may have
accepted it."""
_BEING_SENT: Final = "being sent"
_BEING_SENT_AGAIN: Final = "being sent again, after an interruption"
_ENDS: Final = frozenset({Verdict.sent, Verdict.in_doubt, Verdict.rejected, Verdict.failed})
_MAX_REASON_LENGTH: Final = 1000


class RelayOutcome(NamedTuple):
    """The outcome of sending one mail, and the name of the last relay that was tried."""

    relay: str
    outcome: Outcome


def send_mails(
    smtp: SmtpSettings, root: Path, mails: Sequence[OutgoingMessage]
) -> dict[Hashable, RelayOutcome]:
    """Send each of ``mails`` to the first relay that accepts it, by priority; return how that ended, by key.
    Each relay gets all mails that are left over one connection, and over another if it takes only some of
    them at a time. Raise ConfigurationError, before anything is sent, if one of the relays cannot be used."""
    results: dict[Hashable, RelayOutcome] = {}
    waiting = list(mails)
    transports = {
        relay.name: make_transport(merge_relay_settings(smtp, relay), root, name=relay.name)
        for relay in sorted(list_relays(smtp), key=lambda relay: relay.priority)
    }
    for name, transport in transports.items():
        offered = waiting
        while offered:
            outcomes = send_messages(transport, offered)
            results |= {key: RelayOutcome(name, outcome) for key, outcome in outcomes.items()}
            given_back = [mail for mail in offered if outcomes[mail.key].verdict is Verdict.give_back]
            offered = given_back if len(given_back) < len(offered) else []
        waiting = [mail for mail in waiting if results[mail.key].outcome.verdict not in _FINAL_VERDICTS]
    return results


def send_mail(settings: Settings, root: Path, *, recipient: str, message: bytes) -> Outcome:
    """Send ``message`` to the first relay that accepts it, by priority, and return how that ended. The caller
    has recorded, durably, that it is being sent. Raise ConfigurationError if a relay's settings cannot be
    used, and MessageFormatError if a line of the message does not end in CRLF."""
    mail = OutgoingMessage(
        key=recipient,
        sender=envelope_sender(settings.sender),
        recipient=recipient,
        payload=apply_dot_stuffing(message),
    )
    return send_mails(settings.smtp, root, [mail])[mail.key].outcome


def sign_and_send_mail(
    settings: Settings, root: Path, *, recipient: str, message: bytes, now: datetime
) -> Outcome:
    """Sign ``message`` with the keys of ``[dkim]``, if there are any, and send it as :func:`send_mail`
    does."""
    signer = load_signer(settings, root)
    signed = message if signer is None else signer.sign(message, now=now)
    return send_mail(settings, root, recipient=recipient, message=signed)


class WaitingMail(Protocol):
    """A row of a table of waiting mails."""

    not_before: datetime
    """The time of the next attempt."""

    attempts: int
    reason: str
    """Why the last attempt failed, or that one is under way."""


@dataclass(frozen=True, kw_only=True)
class AttemptPolicy:
    """The policy of trying a mail again: after ``first_wait``, which doubles up to ``max_wait``, or after
    ``lease`` if its sender died."""

    lease: timedelta
    first_wait: timedelta
    max_wait: timedelta

    def find_wait(self, attempts: int) -> timedelta:
        doublings: int = 2 ** min(attempts - 1, 10)
        return min(self.first_wait * doublings, self.max_wait)


def make_unsent_outcome(error: ConfigurationError) -> Outcome:
    """Return the outcome if settings cannot be used: no relay was asked, so nothing is in doubt."""
    return Outcome(verdict=Verdict.give_back, stage=Stage.connect, text=str(error))


@dataclass(frozen=True, kw_only=True)
class QueueRun:
    """One run through the mails that wait: the workspace and the database they are in, the time, and whether
    to stop before the next. ``studio`` is where people open Studio."""

    workspace: Workspace
    engine: Engine
    clock: Clock = read_clock
    is_stopped: Callable[[], bool] = lambda: False
    studio: str = ""


@dataclass(frozen=True, kw_only=True)
class QueueRunResult:
    """The outcome of the mails that were due. ``sent`` counts those that the relay has. ``problem`` says why
    the last that was tried did not leave, "" if it did; None if none was tried."""

    sent: int = 0
    problem: str | None = None


class MailContent(Protocol):
    """To whom a mail goes and what it says."""

    @property
    def envelope(self) -> str:
        """The address that it goes to, as SMTP writes it."""

    def build(self, run: QueueRun, number: int, now: datetime) -> bytes:
        """Return the mail in the row ``number`` as bytes for SMTP, not signed."""


_RowT = TypeVar("_RowT", bound=WaitingMail)
_MailT = TypeVar("_MailT", bound=MailContent)


@dataclass(frozen=True, kw_only=True)
class MailClaim(Generic[_MailT]):
    """A mail claimed ``at`` a moment: the number of its row, what it says, and which attempt this is."""

    number: int
    mail: _MailT
    attempts: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class MailKind(Generic[_RowT, _MailT]):
    """Mails of one kind: the ``table`` that they wait in, with the column of its ``number``s, and when they
    are tried again. Those that are due go in the order of ``first``, then of their time.

    ``describe`` says to whom a row's mail goes and what it says, in the transaction that claims the row; None
    if nobody needs it any more, a time if it must wait until then. ``take_back`` undoes what it has written
    for an attempt that failed. ``find_problem`` is asked for the problem if a mail must not be sent;
    None leaves it as it was.
    """

    table: type[_RowT]
    number: Mapped[Any]
    attempts: AttemptPolicy
    describe: Callable[[QueueRun, Session, _RowT, datetime], _MailT | datetime | None]
    first: tuple[Mapped[Any], ...] = ()
    take_back: Callable[[Connection, _MailT], None] = lambda _, __: None
    find_problem: Callable[[QueueRun], str | None] = lambda _: None

    def send_due(self, run: QueueRun) -> QueueRunResult:
        """Send every mail that is due. If a sender address, a relay or a key cannot be used,
        ConfigurationError is raised and the mails wait."""
        sent, problem, former = 0, None, 0
        # A mail that is due again at once must not keep this going for ever.
        while not run.is_stopped() and (number := self.find_due(run)) not in {None, former}:
            former = number or 0
            claimed = self.claim(run, former)
            if claimed is None:
                told = self.find_problem(run)
                problem = problem if told is None else told
                continue
            outcome = self._send(run, claimed)
            sent += outcome.verdict is Verdict.sent
            problem = outcome.reason if outcome.verdict in {Verdict.give_back, Verdict.stop} else ""
        return QueueRunResult(sent=sent, problem=problem)

    def find_due(self, run: QueueRun) -> int | None:
        """Return the number of the first mail that is due and that no other process holds; None if there is
        none."""
        not_before = col(self.table.not_before)
        with open_session(run.engine, read_only=True) as session:
            due = select(self.number).where(not_before <= run.clock(session.connection()))
            first = due.order_by(*self.first, not_before, self.number).limit(1)
            return session.exec(first.with_for_update(skip_locked=True)).first()

    def claim(self, run: QueueRun, number: int) -> MailClaim[_MailT] | None:
        """Claim a mail that is due; None if it must wait, if it must not be sent, and is forgotten, or if
        another has it."""
        with open_session(run.engine) as session:
            now = run.clock(session.connection())
            due = select(self.table).where(self.number == number, col(self.table.not_before) <= now)
            row = session.exec(due.with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            # A sender that died may have handed the mail over, so one retry follows and not one after each
            # lease.
            is_over = row.reason == _BEING_SENT_AGAIN
            mail = None if is_over else self.describe(run, session, row, now)
            claimed = None
            if mail is None:
                session.delete(row)
            elif isinstance(mail, datetime):
                row.not_before = mail
            else:
                row.attempts += 1
                row.not_before = now + self.attempts.lease
                row.reason = _BEING_SENT_AGAIN if row.reason == _BEING_SENT else _BEING_SENT
                claimed = MailClaim(number=number, mail=mail, attempts=row.attempts, at=now)
            session.commit()
            return claimed

    def _send(self, run: QueueRun, claimed: MailClaim[_MailT]) -> Outcome:
        mail, now = claimed.mail, claimed.at
        try:
            message = mail.build(run, claimed.number, now)
            outcome = sign_and_send_mail(
                run.workspace.settings,
                run.workspace.root,
                recipient=mail.envelope,
                message=message,
                now=now,
            )
        except ConfigurationError as error:
            self._record(run, claimed, make_unsent_outcome(error))
            raise
        self._record(run, claimed, outcome)
        return outcome

    def _record(self, run: QueueRun, claimed: MailClaim[_MailT], outcome: Outcome) -> None:
        """Delete the row of a mail that is finished, or set its next attempt."""
        row = self.number == claimed.number
        with run.engine.begin() as connection:
            if outcome.verdict in _ENDS:
                connection.execute(delete(self.table).where(row))
                return
            next_at = run.clock(connection) + self.attempts.find_wait(claimed.attempts)
            reason = outcome.reason[:_MAX_REASON_LENGTH]
            connection.execute(update(self.table).where(row).values(not_before=next_at, reason=reason))
            self.take_back(connection, claimed.mail)
