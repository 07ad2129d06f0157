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

from mailer.privacy.address_matcher import Likeness
from mailer.workspace import Workspace

_MESSAGES = frozenset({".eml"})
_LISTS = frozenset({".csv", ".tsv"})
_PACKED = frozenset({".xlsx", ".zip", ".docx"})
_MAILDIR = frozenset({"new", "cur", "tmp"})
_SQLITE = b"SQLite format 3\x00"


class Treatment(StrEnum):
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
class Trace:
    """A file that names somebody. ``reason`` says why it is treated so."""

    path: Path
    treatment: Treatment
    reason: str


def find_traces(workspace: Workspace, likeness: Likeness, *, but: frozenset[Path]) -> list[Trace]:
    """Every file in reach in which the address stands, or in whose name it does. ``but`` are not looked at.

    Nothing is changed.
    """
    logs = _find_logs(workspace)
    mailboxes = _find_mailboxes(workspace)
    found: list[Trace] = []
    for path in _walk((workspace.root, *mailboxes, *logs), but):
        if (trace := _judge(path, workspace, likeness, logs)) is not None:
            found.append(trace)
    return [*found, *_find_pages(found)]


def remove_trace(trace: Trace, likeness: Likeness) -> None:
    """Treat a file as its trace says. Doing it again changes nothing.

    Raises:
        OSError: it cannot be written.
    """
    _TREATMENTS[trace.treatment](trace.path, likeness)


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


def _judge(path: Path, workspace: Workspace, likeness: Likeness, logs: tuple[Path, ...]) -> Trace | None:
    def trace(treatment: Treatment, reason: str) -> Trace:
        return Trace(path=path, treatment=treatment, reason=reason)

    try:
        suffix = path.suffix.lower()
        if suffix in _PACKED or suffix == ".gz":
            if not _is_packed_in(path, likeness):
                return None
            return trace(Treatment.leave, "a packed file that names them: delete it, or make it anew")
        if path in logs:
            return trace(Treatment.mask, "the log tells of them") if _is_in_log(path, likeness) else None
        if not (likeness.in_words.search(path.name) or likeness.is_in(path)):
            return None
        return trace(*_choose(path, suffix, workspace, likeness))
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        return trace(Treatment.leave, f"it cannot be looked into ({error})")


def _choose(path: Path, suffix: str, workspace: Workspace, likeness: Likeness) -> tuple[Treatment, str]:
    if suffix in _MESSAGES or path.parent == workspace.outbox or path.parent.name in _MAILDIR:
        return Treatment.delete, "a message to them"
    if suffix in _LISTS:
        return Treatment.shorten, "a list with a row of theirs"
    if suffix == ".json" and _is_their_data(path, likeness):
        return Treatment.delete, "an export of their data"
    if path.is_relative_to(workspace.editions):
        return Treatment.leave, "an edition names them: that is what it says, so edit it if it must go"
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            return Treatment.leave, "a copy of the database: delete it, or erase them there too"
    return Treatment.leave, "not a file the program writes: edit or delete it"


def _is_packed_in(path: Path, likeness: Likeness) -> bool:
    if path.suffix.lower() == ".gz":
        with gzip.open(path) as unpacked:
            return likeness.is_in_stream(unpacked)  # type: ignore[arg-type]
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                if likeness.is_in_stream(member):  # type: ignore[arg-type]
                    return True
    return False


def _is_their_data(path: Path, likeness: Likeness) -> bool:
    """Whether it is what `mailer subscribers data` writes, about them."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    person = document.get("subscriber") if isinstance(document, dict) else None
    email = person.get("email") if isinstance(person, dict) else None
    return isinstance(email, str) and likeness.in_words.fullmatch(email) is not None


def _find_pages(found: list[Trace]) -> Iterator[Trace]:
    """A message written for preview has a page beside it, which greets its reader without their address."""
    known = {trace.path for trace in found}
    for trace in found:
        page = trace.path.with_suffix(".html")
        if trace.treatment is Treatment.delete and page not in known and page.is_file():
            yield Trace(path=page, treatment=Treatment.delete, reason="the page of that message")


def _delete(path: Path, _: Likeness) -> None:
    path.unlink(missing_ok=True)


def _shorten(path: Path, likeness: Likeness) -> None:
    """Write the list anew without their rows, whole or not at all, as readable as it was."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as written, path.open("rb") as file:
            for row in _split_rows(file.read()):
                if not likeness.in_bytes.search(row):
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


def _is_in_log(path: Path, likeness: Likeness) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(True for _ in likeness.find_in_lines(content))


def _mask(path: Path, likeness: Likeness) -> None:
    """Overwrite in place and in the same length: a program that appends to the file goes on undisturbed."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        for start, end in list(likeness.find_in_lines(content)):
            content[start:end] = b"x" * (end - start)
        content.flush()


def _leave(_: Path, __: Likeness) -> None:
    """Nothing is done."""


_TREATMENTS: dict[Treatment, Callable[[Path, Likeness], None]] = {
    Treatment.delete: _delete,
    Treatment.shorten: _shorten,
    Treatment.mask: _mask,
    Treatment.leave: _leave,
}
