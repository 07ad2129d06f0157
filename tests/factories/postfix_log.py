"""Postfix logs, written line by line as Postfix would, for what happens to a message."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path

HOST = "relay"


class Relay:
    """Writes the log of a relay in RFC 3164's form, or in RFC 3339's with ``iso``."""

    def __init__(self, start: datetime, *, iso: bool = False, name: str = "postfix") -> None:
        self.now = start
        self.lines: list[str] = []
        self._iso = iso
        self._name = name
        self._numbers = count(0x4F7B2100C3)
        self._processes = count(811)
        self.write("master[1]", "daemon started -- version 3.10.13, configuration /etc/postfix")

    def write(self, program: str, words: str) -> None:
        local = self.now.astimezone(timezone(timedelta(hours=8)))
        moment = local.isoformat() if self._iso else f"{self.now:%b} {self.now.day:2} {self.now:%H:%M:%S}"
        self.lines.append(f"{moment} {HOST} {self._name}/{program}: {words}")

    def accept(self, message_id: str, *, status: str = "", queue_id: str = "") -> str:
        """Accept a message, and with ``status`` log its delivery; return its queue id."""
        process, number = next(self._processes), queue_id or f"{next(self._numbers):X}"
        self._begin(process, number, message_id)
        self.write("qmgr[801]", f"{number}: from=<news@example.org>, size=61440, nrcpt=1 (queue active)")
        self.write(
            f"smtpd[{process}]", "disconnect from mailer[192.0.2.7] ehlo=1 mail=1 rcpt=1 data=1 commands=4"
        )
        if status:
            words = f"{number}: to=<mei@example.org>, relay=mx.example.org[192.0.2.9]:25, status={status}"
            self.write("smtp[820]", words)
            self.write("qmgr[801]", f"{number}: removed")
        return number

    def cut_off(self, message_id: str, *, names_it: bool = True, late: bool = False) -> str:
        """Lose the connection in the middle of a message; before 3.10 the line did not name the queue id."""
        process, number = next(self._processes), f"{next(self._numbers):X}"
        self._begin(process, number, "" if late else message_id)
        lost = "lost connection after DATA (28870 bytes) from mailer[192.0.2.7]"
        self.write(f"smtpd[{process}]", f"{number}: {lost}" if names_it else lost)
        self.write(f"smtpd[{process}]", "disconnect from mailer[192.0.2.7] ehlo=1 mail=1 rcpt=1 data=0/1")
        if late:
            self.write("cleanup[812]", f"{number}: message-id={message_id}")
        return number

    def begin(self, message_id: str) -> None:
        """Accept the header of a message; the log ends before the rest."""
        self._begin(next(self._processes), f"{next(self._numbers):X}", message_id)

    def wait(self, **amount: float) -> None:
        """Advance the clock, and write a line afterwards."""
        self.now += timedelta(**amount)
        self.write("anvil[830]", "statistics: max connection rate 1/60s for (smtp:192.0.2.7)")

    def save(self, path: Path) -> Path:
        path.write_text("".join(f"{line}\n" for line in self.lines), encoding="utf-8")
        return path

    def _begin(self, process: int, number: str, message_id: str) -> None:
        self.write(f"smtpd[{process}]", "connect from mailer[192.0.2.7]")
        self.write(f"smtpd[{process}]", f"{number}: client=mailer[192.0.2.7]")
        if message_id:
            self.write("cleanup[812]", f"{number}: message-id={message_id}")


def name(*numbers: int) -> list[str]:
    """Message-IDs as campaign 42 gives them."""
    return [f"<c42.s{number}.0123456789ab@example.org>" for number in numbers]


NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
