"""Finding a person's address in texts and files, in every spelling and encoding, and cleaning the files.

All files in the workspace are scanned, and so are the log and the Maildirs its settings name. Messages are
deleted, rows are removed from lists, and the address is masked in logs. Files that are not the program's to
rewrite, such as an edition that names the person, are reported.
"""

import gzip
import json
import lzma
import mmap
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from locales.phrase import WordedEnum, gettext_noop
from mailer.atomic_write import atomic_file
from mailer.workspace import Workspace
from subscribers.address import normalise_address

_CHUNK_BYTES = 1 << 20
_OVERLAP_BYTES = 1024
"""More than the longest address and the characters checked around it, at two bytes a character."""

_MAX_WORD_BYTES = 200
_MIN_WORD_LENGTH = 3
"""A shorter word is found everywhere and identifies nobody."""

# ann@example.org is not a match in joann@example.org or in ann@example.org.mn.
_BEFORE = r"[A-Za-z0-9._%+-]"
_AFTER = r"[A-Za-z0-9-]|\.[A-Za-z0-9]"
_MESSAGE_SUFFIXES = frozenset({".eml"})
_LIST_SUFFIXES = frozenset({".csv", ".tsv"})
_ARCHIVE_SUFFIXES = frozenset({".xlsx", ".zip", ".docx"})
_MAILDIR_FOLDERS = frozenset({"new", "cur", "tmp"})
_SQLITE_HEADER = b"SQLite format 3\x00"
# An encrypted archive is a RuntimeError, and so is a method of compression that Python does not know.
_UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading a file, or unpacking one that may be damaged, raises."""


@dataclass(frozen=True)
class AddressMatcher:
    """The spellings of one person's address: as the list has it, and as SMTP writes it. ``words`` are their
    name and mailbox, which are searched for only in log lines about ``subscriber_id``, because elsewhere they
    may mean someone else.
    """

    spellings: tuple[str, ...]
    subscriber_id: int | None = None
    words: tuple[str, ...] = ()

    @cached_property
    def text_pattern(self) -> re.Pattern[str]:
        """A pattern for the address in text, but not for a longer address that contains it."""
        any_of = "|".join(re.escape(spelling) for spelling in self.spellings)
        return re.compile(rf"(?<!{_BEFORE})(?:{any_of})(?!{_AFTER})", re.IGNORECASE)

    @cached_property
    def bytes_pattern(self) -> re.Pattern[bytes]:
        """The same for bytes in UTF-8, the East Asian encodings and UTF-16."""
        forms = [
            _make_single_byte_pattern(self.spellings),
            *(_make_utf16_pattern(self.spellings, order) for order in ("le", "be")),
        ]
        return re.compile(b"|".join(forms), re.IGNORECASE)

    def find_in_log(self, lines: bytes | mmap.mmap) -> Iterator[tuple[int, int]]:
        """Yield the spans in a log that name them: the address anywhere, the words in lines with their id."""
        yield from (match.span() for match in self.bytes_pattern.finditer(lines))
        if self.subscriber_id is None:
            return
        words = make_words_pattern(self.words)
        about = re.compile(rb'[^\n]*\bsubscriber"?[=:] ?%d\b[^\n]*' % self.subscriber_id)
        for line in about.finditer(lines):
            yield from (
                (line.start() + at.start(), line.start() + at.end()) for at in words.finditer(line[0])
            )


def file_contains(path: Path, pattern: re.Pattern[bytes]) -> bool:
    """Return whether a file of any size contains a match of up to a thousand bytes, in bounded memory. Raise
    OSError if the file cannot be read.
    """
    with path.open("rb") as file:
        return _stream_contains(file, pattern)


def _stream_contains(file: BinaryIO, pattern: re.Pattern[bytes]) -> bool:
    rest = b""
    while chunk := file.read(_CHUNK_BYTES):
        if pattern.search(rest + chunk):
            return True
        rest = (rest + chunk)[-_OVERLAP_BYTES:]
    return False


def make_words_pattern(words: Iterable[str]) -> re.Pattern[bytes]:
    """Make a pattern for any of ``words`` in UTF-8; of a long word only its beginning."""
    forms = {re.escape(word.encode()[:_MAX_WORD_BYTES]) for word in words if len(word) >= _MIN_WORD_LENGTH}
    return re.compile(b"|".join(sorted(forms)) or b"(?!)", re.IGNORECASE)


def make_address_matcher(*addresses: str, subscriber_id: int | None = None, name: str = "") -> AddressMatcher:
    """Make a matcher for the ``addresses`` of one person, each also as SMTP writes it. Raise AddressError if
    one of them is invalid.
    """
    spellings = tuple(dict.fromkeys(_list_spellings(addresses)))
    locals_ = dict.fromkeys(spelling.rpartition("@")[0] for spelling in spellings)
    return AddressMatcher(spellings, subscriber_id=subscriber_id, words=tuple(filter(None, (name, *locals_))))


def _list_spellings(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        normalised = normalise_address(address)
        yield from (normalised.email, normalised.envelope)


def _make_single_byte_pattern(spellings: Iterable[str]) -> bytes:
    any_of = b"|".join(re.escape(spelling.encode()) for spelling in spellings)
    return rb"(?<!%b)(?:%b)(?!%b)" % (_BEFORE.encode(), any_of, _AFTER.encode())


def _make_utf16_pattern(spellings: Iterable[str], order: str) -> bytes:
    """Make the pattern for UTF-16, where an ASCII character is itself and a zero byte, in either order."""
    any_of = b"|".join(re.escape(spelling.encode(f"utf-16-{order}")) for spelling in spellings)
    if order == "le":
        return rb"(?<!%b\x00)(?:%b)(?![A-Za-z0-9-]\x00|\.\x00[A-Za-z0-9])" % (_BEFORE.encode(), any_of)
    return rb"(?<!\x00%b)(?:%b)(?!\x00[A-Za-z0-9-]|\x00\.\x00[A-Za-z0-9])" % (_BEFORE.encode(), any_of)


class FileAction(WordedEnum):
    """What is done with a file that names an erased person."""

    delete = ("delete", gettext_noop("is deleted"))
    """Delete it: it is about this person alone, such as a message or an export of their data."""

    shorten = ("shorten", gettext_noop("loses the rows about them"))
    """Remove their rows; the other rows stay byte for byte."""

    mask = ("mask", gettext_noop("has their address masked"))
    """Overwrite their address in place, so that a program writing to the file can go on."""

    leave = ("leave", gettext_noop("has to be edited by you"))
    """Leave it for a person to edit: it is not the program's to rewrite."""


