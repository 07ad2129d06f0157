"""A Maildir on disk, and a transport that writes messages there, for tests and previews."""

import itertools
import os
import socket
import time
from pathlib import Path

from mailer.smtp.interfaces import ConnectionFailedError, MessageSource, OutgoingMessage, undo_dot_stuffing
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict

_serial = itertools.count(1)


def create_folders(folder: Path) -> None:
    """Create the Maildir at ``folder`` if there is none, readable by its owner only. Raise OSError if it
    cannot be created.
    """
    for part in (folder, *(folder / name for name in ("tmp", "new", "cur"))):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)


def store(folder: Path, content: bytes) -> Path:
    """Store a mail durably in the Maildir at ``folder`` and return its path in ``new``. Raise OSError if it
    cannot be written; nothing is left of it.
    """
    temporary = folder / "tmp" / unique_name()
    try:
        write_synced(temporary, content)
        return move_to_new(temporary)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def move_to_new(temporary: Path) -> Path:
    """Move a file from ``tmp`` to ``new``, durably: from now on it has arrived."""
    target = temporary.parent.parent / "new" / temporary.name
    temporary.rename(target)
    _sync_folder(target.parent)
    return target


def unique_name() -> str:
    """Return a name that no other delivery has, on any host that shares the folder. Names from one process
    are in the order of their deliveries."""
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
    seconds, rest = divmod(time.time_ns(), 10**9)
    return f"{seconds}.M{rest // 1000:06d}P{os.getpid()}Q{next(_serial):07d}R{os.urandom(4).hex()}.{host}"


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file, readable by its owner only, and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class MaildirTransport:
    """The Maildir at ``folder``, created when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def connect(self, source: MessageSource) -> "MaildirConnection":
        try:
            create_folders(self._folder)
        except OSError as error:
            raise ConnectionFailedError(_failed_outcome(self._folder, error, Stage.connect)) from error
        return MaildirConnection(self._folder, source)


class MaildirConnection:
    """Writes messages one at a time. Moving a complete, synced file from ``tmp`` to ``new`` corresponds to
    the final dot."""

    def __init__(self, folder: Path, source: MessageSource) -> None:
        self._folder = folder
        self._source = source
        self._current: OutgoingMessage | None = None
        self._temporary = folder / "tmp" / "none"
        self._is_closing = False
        self._is_closed = False

    def wake(self) -> None:
        if (
            self._current is None
            and not self._is_closing
            and (message := self._source.next_message()) is not None
        ):
            self._write(message)

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            if self._current is None:
                self._continue(None)

    def abort(self) -> None:
        """Close immediately. A file that was written but not moved has not arrived."""
        if not self._is_closed:
            self._is_closing = self._is_closed = True
            self._temporary.unlink(missing_ok=True)
            self._source.closed(None)

    def check_timeout(self, now: float) -> None:
        """Do nothing: a folder never keeps us waiting."""

    def _write(self, message: OutgoingMessage) -> None:
        self._current = message
        self._temporary = self._folder / "tmp" / unique_name()
        try:
            write_synced(self._temporary, _add_envelope_headers(message))
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            self._report(message, _failed_outcome(self._folder, error, Stage.body))
        else:
            self._source.write_ahead(message, self._send_message)

    def _send_message(self, may_send: bool) -> None:
        message, self._current = self._current, None
        assert message is not None  # noqa: S101 - its sending was requested
        if self._is_closed:
            if may_send:
                words = "aborted by the mailer before the message was moved"
                self._source.report(message, Outcome(Verdict.give_back, Stage.data, text=words))
        elif may_send:
            self._report(message, self._move_to_new())
        else:
            self._temporary.unlink(missing_ok=True)
            self._continue(None)

    def _move_to_new(self) -> Outcome:
        try:
            target = move_to_new(self._temporary)
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            return _failed_outcome(self._folder, error, Stage.body)
        return Outcome(verdict=Verdict.sent, stage=Stage.dot, code=250, text=f"saved as {target.name}")

    def _report(self, message: OutgoingMessage, outcome: Outcome) -> None:
        self._current = None
        self._source.report(message, outcome)
        self._continue(outcome if outcome.reconnect else None)

    def _continue(self, trouble: Outcome | None) -> None:
        if trouble is None and not self._is_closing:
            self.wake()
        elif not self._is_closed:
            self._is_closing = self._is_closed = True
            self._source.closed(trouble)


def _failed_outcome(folder: Path, error: OSError, stage: Stage) -> Outcome:
    words = f"{folder}: {error.strerror}"
    return Outcome(verdict=Verdict.give_back, stage=stage, text=words, reconnect=True)


def _add_envelope_headers(message: OutgoingMessage) -> bytes:
    # RFC 5321 §4.4: final delivery adds the envelope sender on top. The recipient is found nowhere else
    # either.
    head = f"Return-Path: <{message.sender}>\r\nDelivered-To: {message.recipient}\r\n"
    return head.encode() + undo_dot_stuffing(message.payload)
