"""Reads a Maildir for as long as the program runs.

``new`` holds what nobody has looked at and ``cur`` what a mail program has seen; ``tmp`` belongs to whoever
delivers. Every move is one rename, so a message is at all times in exactly one place.
"""

import contextlib
import threading
from pathlib import Path

from mailer.feedback.intake import MAX_MESSAGE_BYTES, Disposition, Intake, TryAgainError, UnreadableError
from mailer.feedback.mailboxes.reading import FolderPolicy, Notices, RetryDelay, SourceLock

_POLL_SECONDS = 2.0
_OTHER_READER_SECONDS = 10.0
_MANY = 500
_PROGRESS_EVERY = 5000
_SUBFOLDERS = ("new", "cur")


class Maildir:
    def __init__(
        self,
        path: Path,
        *,
        policy: FolderPolicy,
        intake: Intake,
        lock: SourceLock,
        notices: Notices,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        self._path = path
        self._policy = policy
        self._intake = intake
        self._lock = lock
        self._notices = notices
        self._poll_seconds = poll_seconds
        self._failures = RetryDelay(first=poll_seconds, longest=30 * poll_seconds)
        # The unique parts of the names of messages that have been read and stay.
        self._left: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Read what is there and what arrives, until ``stop`` is set; whatever fails is tried again."""
        try:
            while not stop.is_set():
                stop.wait(self._attempt(stop))
        finally:
            self._lock.release()

    def read_new(self, stop: threading.Event) -> int:
        """Read the messages that are there, oldest first; return how many. Raise TryAgainError if the
        database cannot be used, and OSError if there is no such Maildir, or it cannot be read.
        """
        paths = self._list()
        self._left &= {_unique_part(path) for path in paths}
        waiting = [path for path in paths if _unique_part(path) not in self._left]
        if len(waiting) >= _MANY:
            self._notices.say(f"{len(waiting):,} messages are waiting. They are read in the order they came.")
        for count, path in enumerate(waiting):
            if stop.is_set():
                return count
            if len(waiting) >= _MANY and count and count % _PROGRESS_EVERY == 0:
                self._notices.say(f"{count:,} of {len(waiting):,} messages are read.")
            # A mail program may move or delete it at any moment.
            with contextlib.suppress(FileNotFoundError):
                self._settle(path, self._take(path))
        return len(waiting)

    def _attempt(self, stop: threading.Event) -> float:
        """Make one pass; return how many seconds to wait."""
        try:
            if not self._lock.try_acquire():
                return _OTHER_READER_SECONDS
            self.read_new(stop)
        except TryAgainError as error:
            self._notices.report_trouble(
                "reading", f"{error} The messages stay in the Maildir until it works."
            )
            return self._failures.next()
        except OSError as error:
            self._notices.report_trouble(
                "reading",
                f"The Maildir cannot be read: {error.strerror or error}. It needs the folders new and cur; "
                "correct [feedback] maildir, or its permissions.",
            )
            return self._failures.next()
        self._failures.reset()
        self._notices.clear_trouble("reading", "The Maildir can be read again.")
        return self._poll_seconds

    def _list(self) -> list[Path]:
        """Return the messages in the order of their names, which begin with the second of their arrival."""
        found = [
            path
            for subfolder in _SUBFOLDERS
            for path in (self._path / subfolder).iterdir()
            if not path.name.startswith(".")
        ]
        return sorted(found, key=lambda path: path.name)

    def _take(self, path: Path) -> Disposition:
        with path.open("rb") as file:
            raw = file.read(MAX_MESSAGE_BYTES + 1)
        if len(raw) > MAX_MESSAGE_BYTES:
            self._notices.say(
                f"{path.name} is too large to be a report of a mail server. It was not read, and is put "
                f"aside in {self._policy.quarantine}."
            )
            return Disposition.unclear
        try:
            return self._intake.take(raw)
        except UnreadableError as error:
            self._notices.say(
                f"{path.name} could not be read because of a fault in this program ({error}). It is put "
                f"aside in {self._policy.quarantine}; please report it."
            )
            return Disposition.unclear

    def _settle(self, path: Path, disposition: Disposition) -> None:
        folder = self._policy.find_folder(disposition)
        try:
            if folder is None:
                self._left.add(_unique_part(path))
            elif folder:
                path.rename(self._make_folder(folder) / path.parent.name / path.name)
            else:
                path.unlink()
        except FileNotFoundError:
            raise
        except OSError as error:
            self._left.add(_unique_part(path))
            self._notices.report_trouble(
                "moving",
                f"Messages cannot be moved out of the Maildir: {error.strerror}. They are recorded, each "
                "once, and stay where they are. Correct the permissions.",
            )
        else:
            self._notices.clear_trouble("moving", "The messages can be moved again.")

    def _make_folder(self, name: str) -> Path:
        """Return the subfolder called ``name``, as Maildir++ has it: ``.Quarantine``; create it first."""
        folder = self._path / f".{name.replace('/', '.')}"
        if not folder.is_dir():
            for part in ("tmp", *_SUBFOLDERS):
                (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "maildirfolder").touch(mode=0o600)
        return folder


def _unique_part(path: Path) -> str:
    return path.name.partition(":")[0]