@dataclass(frozen=True, kw_only=True)
class FileMatch:
    """A file that names the person, and what is done with it; ``reason`` says why."""

    path: Path
    action: FileAction
    reason: str


def scan_files(
    workspace: Workspace, matcher: AddressMatcher, *, excluding: frozenset[Path]
) -> list[FileMatch]:
    """Find every file whose content or name contains the address, except those in ``excluding``."""
    logs = _find_logs(workspace)
    mailboxes = _find_mailboxes(workspace)
    found: list[FileMatch] = []
    for path in _walk((workspace.root, *mailboxes, *logs), excluding):
        if (match := _match_file(path, workspace, matcher, logs)) is not None:
            found.append(match)
    return [*found, *_find_preview_pages(found)]


def clean_file(match: FileMatch, matcher: AddressMatcher) -> None:
    """Do with a file what its match says. Doing it again changes nothing. Raise OSError if the file cannot be
    written.
    """
    _ACTIONS[match.action](match.path, matcher)


def _walk(places: tuple[Path, ...], excluding: frozenset[Path]) -> Iterator[Path]:
    seen = set(excluding)
    for place in places:
        paths = [place] if place.is_file() else _list_files(place)
        for path in paths:
            if path not in seen and path.is_file() and not path.is_symlink():
                seen.add(path)
                yield path


def _list_files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in sorted(names))


def _find_logs(workspace: Workspace) -> tuple[Path, ...]:
    if workspace.settings.log.file is None:
        return ()
    log = (workspace.root / workspace.settings.log.file).resolve()
    return tuple(sorted(log.parent.glob(f"{log.name}*"))) if log.parent.is_dir() else ()


def _find_mailboxes(workspace: Workspace) -> tuple[Path, ...]:
    """Return the Maildirs used for rehearsals, and the one for what comes back, wherever they are."""
    smtp, feedback = workspace.settings.smtp, workspace.settings.feedback
    urls = [urlsplit(url) for url in (smtp.url, *(relay.url for relay in smtp.relays))]
    paths = [Path(url.path) for url in urls if url.scheme == "maildir"]
    if feedback.maildir is not None:
        paths.append(feedback.maildir)
    return tuple((workspace.root / path).resolve() for path in paths)


def _match_file(
    path: Path, workspace: Workspace, matcher: AddressMatcher, logs: tuple[Path, ...]
) -> FileMatch | None:
    def match(action: FileAction, reason: str) -> FileMatch:
        return FileMatch(path=path, action=action, reason=reason)

    try:
        suffix = path.suffix.lower()
        if path.parent == workspace.uploads:
            # Of any format, so it is not known how to take one row out.
            is_archive = zipfile.is_zipfile(path)
            if not (_is_in_archive if is_archive else file_contains)(path, matcher.bytes_pattern):
                return None
            return match(FileAction.delete, "a file that waits to be imported names them")
        if suffix in _ARCHIVE_SUFFIXES or suffix == ".gz":
            if not _is_in_archive(path, matcher.bytes_pattern):
                return None
            return match(FileAction.leave, "an archive that names them: delete it or create it again")
        if path in logs:
            return match(FileAction.mask, "the log names them") if _is_in_log(path, matcher) else None
        if not (matcher.text_pattern.search(path.name) or file_contains(path, matcher.bytes_pattern)):
            return None
        return match(*_choose_action(path, suffix, workspace, matcher))
    except _UNREADABLE as error:
        return match(FileAction.leave, f"cannot be read ({error})")


