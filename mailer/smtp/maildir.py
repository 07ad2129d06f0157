"""A folder as a transport: every message becomes a file (the Maildir format), for rehearsals and previews."""

import itertools
import os
import socket
import time
from pathlib import Path

from mailer.smtp.interfaces import ConnectionFailedError, Courier, Parcel, unstuff
from mailer.smtp.reply_classifier import Outcome, Stage, Verdict

_serial = itertools.count(1)


class MaildirTransport:
    """The Maildir at ``folder``, made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def connect(self, courier: Courier) -> "MaildirLine":
        try:
            for name in ("tmp", "new", "cur"):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConnectionFailedError(_refuse(self._folder, error, Stage.connect)) from error
        return MaildirLine(self._folder, courier)


class MaildirLine:
    """Writes messages one at a time. Moving a complete, synced file from ``tmp`` to ``new`` is its final
    dot.
    """

    def __init__(self, folder: Path, courier: Courier) -> None:
        self._folder = folder
        self._courier = courier
        self._in_hand: Parcel | None = None
        self._draft = folder / "tmp" / "none"
        self._is_closing = False
        self._is_over = False

    def wake(self) -> None:
        if self._in_hand is None and not self._is_closing and (parcel := self._courier.take()) is not None:
            self._write(parcel)

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            if self._in_hand is None:
                self._go_on(None)

    def abort(self) -> None:
        """End it at once. What is written and not moved has not arrived, whatever the ledger says."""
        if not self._is_over:
            self._is_closing = self._is_over = True
            self._draft.unlink(missing_ok=True)
            self._courier.ended(None)

    def check(self, now: float) -> None:
        """Nothing is waited for."""

    def _write(self, parcel: Parcel) -> None:
        self._in_hand = parcel
        self._draft = self._folder / "tmp" / _make_name()
        try:
            _write_synced(self._draft, _add_trace(parcel))
        except OSError as error:
            self._draft.unlink(missing_ok=True)
            self._settle(parcel, _refuse(self._folder, error, Stage.body))
        else:
            self._courier.begin(parcel, self._go)

    def _go(self, may_send: bool) -> None:
        parcel, self._in_hand = self._in_hand, None
        assert parcel is not None  # noqa: S101 - it was begun and is not settled
        if self._is_over:
            if may_send:
                words = "aborted by the mailer before the message was moved"
                self._courier.settle(parcel, Outcome(Verdict.give_back, Stage.data, words=words))
        elif may_send:
            self._settle(parcel, self._move())
        else:
            self._draft.unlink(missing_ok=True)
            self._go_on(None)

    def _move(self) -> Outcome:
        target = self._folder / "new" / self._draft.name
        try:
            self._draft.rename(target)
            _sync_folder(target.parent)
        except OSError as error:
            self._draft.unlink(missing_ok=True)
            return _refuse(self._folder, error, Stage.body)
        return Outcome(verdict=Verdict.sent, stage=Stage.dot, code=250, words=f"saved as {target.name}")

    def _settle(self, parcel: Parcel, outcome: Outcome) -> None:
        self._in_hand = None
        self._courier.settle(parcel, outcome)
        self._go_on(outcome if outcome.reconnect else None)

    def _go_on(self, trouble: Outcome | None) -> None:
        if trouble is None and not self._is_closing:
            self.wake()
        elif not self._is_over:
            self._is_closing = self._is_over = True
            self._courier.ended(trouble)


def _refuse(folder: Path, error: OSError, stage: Stage) -> Outcome:
    words = f"{folder}: {error.strerror}"
    return Outcome(verdict=Verdict.give_back, stage=stage, words=words, reconnect=True)


def _make_name() -> str:
    """A name no other delivery has, on any host that shares the folder."""
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
    return f"{time.time_ns() // 10**9}.P{os.getpid()}Q{next(_serial)}R{os.urandom(4).hex()}.{host}"


def _add_trace(parcel: Parcel) -> bytes:
    # RFC 5321 §4.4: final delivery puts the envelope's sender on top; the recipient is found nowhere else
    # either.
    head = f"Return-Path: <{parcel.sender}>\r\nDelivered-To: {parcel.recipient}\r\n"
    return head.encode() + unstuff(parcel.payload)


def _write_synced(path: Path, content: bytes) -> None:
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
