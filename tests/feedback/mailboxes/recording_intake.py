"""An intake that keeps what it is given, in place of the receiver, for tests of what brings messages."""

import hashlib
import re
import sqlite3
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from mailer.feedback.intake import Disposition, Intake


@dataclass
class RecordingIntake:
    """Records messages by their fingerprint. The Subject of a message is its :class:`Disposition`."""

    times: Counter[bytes] = field(default_factory=Counter)
    order: list[bytes] = field(default_factory=list)
    is_away: bool = False
    refused: int = 0

    def make(self) -> Intake:
        return Intake(receive=self.receive)

    def receive(self, raw: bytes) -> Disposition:
        if self.is_away:
            self.refused += 1
            raise OperationalError("INSERT", {}, sqlite3.OperationalError("database is locked"))
        fingerprint = hashlib.sha256(raw).digest()
        self.times[fingerprint] += 1
        if self.times[fingerprint] == 1:
            self.order.append(raw)
        subject = re.search(rb"^Subject: (\w+)", raw)
        assert subject is not None
        if subject[1] == b"faulty":
            raise ZeroDivisionError
        return Disposition(subject[1].decode())

    @property
    def seen_again(self) -> int:
        """How often a message came that had come before."""
        return self.times.total() - len(self.times)


def message(kind: str, number: int = 1, size: int = 0) -> bytes:
    return b"Subject: %b\r\nX-Number: %d\r\n\r\n%b\r\n" % (kind.encode(), number, b"x" * size)