def _choose_action(
    path: Path, suffix: str, workspace: Workspace, matcher: AddressMatcher
) -> tuple[FileAction, str]:
    if suffix in _MESSAGE_SUFFIXES or path.parent == workspace.outbox or path.parent.name in _MAILDIR_FOLDERS:
        return FileAction.delete, "a message to or about them"
    if suffix in _LIST_SUFFIXES:
        return FileAction.shorten, "a list with a row about them"
    if suffix == ".json" and _is_data_export(path, matcher):
        return FileAction.delete, "an export of their data"
    if path.parent == workspace.acts:
        return FileAction.mask, "an interrupted act that names them"
    if path.is_relative_to(workspace.editions):
        return FileAction.leave, "an edition names them: edit it if the name must go"
    if path.is_relative_to(workspace.corrections):
        return FileAction.leave, "the note of a correction names them: edit it if the name must go"
    with path.open("rb") as file:
        if file.read(len(_SQLITE_HEADER)) == _SQLITE_HEADER:
            return FileAction.leave, "a copy of the database: delete it, or erase them there too"
    return FileAction.leave, "not written by this program: edit or delete it"


def _is_in_archive(path: Path, pattern: re.Pattern[bytes]) -> bool:
    if path.suffix.lower() == ".gz":
        with gzip.open(path) as unpacked:
            return _stream_contains(unpacked, pattern)  # type: ignore[arg-type]
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                if _stream_contains(member, pattern):  # type: ignore[arg-type]
                    return True
    return False


def _is_data_export(path: Path, matcher: AddressMatcher) -> bool:
    """Return whether the file is their data as `mailer subscribers data` writes it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    person = document.get("subscriber") if isinstance(document, dict) else None
    email = person.get("email") if isinstance(person, dict) else None
    return isinstance(email, str) and matcher.text_pattern.fullmatch(email) is not None


def _find_preview_pages(found: list[FileMatch]) -> Iterator[FileMatch]:
    """Find the page beside each message written for preview: it names the reader, but not their address."""
    known = {match.path for match in found}
    for match in found:
        page = match.path.with_suffix(".html")
        if match.action is FileAction.delete and page not in known and page.is_file():
            yield FileMatch(path=page, action=FileAction.delete, reason="the preview page of that message")


def _remove_rows(path: Path, matcher: AddressMatcher) -> None:
    """Rewrite the list without their rows, atomically and with the same permissions."""
    mode = path.stat().st_mode & 0o777
    with path.open("rb") as file, atomic_file(path, mode=mode) as written:
        for row in _split_rows(file.read()):
            if not matcher.bytes_pattern.search(row):
                written.write(row)


def _split_rows(content: bytes) -> Iterator[bytes]:
    """Yield the rows of a list with their line ends; a quoted cell may contain line ends too."""
    end, quote = b"\n", b'"'
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        order = "utf-16-le" if content.startswith(b"\xff\xfe") else "utf-16-be"
        end, quote = "\n".encode(order), '"'.encode(order)
    row, start = b"", 0
    while start < len(content):
        place = _find_aligned(content, end, start)
        stop = len(content) if place < 0 else place + len(end)
        row += content[start:stop]
        start = stop
        if row.count(quote) % 2 == 0:
            yield row
            row = b""
    if row:
        yield row


def _find_aligned(content: bytes, end: bytes, start: int) -> int:
    """Find the next ``end`` that is a whole character: in UTF-16, two others can contain the same bytes."""
    place = content.find(end, start)
    while place >= 0 and place % len(end):
        place = content.find(end, place + 1)
    return place


def _is_in_log(path: Path, matcher: AddressMatcher) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(True for _ in matcher.find_in_log(content))


def _mask(path: Path, matcher: AddressMatcher) -> None:
    """Overwrite in place, keeping the length, so that a program appending to the file is not disturbed."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        for start, end in list(matcher.find_in_log(content)):
            content[start:end] = b"x" * (end - start)
        content.flush()


_ACTIONS: dict[FileAction, Callable[[Path, AddressMatcher], None]] = {
    FileAction.delete: lambda path, _: path.unlink(missing_ok=True),
    FileAction.shorten: _remove_rows,
    FileAction.mask: _mask,
    FileAction.leave: lambda _, __: None,
}
