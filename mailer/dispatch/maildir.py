"""A folder as a transport: every message becomes a file (the Maildir format), for rehearsals and previews."""

import itertools
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from mailer.dispatch.replies import Outcome, Stage, Verdict
from mailer.dispatch.transport import ConnectionFailedError, Envelope

_serial = itertools.count(1)


class MaildirTransport:
    """The Maildir at ``folder``, made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def connect(self) -> "MaildirConnection":
        try:
            for name in ("tmp", "new", "cur"):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            words = f"{self._folder}: {error.strerror}"
            raise ConnectionFailedError(
                Outcome(verdict=Verdict.give_back, stage=Stage.connect, words=words)
            ) from error
        return MaildirConnection(self._folder)


class MaildirConnection:
    """Writes messages one at a time. Moving a complete, synced file from ``tmp`` to ``new`` is its final
    dot.
    """

    is_usable = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, envelope: Envelope, begin: Callable[[], bool]) -> Outcome:
        name = _make_name()
        draft = self._folder / "tmp" / name
        try:
            _write_synced(draft, _add_trace(envelope))
            if not begin():
                return Outcome(verdict=Verdict.give_back, stage=Stage.data, words="not begun")
            draft.rename(self._folder / "new" / name)
        except OSError as error:
            words = f"{self._folder}: {error.strerror}"
            return Outcome(verdict=Verdict.give_back, stage=Stage.body, words=words, reconnect=True)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(self._folder / "new")
        return Outcome(verdict=Verdict.sent, stage=Stage.dot, code=250, words=f"kept as {name}")

    def close(self) -> None:
        """Nothing is held open."""


def _make_name() -> str:
    """A name no other delivery has, on any host that shares the folder."""
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072")
    return f"{time.time_ns() // 10**9}.P{os.getpid()}Q{next(_serial)}R{os.urandom(4).hex()}.{host}"


def _add_trace(envelope: Envelope) -> bytes:
    # RFC 5321 §4.4: final delivery puts the envelope's sender on top; the recipient is found nowhere else
    # either.
    head = f"Return-Path: <{envelope.sender}>\r\nDelivered-To: {envelope.recipient}\r\n"
    return head.encode() + envelope.payload


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
