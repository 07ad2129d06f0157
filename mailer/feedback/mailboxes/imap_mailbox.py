"""Reads an IMAP mailbox for as long as the program runs.

A message is moved or deleted only after it has been received and committed. A crash in between costs nothing:
it is read again, recognised by its fingerprint, and moved then. Messages are read in the order they came, so
that a person who left and came back is not put out by an older mail that is read later.
"""

import contextlib
import threading
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from mailer.feedback.intake import Intake, TryAgainError, explain_failure
from mailer.feedback.mailboxes.errors import ConnectionLostError, MailboxError, MailboxRefusedError
from mailer.feedback.mailboxes.folder_policy import FolderPolicy
from mailer.feedback.mailboxes.imap_connection import ImapConnection, open_imap
from mailer.feedback.mailboxes.imap_options import ImapOptions
from mailer.feedback.mailboxes.imap_pass import ImapPass
from mailer.feedback.mailboxes.lease import MailboxLease
from mailer.feedback.mailboxes.notices import Notices
from mailer.feedback.mailboxes.retry_delay import RetryDelay

_POLL_SECONDS = 60.0
_OTHER_READER_SECONDS = 10.0
_RECONNECT_SECONDS = 1.0
_CONNECTION, _DATABASE = "connection", "database"


class ImapMailbox:
    """One mailbox and what is to be done with what is in it."""

    def __init__(
        self,
        options: ImapOptions,
        *,
        policy: FolderPolicy,
        intake: Intake,
        lease: MailboxLease,
        notices: Notices,
        poll_seconds: float = _POLL_SECONDS,
        first_delay: float = 5.0,
    ) -> None:
        self._options = options
        self._policy = policy
        self._intake = intake
        self._lease = lease
        self._notices = notices
        self._poll_seconds = poll_seconds
        # A server that refuses a login locks the account after some more, so it is asked rarely.
        self._refusals = RetryDelay(first=60 * first_delay, longest=180 * first_delay)
        self._failures = RetryDelay(first=first_delay, longest=60 * first_delay)
        self._database_failures = RetryDelay(first=first_delay, longest=12 * first_delay)

    def run(self, stop: threading.Event) -> None:
        """Read what is there and what arrives, until ``stop`` is set; whatever fails is tried again."""
        try:
            while not stop.is_set():
                self._wait(self._attempt(stop), stop)
        finally:
            self._lease.release()

    def _attempt(self, stop: threading.Event) -> float:
        """Connect and read until something ends that; return how many seconds to wait."""
        try:
            if not self._lease.try_acquire():
                return _OTHER_READER_SECONDS
            with contextlib.closing(open_imap(self._options)) as connection:
                self._watch(connection, stop)
        except ConnectionLostError as error:
            if self._failures.failures == 0:
                # Servers end idle connections, and are restarted: worth a word only if we cannot get back.
                self._failures.next()
                return _RECONNECT_SECONDS
            self._notices.report_trouble(_CONNECTION, f"{error} Trying again.")
            return self._failures.next()
        except MailboxRefusedError as error:
            self._notices.report_trouble(_CONNECTION, f"{error} Nothing is read until then.")
            return self._refusals.next()
        except MailboxError as error:
            self._notices.report_trouble(_CONNECTION, f"{error} Trying again.")
            return self._failures.next()
        except (TryAgainError, SQLAlchemyError) as error:
            trouble = error if isinstance(error, TryAgainError) else explain_failure(error)
            self._notices.report_trouble(
                _DATABASE, f"{trouble} The messages stay in the mailbox until it works."
            )
            return self._database_failures.next()
        return 0.0

    def _watch(self, connection: ImapConnection, stop: threading.Event) -> None:
        """Read what is there and what arrives, while the connection and our lease last."""
        reading = ImapPass(
            connection, policy=self._policy, intake=self._intake, lease=self._lease, notices=self._notices
        )
        while not stop.is_set() and self._lease.try_acquire():
            count = reading.read_new(stop)
            self._recover()
            if count:
                continue
            if connection.can_idle:
                connection.wait(self._poll_seconds, is_over=stop.is_set)
            else:
                stop.wait(self._poll_seconds)

    def _recover(self) -> None:
        for delay in (self._refusals, self._failures, self._database_failures):
            delay.reset()
        self._notices.clear_trouble(_CONNECTION, "The mailbox can be read again.")
        self._notices.clear_trouble(_DATABASE, "What comes back can be recorded again.")

    def _wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait, but not any longer once somebody has put another password or token into its file."""
        path = self._options.secret_file
        before = _read_stamp(path)
        while seconds > 0 and not stop.is_set() and _read_stamp(path) == before:
            stop.wait(min(seconds, 1.0))
            seconds -= 1.0


def _read_stamp(path: Path | None) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        if path is not None:
            status = path.stat()
            return status.st_ino, status.st_mtime_ns
    return None
