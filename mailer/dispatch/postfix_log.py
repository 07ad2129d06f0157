"""Read the log of a Postfix relay: which of our messages it accepted into its queue, and which it did not.

Postfix's cleanup logs the Message-ID as soon as the header has arrived, before the message has ended, so that
line alone proves nothing::

    Nov 24 10:00:00 relay postfix/smtpd[811]: 4F7B2100C3: client=mailer[192.0.2.7]
    Nov 24 10:00:00 relay postfix/cleanup[812]: 4F7B2100C3: message-id=<c42.s7.0123456789ab@example.org>
    Nov 24 10:00:00 relay postfix/qmgr[801]: 4F7B2100C3: from=<news@example.org>, size=61440, nrcpt=1 (queue …

The queue manager's line is the proof: the message is in the queue, on disk, and the relay will deliver it. If
that line is missing, nothing is proved, because a busy queue manager logs messages late. A connection lost
during DATA, or a message cancelled or refused, proves that the relay does not have it. So does a missing
header, if the log continues until every session of that time has ended: cleanup logs the message before smtpd
replies to the final dot.

Queue ids are short or long, and short ones are reused. Lines of different processes may be slightly out of
order. Lines are read one at a time, so memory grows with the number of messages asked for, not with the log.
"""

import gzip
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from locales.phrase import Phrase, gettext_noop
from mailer.errors import MailerError

STANDARD_INPUT = Path("-")
_GZIP = b"\x1f\x8b"

# <22>Nov 24 10:00:00 · Nov  4 10:00:00.123 · 2026-11-24T10:00:00.123456+01:00 · 2026-11-24 10:00:00Z
_LINE = re.compile(
    rb"(?:<\d{1,3}>)?(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|"
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    rb"(?:\.\d+)? \S+ (?P<service>[\w./-]*/(?P<program>[\w-]+)|[\w-]+)\[(?P<process>\d+)\]: (?P<words>.*)"
)
_ENTRY = re.compile(rb"(?P<id>[0-9A-Za-z]{5,20}): (?P<words>.*)")
_MESSAGE_ID = re.compile(rb"message-id=(?P<id><c\d{1,10}\.s\d{1,10}\.[0-9a-f]{12}@[^>\s]+>)")
_STATUS = re.compile(rb".* status=([a-z]+)")
_LOST_CONNECTION = re.compile(rb"(?:lost connection|timeout) after DATA\b")
_REFUSED = re.compile(
    rb"(?:lost connection|timeout) after DATA\b|removed \(canceled\)|"
    rb"(?:milter-)?reject: (?:END-OF-MESSAGE|header|body|mime-header|content)"
)
# How many lost messages are remembered whose Message-ID has not been named yet.
_MAX_LOST = 1000
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
# A line without a year from more than a day ahead is last year's.
_FUTURE_TOLERANCE = timedelta(days=1)
_MAX_HEAD_LINES = 1000


class PostfixLogError(MailerError):
    """The log cannot be read, or is not a Postfix log."""


class RelayStatus(StrEnum):
    """Stages that the relay reached with a message, according to its log."""

    began = "began"
    """Its header arrived. The log does not say yet whether the rest did."""

    not_taken = "not_taken"
    """The connection was lost before its end, or the relay refused it: the relay does not have it."""

    queued = "queued"
    """It was in the queue: the relay accepted it."""

    bounced = "bounced"
    """The relay accepted it, and the next server refused it."""

    delivered = "delivered"
    """The relay accepted it, and so did the next server."""

    @property
    def is_accepted(self) -> bool:
        return self in {RelayStatus.queued, RelayStatus.bounced, RelayStatus.delivered}


_STATUSES = {b"bounced": RelayStatus.bounced, b"sent": RelayStatus.delivered}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedMessage:
    queue_id: str
    status: RelayStatus


@dataclass(frozen=True, kw_only=True)
class PostfixLog:
    """The findings in a log: messages by Message-ID, and the aware times of its first and last line, None if
    there are none. ``open_since`` is the start of the oldest session that has not ended by the end of the
    log."""

    messages: dict[str, LoggedMessage]
    first: datetime | None
    last: datetime | None
    open_since: datetime | None

    def covers(self, start: datetime, end: datetime) -> bool:
        """Return whether a message sent between ``start`` and ``end`` must be in the log: the log begins by
        ``start``, continues past ``end``, and the sessions of that time have ended."""
        if self.first is None or self.last is None:
            return False
        return self.first <= start and end <= self.last and (self.open_since is None or self.open_since > end)


