"""What a workspace wrote about somebody outside the database, and taking it away.

Everything below the workspace is looked through, and the places its settings name: the log and Maildirs.
Messages are deleted, rows are taken out of lists, lines of the log are masked. What is not ours to rewrite,
such as an edition that names the person, is named.
"""

import gzip
import json
import mmap
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from mailer.privacy.address_matcher import AddressMatcher
from mailer.workspace import Workspace

_MESSAGE_SUFFIXES = frozenset({".eml"})
_LIST_SUFFIXES = frozenset({".csv", ".tsv"})
_ARCHIVE_SUFFIXES = frozenset({".xlsx", ".zip", ".docx"})
_MAILDIR_FOLDERS = frozenset({"new", "cur", "tmp"})
_SQLITE_HEADER = b"SQLite format 3\x00"


class FileAction(StrEnum):
    """What is done about a file that names somebody who is erased."""

    delete = "delete"
    """It is about them alone: a message, an export of their data."""

    shorten = "shorten"
    """Their rows are taken out of it; the others stay as they are, byte by byte."""

    mask = "mask"
    """Their address is overwritten in place, so that whoever writes to it may go on."""

    leave = "leave"
    """It is not the program's to rewrite; a person has to."""


@dataclass(frozen=True, kw_only=True)
class FileMatch:
    """A file that names somebody. ``reason`` says why it is treated so."""

    path: Path
    action: FileAction
    reason: str


def scan_files(
    workspace: Workspace, likeness: AddressMatcher, *, excluding: frozenset[Path]
) -> list[FileMatch]:
    """Every file in reach in which the address stands, or in whose name it does. ``but`` are not looked at.

    Nothing is changed.
    """
    logs = _find_logs(workspace)
    mailboxes = _find_mailboxes(workspace)
    found: list[FileMatch] = []
    for path in _walk((workspace.root, *mailboxes, *logs), excluding):
        if (trace := _match_file(path, workspace, likeness, logs)) is not None:
            found.append(trace)
    return [*found, *_find_preview_pages(found)]


def clean_file(trace: FileMatch, likeness: AddressMatcher) -> None:
    """Treat a file as its trace says. Doing it again changes nothing.

    Raises:
        OSError: it cannot be written.
    """
    _ACTIONS[trace.action](trace.path, likeness)


def _walk(places: tuple[Path, ...], but: frozenset[Path]) -> Iterator[Path]:
    seen = set(but)
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
    """The log and what a rotation has put beside it."""
    if workspace.settings.log.file is None:
        return ()
    log = (workspace.root / workspace.settings.log.file).resolve()
    return tuple(sorted(log.parent.glob(f"{log.name}*"))) if log.parent.is_dir() else ()


def _find_mailboxes(workspace: Workspace) -> tuple[Path, ...]:
    """The Maildirs that messages were rehearsed into, wherever they are."""
    smtp = workspace.settings.smtp
    urls = [urlsplit(url) for url in (smtp.url, *(relay.url for relay in smtp.relays))]
    return tuple((workspace.root / url.path).resolve() for url in urls if url.scheme == "maildir")


def _match_file(
    path: Path, workspace: Workspace, likeness: AddressMatcher, logs: tuple[Path, ...]
) -> FileMatch | None:
    def trace(treatment: FileAction, reason: str) -> FileMatch:
        return FileMatch(path=path, action=treatment, reason=reason)

    try:
        suffix = path.suffix.lower()
        if suffix in _ARCHIVE_SUFFIXES or suffix == ".gz":
            if not _is_in_archive(path, likeness):
                return None
            return trace(FileAction.leave, "a packed file that names them: delete it, or make it anew")
        if path in logs:
            return trace(FileAction.mask, "the log tells of them") if _is_in_log(path, likeness) else None
        if not (likeness.text_pattern.search(path.name) or likeness.is_in_file(path)):
            return None
        return trace(*_choose_action(path, suffix, workspace, likeness))
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        return trace(FileAction.leave, f"it cannot be looked into ({error})")


def _choose_action(
    path: Path, suffix: str, workspace: Workspace, likeness: AddressMatcher
) -> tuple[FileAction, str]:
    if suffix in _MESSAGE_SUFFIXES or path.parent == workspace.outbox or path.parent.name in _MAILDIR_FOLDERS:
        return FileAction.delete, "a message to them"
    if suffix in _LIST_SUFFIXES:
        return FileAction.shorten, "a list with a row of theirs"
    if suffix == ".json" and _is_data_export(path, likeness):
        return FileAction.delete, "an export of their data"
    if path.is_relative_to(workspace.editions):
        return FileAction.leave, "an edition names them: that is what it says, so edit it if it must go"
    with path.open("rb") as file:
        if file.read(len(_SQLITE_HEADER)) == _SQLITE_HEADER:
            return FileAction.leave, "a copy of the database: delete it, or erase them there too"
    return FileAction.leave, "not a file the program writes: edit or delete it"


def _is_in_archive(path: Path, likeness: AddressMatcher) -> bool:
    if path.suffix.lower() == ".gz":
        with gzip.open(path) as unpacked:
            return likeness.is_in_stream(unpacked)  # type: ignore[arg-type]
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                if likeness.is_in_stream(member):  # type: ignore[arg-type]
                    return True
    return False


def _is_data_export(path: Path, likeness: AddressMatcher) -> bool:
    """Whether it is what `mailer subscribers data` writes, about them."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    person = document.get("subscriber") if isinstance(document, dict) else None
    email = person.get("email") if isinstance(person, dict) else None
    return isinstance(email, str) and likeness.text_pattern.fullmatch(email) is not None


def _find_preview_pages(found: list[FileMatch]) -> Iterator[FileMatch]:
    """A message written for preview has a page beside it, which greets its reader without their address."""
    known = {trace.path for trace in found}
    for trace in found:
        page = trace.path.with_suffix(".html")
        if trace.action is FileAction.delete and page not in known and page.is_file():
            yield FileMatch(path=page, action=FileAction.delete, reason="the page of that message")


def _delete(path: Path, _: AddressMatcher) -> None:
    path.unlink(missing_ok=True)


def _remove_rows(path: Path, likeness: AddressMatcher) -> None:
    """Write the list anew without their rows, whole or not at all, as readable as it was."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as written, path.open("rb") as file:
            for row in _split_rows(file.read()):
                if not likeness.bytes_pattern.search(row):
                    written.write(row)
            written.flush()
            os.fsync(written.fileno())
        draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _split_rows(content: bytes) -> Iterator[bytes]:
    """The rows of a list, with their line ends; a cell in quotation marks may hold some of its own."""
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
    """The next ``end`` that lies between characters: U+0A00 has the same bytes as a line end's two halves."""
    place = content.find(end, start)
    while place >= 0 and place % len(end):
        place = content.find(end, place + 1)
    return place


def _is_in_log(path: Path, likeness: AddressMatcher) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(True for _ in likeness.find_in_log(content))


def _mask(path: Path, likeness: AddressMatcher) -> None:
    """Overwrite in place and in the same length: a program that appends to the file goes on undisturbed."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        for start, end in list(likeness.find_in_log(content)):
            content[start:end] = b"x" * (end - start)
        content.flush()


def _leave(_: Path, __: AddressMatcher) -> None:
    """Nothing is done."""


_ACTIONS: dict[FileAction, Callable[[Path, AddressMatcher], None]] = {
    FileAction.delete: _delete,
    FileAction.shorten: _remove_rows,
    FileAction.mask: _mask,
    FileAction.leave: _leave,
}
