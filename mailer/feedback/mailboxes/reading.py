"""What reading any mailbox needs: a lease, folders for what was read, notices and delays.

On one machine the kernel knows who is alive: whoever reads holds a lock on a file, and a process that dies
releases it. Across machines a row in the database says which machine reads, until when. Losing either does
not count a message twice, because a message is recorded once by its fingerprint; it only costs the work.
"""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from mailer.database.engine import Clock, read_clock
from mailer.database.feedback_models import ReadMailbox
from mailer.dispatch.liveness import identify_host
from mailer.feedback.intake import Disposition

_LEASE = timedelta(minutes=2)
_RENEW_SECONDS = 30.0


class SourceLock:
    """The lock of this machine on one source of mail, called ``name``; its file is in ``root/run``."""

    def __init__(self, root: Path, name: str) -> None:
        self.folder = root / "run"
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        self._path = self.folder / f"feedback-{digest}.lock"
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        if self._descriptor is not None:
            return True
        self.folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back. The file stays: deleting it could take the lock from whoever opens it now."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class MailboxLease:
    """The right to read the mailbox ``name``, among all processes that share the database."""

    def __init__(
        self,
        engine: Engine,
        root: Path,
        name: str,
        *,
        clock: Clock = read_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._name = name[:500]
        self._lock = SourceLock(root, name)
        self._clock = clock
        self._monotonic = monotonic
        self._host = ""
        self._renewed_at = float("-inf")

    def try_acquire(self) -> bool:
        """Take the lease, or renew it if that is due; return whether we have it. Raise SQLAlchemyError if the
        database cannot be used.
        """
        if not self._lock.try_acquire():
            return False
        if self._monotonic() - self._renewed_at < _RENEW_SECONDS:
            return True
        self._host = self._host or identify_host(self._lock.folder)
        if not self._take_row():
            self._renewed_at = float("-inf")
            self._lock.release()
            return False
        self._renewed_at = self._monotonic()
        return True

    def release(self) -> None:
        """Give the lease back, so that another machine can go on at once."""
        if self._host:
            mine = (col(ReadMailbox.name) == self._name, col(ReadMailbox.owner) == self._host)
            with contextlib.suppress(Exception), self._engine.begin() as connection:
                connection.execute(update(ReadMailbox).where(*mine).values(owner=""))
        self._renewed_at = float("-inf")
        self._lock.release()

    def read_position(self, uid_validity: int) -> int:
        """Return the highest UID up to which everything left in the mailbox is ours to leave there; 0 if the
        server has renumbered the messages since: then all of them are read again, and recognised.
        """
        with self._engine.connect().execution_options(read_only=True) as connection:
            row = connection.execute(
                select(col(ReadMailbox.uid_validity), col(ReadMailbox.last_uid)).where(
                    col(ReadMailbox.name) == self._name
                )
            ).first()
        return row.last_uid if row is not None and row.uid_validity == uid_validity else 0

    def save_position(self, uid_validity: int, last_uid: int) -> None:
        """Remember that the messages up to ``last_uid`` have been read and stay."""
        with self._engine.begin() as connection:
            connection.execute(
                update(ReadMailbox)
                .where(col(ReadMailbox.name) == self._name)
                .values(uid_validity=uid_validity, last_uid=last_uid)
            )

    def _take_row(self) -> bool:
        """Enter this machine in the row, unless another one has a lease that has not run out.

        Our own machine's entry is never in the way: the process that made it is dead, since we hold the lock.
        """
        owner = col(ReadMailbox.owner)
        with self._engine.begin() as connection:
            now = self._clock(connection)
            is_free = or_(owner == "", owner == self._host, col(ReadMailbox.leased_until) <= now)
            taken = {"owner": self._host, "leased_until": now + _LEASE}
            mine = update(ReadMailbox).where(col(ReadMailbox.name) == self._name, is_free).values(taken)
            if connection.execute(mine).rowcount:
                return True
            known = select(col(ReadMailbox.name)).where(col(ReadMailbox.name) == self._name)
            if connection.execute(known).first() is not None:
                return False
        row = {"name": self._name, "uid_validity": 0, "last_uid": 0, "owner": "", "leased_until": now}
        # Another machine may enter it at the same moment; then its row serves as well.
        with contextlib.suppress(IntegrityError), self._engine.begin() as connection:
            connection.execute(insert(ReadMailbox).values(row))
        return self._take_row()


@dataclass(frozen=True, kw_only=True)
class FolderPolicy:
    """Into which folder a message goes; a ``processed`` of "" deletes it, once it is recorded. In a mailbox
    that ``is_shared`` with people, nothing goes but what was understood.
    """

    processed: str
    quarantine: str
    is_shared: bool = False

    def find_folder(self, disposition: Disposition) -> str | None:
        """Return the folder for a message, "" to delete it, or None to leave it where it is."""
        if disposition is Disposition.settled:
            return self.processed
        is_ours = disposition is Disposition.unclear and not self.is_shared
        return self.quarantine if is_ours else None


class Notices:
    """Messages about one mailbox, called ``name``, for ``say``. Not thread-safe."""

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self._name = name
        self._say = say
        self._troubles: dict[str, str] = {}

    def say(self, words: str) -> None:
        """Say something that is worth a line every time."""
        self._say(f"{self._name}: {words}")

    def report_trouble(self, subject: str, words: str) -> None:
        """Say what is wrong with ``subject``, unless that was the last thing said of it."""
        if self._troubles.get(subject) != words:
            self._troubles[subject] = words
            self.say(words)

    def clear_trouble(self, subject: str, words: str = "") -> None:
        """Forget the trouble with ``subject``, and say ``words`` if there was one."""
        if self._troubles.pop(subject, "") and words:
            self.say(words)


@dataclass(kw_only=True)
class RetryDelay:
    """Delays in seconds that double from ``first`` up to ``longest``."""

    first: float
    longest: float
    failures: int = 0

    def next(self) -> float:
        """Count a failure, and return how long to wait after it."""
        delay: float = min(self.first * 2 ** min(self.failures, 20), self.longest)
        self.failures += 1
        return delay

    def reset(self) -> None:
        """Forget the failures: it worked."""
        self.failures = 0
