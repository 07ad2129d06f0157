"""The one way in for a message, whatever brings it: received and committed, or to be tried again later."""

import errno
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError

from mailer.database.clock import Clock, read_clock
from mailer.database.engine import open_session
from mailer.errors import ConfigurationError, MailerError
from mailer.feedback.context import FeedbackContext
from mailer.feedback.identification import identify
from mailer.feedback.incoming_message import FeedbackKind, IncomingMessage
from mailer.feedback.message_reader import read_message
from mailer.feedback.receiver import make_fingerprint, receive
from mailer.feedback.recorder import Arrival, Receipt, record

MAX_MESSAGE_BYTES = 50 * 1024 * 1024
"""Larger messages are not read. Providers let nobody send more, and no report of a server comes near it."""

_FULL_SQLSTATE = "53100"
_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
_REPORTS = frozenset({FeedbackKind.bounce, FeedbackKind.complaint})
_log = logging.getLogger(__name__)


class Disposition(StrEnum):
    """What may become of a message's copy, now that it is recorded."""

    settled = "settled"
    """It was understood, and what follows from it was done: the copy is not needed any more."""

    unclear = "unclear"
    """A person must look at it: the copy is put aside, never away."""

    untouched = "untouched"
    """It is somebody's own mail: the copy stays where it is."""


class Obstacle(StrEnum):
    """Why a message cannot be received now."""

    disk_full = "disk_full"
    """There is no room left for the database."""

    database = "database"
    """The database is locked, away or out of date."""


class TryAgainError(MailerError):
    """The message was not received, and nothing of it was recorded. Whoever brings it keeps it."""

    def __init__(self, obstacle: Obstacle, words: str) -> None:
        super().__init__(words)
        self.obstacle = obstacle


class UnreadableError(MailerError):
    """The message made our own program fail. Nothing of it was recorded, and trying again will not help."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Takes messages. ``receive`` records one and returns after the commit, or raises and records nothing."""

    receive: Callable[[bytes], Disposition]

    def take(self, raw: bytes) -> Disposition:
        """Receive one message, as the bytes that arrived.

        Raises:
            TryAgainError: the database cannot be used now.
            UnreadableError: a fault of this program.
        """
        try:
            return self.receive(raw)
        except (SQLAlchemyError, OSError, ConfigurationError) as error:
            raise explain_failure(error) from error
        except Exception as error:
            _log.exception("A message that came back could not be received.")
            raise UnreadableError(f"{type(error).__name__}: {error}") from error


def make_intake(
    context: FeedbackContext, source: str, *, is_shared: bool = False, clock: Clock = read_clock
) -> Intake:
    """Return the intake for messages that ``source`` brings.

    Of a mailbox that ``is_shared`` with people, only what is about our own messages is recorded.
    """

    def receive_message(raw: bytes) -> Disposition:
        with context.engine.connect().execution_options(read_only=True) as connection:
            now = clock(connection)
        if is_shared and not _is_ours(context, raw, now):
            return Disposition.untouched
        try:
            receipt = receive(context, raw, source=source, now=now)
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            # A fault of ours must not lose a message: a mail server would return it, or give up in the end.
            _log.exception("A message that came back could not be read. It waits in the quarantine.")
            receipt = _record_unread(context, raw, source, now)
        return Disposition.unclear if receipt.is_held else Disposition.settled

    return Intake(receive=receive_message)


def _record_unread(context: FeedbackContext, raw: bytes, source: str, now: datetime) -> Receipt:
    """Record a message as one that a person must look at, without reading it."""
    message = IncomingMessage(kind=FeedbackKind.other)
    arrival = Arrival(message=message, fingerprint=make_fingerprint(raw), source=source, raw=raw)
    return record(context, arrival, now=now)


def _is_ours(context: FeedbackContext, raw: bytes, now: datetime) -> bool:
    """Whether a message in a mailbox that people use is about a message of ours.

    What a person wrote is theirs, and so are the automatic replies and bounces that their own mail brings.
    """
    settings = context.workspace.settings.feedback
    message = read_message(raw, leave_address=settings.leave_address, delimiter=settings.delimiter)
    if message.kind in {FeedbackKind.reply, FeedbackKind.other}:
        return False
    with open_session(context.engine, read_only=True) as session:
        findings = identify(session, context.workspace.keys, message, now=now)
    people = [finding.person for finding in findings if finding.person is not None]
    return any(person.is_certain or message.kind in _REPORTS for person in people)


def explain_failure(error: Exception) -> TryAgainError:
    """What a failure of the database means for whoever brings a message, in words for the operator."""
    cause = getattr(error, "orig", None) or error
    if _is_disk_full(cause):
        return TryAgainError(
            Obstacle.disk_full, "The disk is full, so nothing can be recorded. Make room on it."
        )
    words = str(cause).strip().partition("\n")[0]
    return TryAgainError(Obstacle.database, f"The database cannot be used at the moment: {words}.")


def _is_disk_full(cause: object) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    if isinstance(cause, OSError):
        return cause.errno in _FULL_ERRNOS
    return getattr(cause, "sqlstate", "") == _FULL_SQLSTATE
