"""Reads an IMAP mailbox, in passes, for as long as the program runs.

A message is moved or deleted only after it has been received and committed. A crash in between costs nothing:
it is read again, recognised by its fingerprint, and moved then. Messages are read in the order they came, so
that a person who left and came back is not put out by an older mail that is read later.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from mailer.feedback.intake import (
    MAX_MESSAGE_BYTES,
    Disposition,
    Intake,
    TryAgainError,
    UnreadableError,
    explain_failure,
)
from mailer.feedback.mailboxes.imap_connection import ImapConnection, open_imap
from mailer.feedback.mailboxes.imap_options import (
    ConnectionLostError,
    FolderRefusedError,
    ImapOptions,
    MailboxError,
    MailboxRefusedError,
)
from mailer.feedback.mailboxes.reading import FolderPolicy, MailboxLease, Notices, RetryDelay

_BATCH_MESSAGES = 50
_BATCH_BYTES = 8 * 1024 * 1024
_MANY = 500
_PROGRESS_EVERY = 5000
_MOVE_AGAIN_SECONDS = 600.0
_READ_ONLY = "read-only"
_POLL_SECONDS = 60.0
_OTHER_READER_SECONDS = 10.0
_RECONNECT_SECONDS = 1.0


class ImapPass:
    """What one connection has read, and what it could not move. At most ``_BATCH_BYTES``, or one message, are
    in memory at a time.
    """

    def __init__(
        self,
        connection: ImapConnection,
        *,
        policy: FolderPolicy,
        intake: Intake,
        lease: MailboxLease,
        notices: Notices,
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._intake = intake
        self._lease = lease
        self._notices = notices
        self._mark = lease.read_position(connection.uid_validity)
        self._saved = self._mark
        self._stuck: dict[int, Disposition] = {}
        self._move_again_at = 0.0
        self._is_first = True

    def read_new(self, stop: threading.Event) -> int:
        """Read the messages that arrived since the last pass; return how many. Raise TryAgainError if the
        database cannot be used; what was recorded before has been moved.
        """
        waiting = self._connection.list_uids(after=self._mark)
        total = len(waiting)
        if total >= _MANY:
            self._notices.say(f"{total:,} messages are waiting. They are read in the order they came.")
        elif self._is_first and self._connection.is_read_only:
            self._report_read_only()
        self._is_first = False
        count = 0
        while count < total and not stop.is_set() and self._lease.try_acquire():
            batch = waiting[count : count + _BATCH_MESSAGES]
            self._read_batch(batch)
            count += len(batch)
            if total >= _MANY and (count == total or count % _PROGRESS_EVERY == 0):
                self._notices.say(f"{count:,} of {total:,} messages are read.")
        # What the server did not move before is tried again.
        if self._stuck and time.monotonic() >= self._move_again_at:
            again = list(self._stuck)[:_BATCH_MESSAGES]
            self._move({uid: self._stuck[uid] for uid in again})
        return count

    def _read_batch(self, uids: Sequence[int]) -> None:
        sizes = self._connection.fetch_sizes(uids)
        for group in _group_by_size(uids, sizes):
            self._read_group(group, sizes)
        self._mark = max(self._mark, uids[-1])

    def _read_group(self, uids: Sequence[int], sizes: Mapping[int, int]) -> None:
        decisions: dict[int, Disposition] = {}
        try:
            if sizes[uids[0]] > MAX_MESSAGE_BYTES:
                self._notices.say(
                    f"A message of {sizes[uids[0]] // 1024**2:,} MB is too large to be a report of a mail "
                    f"server. It was not read, and is put aside in {self._policy.quarantine}."
                )
                decisions[uids[0]] = Disposition.unclear
                return
            for uid, raw in self._fetch(uids):
                decisions[uid] = self._take(raw)
        finally:
            if decisions:
                self._mark = max(self._mark, *decisions)
                self._settle(decisions)

    def _fetch(self, uids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Fetch messages together, or one by one if the server cannot give one of them."""
        try:
            yield from self._connection.fetch(uids)
        except FolderRefusedError as error:
            if len(uids) == 1:
                self._notices.say(
                    f"The server does not give out message {uids[0]} ({error}). It is put aside, unread, in "
                    f"{self._policy.quarantine}."
                )
                self._settle({uids[0]: Disposition.unclear})
                return
            for uid in uids:
                yield from self._fetch([uid])

    def _take(self, raw: bytes) -> Disposition:
        try:
            return self._intake.take(raw)
        except UnreadableError as error:
            self._notices.say(
                f"A message could not be read because of a fault in this program ({error}). It is put aside "
                f"in {self._policy.quarantine}; please report it."
            )
            return Disposition.unclear

    def _settle(self, decisions: Mapping[int, Disposition]) -> None:
        """Move what was received out of the way; remember what is meant to stay."""
        stays = [
            uid
            for uid, disposition in decisions.items()
            if self._connection.is_read_only or self._policy.find_folder(disposition) is None
        ]
        self._move({uid: kind for uid, kind in decisions.items() if uid not in stays})
        if stays:
            if self._connection.is_read_only:
                self._report_read_only()
            safe = min(self._stuck) - 1 if self._stuck else self._mark
            if safe > self._saved:
                self._lease.save_position(self._connection.uid_validity, safe)
                self._saved = safe

    def _move(self, decisions: Mapping[int, Disposition]) -> None:
        folders: dict[str, list[int]] = {}
        for uid, disposition in decisions.items():
            folders.setdefault(self._policy.find_folder(disposition) or "", []).append(uid)
        for folder, uids in folders.items():
            subject = f"folder {folder}"
            try:
                self._connection.move(uids, folder)
            except FolderRefusedError as error:
                self._notices.report_trouble(subject, _describe_refusal(folder, str(error)))
                self._stuck |= {uid: decisions[uid] for uid in uids}
                self._move_again_at = time.monotonic() + _MOVE_AGAIN_SECONDS
            else:
                for uid in uids:
                    self._stuck.pop(uid, None)
                self._notices.clear_trouble(subject, "The messages can be moved again.")

    def _report_read_only(self) -> None:
        self._notices.report_trouble(
            _READ_ONLY,
            "The mailbox can be read, but not changed. Its messages are recorded, each once, and stay where "
            "they are. Give this user the right to move messages, or empty it yourself from time to time.",
        )


def _group_by_size(uids: Sequence[int], sizes: Mapping[int, int]) -> Iterator[list[int]]:
    """Divide messages into groups that fit into memory together; those without a size are gone."""
    group: list[int] = []
    total, limit = 0, min(_BATCH_BYTES, MAX_MESSAGE_BYTES)
    for uid in uids:
        if uid not in sizes:
            continue
        if group and total + sizes[uid] > limit:
            yield group
            group, total = [], 0
        group.append(uid)
        total += sizes[uid]
    if group:
        yield group


def _describe_refusal(folder: str, words: str) -> str:
    if "quota" in words.casefold():
        return (
            f"The mailbox is full ({words}). What arrives is turned away by its server: delete messages "
            "there. What was read is recorded, and stays where it is for now."
        )
    act = f"move messages to the folder {folder}" if folder else "delete messages"
    return (
        f"The server does not let us {act}: {words}. They are recorded, each once, and stay where they are. "
        "Create the folder, or give this user the right to it."
    )


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
