"""Reads the outbox of previews as an inbox: its messages page by page, and one of them in its parts."""

import bisect
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from email.policy import default as modern_policy
from pathlib import Path

from mailer.errors import MailerError

_ENDING = ".eml"
_HEAD_BYTES = 16 * 1024
_MAX_BYTES = 20 * 1024 * 1024
_MAX_SEARCHED = 2000
"""In how many messages an address is looked for in the header; in more, by the names of the files alone."""

SHOWN_HEADERS = ("From", "To", "Subject", "Reply-To", "Date", "Message-ID", "List-Unsubscribe", "List-Id")


class NoMessageError(MailerError):
    """The outbox has no message with this name, or no longer."""


@dataclass(frozen=True, kw_only=True)
class OutboxEntry:
    """A message as the list shows it. ``name`` is that of its file; ``written_at`` is aware."""

    name: str
    subject: str
    to: str
    written_at: datetime
    size: int


@dataclass(frozen=True, kw_only=True)
class OutboxPage:
    """Some messages in the order of their names. ``following`` is the name after which the next page begins,
    None if there is none."""

    entries: Sequence[OutboxEntry]
    total: int
    following: str | None


@dataclass(frozen=True, kw_only=True)
class OutboxMessage:
    """A message in its parts. ``headers`` are those that a person looks for."""

    name: str
    headers: Sequence[tuple[str, str]]
    subject: str
    html: str
    text: str
    size: int


class OutboxReader:
    """Reads a folder of messages. The names are kept until the folder changes; thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._names: list[str] = []

    def list_page(self, *, after: str = "", query: str = "", limit: int = 50) -> OutboxPage:
        """The messages whose names come ``after`` a name, and that are about the address ``query``."""
        names = self._list_names()
        total = len(names)
        start = bisect.bisect_right(names, after) if after else 0
        found: list[OutboxEntry] = []
        for entry in self._match(names[start:], query.strip().lower(), total):
            if len(found) == limit:
                return OutboxPage(entries=found, total=total, following=found[-1].name)
            found.append(entry)
        return OutboxPage(entries=found, total=total, following=None)

    def read_message(self, name: str) -> OutboxMessage:
        """One message in its parts.

        Raises:
            NoMessageError: there is none with this name.
        """
        content = self.read_source(name)
        message = BytesParser(policy=modern_policy).parsebytes(content)
        assert isinstance(message, EmailMessage)  # noqa: S101 - what this policy makes
        return OutboxMessage(
            name=name,
            headers=[(header, str(message[header])) for header in SHOWN_HEADERS if message[header]],
            subject=str(message["Subject"] or ""),
            html=_read_body(message, "html"),
            text=_read_body(message, "plain"),
            size=len(content),
        )

    def read_source(self, name: str) -> bytes:
        """The bytes of one message.

        Raises:
            NoMessageError: there is none with this name.
        """
        names = self._list_names()
        place = bisect.bisect_left(names, name)
        if place == len(names) or names[place] != name:
            raise NoMessageError(f"There is no message {name} in the outbox.")
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(_MAX_BYTES)
        except OSError as error:
            raise NoMessageError(f"There is no message {name} in the outbox.") from error

    def _list_names(self) -> list[str]:
        """The names of the messages, sorted. The list is never changed, only replaced."""
        try:
            status = self._folder.stat()
        except OSError:
            return []
        stamp = (status.st_ino, status.st_mtime_ns)
        with self._lock:
            if stamp != self._stamp:
                with os.scandir(self._folder) as found:
                    self._names = sorted(one.name for one in found if _is_message(one))
                self._stamp = stamp
            return self._names

    def _match(self, names: Sequence[str], query: str, total: int) -> Iterator[OutboxEntry]:
        for name in names:
            is_named = query in name.lower()
            if query and not is_named and total > _MAX_SEARCHED:
                continue
            entry = self._read_entry(name)
            if entry is not None and (is_named or query in entry.to.lower()):
                yield entry

    def _read_entry(self, name: str) -> OutboxEntry | None:
        try:
            with (self._folder / name).open("rb") as file:
                status = os.fstat(file.fileno())
                head = BytesHeaderParser(policy=modern_policy).parsebytes(file.read(_HEAD_BYTES))
        except OSError:
            # It was removed meanwhile.
            return None
        return OutboxEntry(
            name=name,
            subject=str(head["Subject"] or ""),
            to=str(head["To"] or ""),
            written_at=datetime.fromtimestamp(status.st_mtime, UTC),
            size=status.st_size,
        )


def _is_message(entry: os.DirEntry[str]) -> bool:
    is_ours = entry.name.endswith(_ENDING) and not entry.name.startswith(".")
    # Another file's link may lead anywhere.
    return is_ours and entry.is_file(follow_symlinks=False)


def _read_body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None or part.get_content_subtype() != kind:
        return ""
    try:
        content = part.get_content()
    except LookupError:
        # An encoding that nobody knows; it is none of ours.
        payload = part.get_payload(decode=True)
        content = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return content if isinstance(content, str) else ""