def read_postfix_log(
    paths: Iterable[Path],
    wanted: Callable[[str], bool],
    *,
    now: datetime,
    zone: tzinfo | None = None,
    standard_input: BinaryIO | None = None,
) -> PostfixLog:
    """Read what the log in ``paths`` says about the messages whose Message-ID is ``wanted``. The files may
    come in any order, compressed by gzip or not; ``-`` is the standard input. ``zone`` is that of times
    written without one, None for this machine's. Raise PostfixLogError if a file cannot be read, or none has
    a line written by Postfix."""
    reader = _LogParser(wanted, _TimestampParser(now, zone))
    with ExitStack() as stack:
        try:
            parts = [
                _read_head(
                    path,
                    stack.enter_context(_open(path, standard_input or sys.stdin.buffer)),
                    reader.timestamps,
                )
                for path in paths
            ]
            # A shell names rotated logs newest first, and a message may begin in one and end in the next.
            for _, lines in sorted(parts, key=lambda part: part[0]):
                reader.read(lines)
        except (OSError, EOFError) as error:
            raise PostfixLogError(Phrase("The log cannot be read: %(error)s.", error=error)) from error
    if not reader.has_seen_postfix:
        raise PostfixLogError(
            gettext_noop(
                "The log contains no line written by Postfix. Such lines look like 'Nov 24 10:00:00 relay "
                "postfix/cleanup[812]: 4F7B2100C3: message-id=<…>'."
            )
        )
    return reader.finish()


def _open(path: Path, standard_input: BinaryIO) -> BinaryIO:
    if path == STANDARD_INPUT:
        return standard_input
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _read_head(path: Path, file: BinaryIO, calendar: "_TimestampParser") -> tuple[datetime, Iterable[bytes]]:
    """Return the first time in one file of a log, and all its lines."""
    head: list[bytes] = []
    for line in file:
        head.append(line)
        if (found := _LINE.match(line)) is not None and (start := calendar.parse(found["time"])) is not None:
            return start, chain(head, file)
        if len(head) >= _MAX_HEAD_LINES:
            raise PostfixLogError(
                Phrase(
                    "%(path)s is not a mail log: none of its first %(number)s lines looks like one.",
                    path=path,
                    number=_MAX_HEAD_LINES,
                )
            )
    return datetime.max.replace(tzinfo=UTC), head


class _TimestampParser:
    def __init__(self, now: datetime, zone: tzinfo | None) -> None:
        self._now = now
        self._zone = zone
        self._last: tuple[bytes, datetime | None] = (b"", None)

    def parse(self, written: bytes) -> datetime | None:
        """Return the aware time, or None if the date does not exist."""
        # Hundreds of lines share a second.
        if written != self._last[0]:
            self._last = (written, self._parse_uncached(written))
        return self._last[1]

    def _parse_uncached(self, written: bytes) -> datetime | None:
        try:
            if written[:4].isdigit():
                moment = datetime.fromisoformat(written.decode("ascii").replace(",", "."))
                return moment if moment.tzinfo else self._localise(moment)
            return self._parse_without_year(written)
        except ValueError:
            return None

    def _parse_without_year(self, written: bytes) -> datetime:
        month, day = _MONTHS.index(written[:3]) + 1, int(written[4:6])
        hour, minute, second = (int(part) for part in written[7:15].split(b":"))
        year = self._now.year + 1
        while True:
            # 29 February is in few years.
            try:
                moment = self._localise(datetime(year, month, day, hour, minute, second))  # noqa: DTZ001
            except ValueError:
                if self._now.year - year > 4:
                    raise
            else:
                if moment <= self._now + _FUTURE_TOLERANCE:
                    return moment
            year -= 1

    def _localise(self, moment: datetime) -> datetime:
        return moment.astimezone() if self._zone is None else moment.replace(tzinfo=self._zone)


@dataclass(slots=True)
class _Session:
    """A connection to the relay: when it began, and its current message."""

    since: datetime
    queue_id: bytes = b""


class _LogParser:
    def __init__(self, wanted: Callable[[str], bool], calendar: _TimestampParser) -> None:
        self.timestamps = calendar
        self.has_seen_postfix = False
        self._wanted = wanted
        self._messages: dict[str, LoggedMessage] = {}
        self._first: datetime | None = None
        self._last: datetime | None = None
        # Queue ids of our messages that may still be named, and the sessions that go on, by their process.
        self._message_ids: dict[bytes, str] = {}
        self._sessions: dict[bytes, _Session] = {}
        self._lost: dict[bytes, None] = {}

    def read(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            found = _LINE.match(line)
            moment = found and self.timestamps.parse(found["time"])
            if found is None or moment is None:
                continue
            self._first = moment if self._first is None else min(self._first, moment)
            self._last = moment if self._last is None else max(self._last, moment)
            if b"postfix" in (found["service"] or b""):
                self.has_seen_postfix = True
            if found["program"] is not None:
                self._parse_entry(moment, found["program"], found["process"], found["words"])

    def finish(self) -> PostfixLog:
        open_since = min((session.since for session in self._sessions.values()), default=None)
        return PostfixLog(messages=self._messages, first=self._first, last=self._last, open_since=open_since)

    def _parse_entry(self, moment: datetime, program: bytes, process: bytes, words: bytes) -> None:
        entry = _ENTRY.match(words)
        if program == b"smtpd":
            self._follow_session(moment, process, words, entry)
        if entry is None:
            return
        if program == b"cleanup" and b"message-id=" in entry["words"]:
            self._set_message_id(entry["id"], entry["words"])
        elif entry["id"] in self._message_ids:
            self._follow_message(entry["id"], program, entry["words"])

    def _follow_session(
        self, moment: datetime, process: bytes, words: bytes, entry: re.Match[bytes] | None
    ) -> None:
        if words.startswith(b"connect from "):
            self._sessions[process] = _Session(moment)
        elif words.startswith(b"disconnect from "):
            self._sessions.pop(process, None)
        elif entry is not None and entry["words"].startswith(b"client="):
            self._sessions.setdefault(process, _Session(moment)).queue_id = entry["id"]
            self._lost.pop(entry["id"], None)
        elif _LOST_CONNECTION.match(words) or (entry is not None and _LOST_CONNECTION.match(entry["words"])):
            # Postfix before 3.10 does not name the queue id here.
            session = self._sessions.get(process)
            if lost := entry["id"] if entry is not None else session and session.queue_id:
                self._connection_lost(lost)

    def _connection_lost(self, queue_id: bytes) -> None:
        """Record that the message was cut off. Cleanup may log its Message-ID later."""
        if queue_id in self._message_ids:
            self._set_status(queue_id, RelayStatus.not_taken)
        else:
            self._lost[queue_id] = None
            if len(self._lost) > _MAX_LOST:
                del self._lost[next(iter(self._lost))]

    def _set_message_id(self, queue_id: bytes, words: bytes) -> None:
        found = _MESSAGE_ID.match(words)
        if not words.startswith(b"message-id="):
            return
        # A queue id may have been reused for another sender's message.
        self._message_ids.pop(queue_id, None)
        if found is None or not self._wanted(message_id := found["id"].decode("utf-8", "replace")):
            return
        self._message_ids[queue_id] = message_id
        known = self._messages.get(message_id)
        if known is None or not known.status.is_accepted:
            cut = queue_id in self._lost
            self._messages[message_id] = LoggedMessage(
                queue_id=queue_id.decode("ascii"), status=RelayStatus.not_taken if cut else RelayStatus.began
            )

    def _follow_message(self, queue_id: bytes, program: bytes, words: bytes) -> None:
        if program == b"qmgr":
            if words.startswith(b"from="):
                self._set_status(queue_id, RelayStatus.queued)
            elif words.startswith(b"removed"):
                del self._message_ids[queue_id]
        elif program in {b"cleanup", b"smtpd"}:
            if _REFUSED.match(words):
                self._set_status(queue_id, RelayStatus.not_taken)
        elif (status := _STATUS.match(words)) is not None:
            self._set_status(queue_id, _STATUSES.get(status[1], RelayStatus.queued))

    def _set_status(self, queue_id: bytes, status: RelayStatus) -> None:
        """Record the status of a message, unless the relay has already accepted it."""
        message_id = self._message_ids.get(queue_id)
        if message_id is None:
            return
        before = self._messages[message_id].status
        if not before.is_accepted or status in {RelayStatus.bounced, RelayStatus.delivered}:
            self._messages[message_id] = LoggedMessage(queue_id=queue_id.decode("ascii"), status=status)
