"""Acts that change files, written to a journal before they begin, so that a kill loses no line of the log.

A file cannot be changed in the transaction that writes the line. So what is about to be done is kept in a
file of its own, ``run/acts/….json``, until that transaction has ended. Whoever does it holds the system's
lock on that file, which ends with the process. What nobody holds was interrupted: if the files have changed,
it was done, and gets its line when Studio starts.

There are two journals beside this one, since each answers another question. This one asks whether any file
has changed, and can wait until Studio starts. That of :class:`~mailer.revisions.edition_save.PendingSave`
asks whose text a file has, and must answer before the next save, under the lock of the edition. That of
:func:`~editions.changes.story_order.finish_moves` says what is still to be renamed; it is part of the
edition's folder, and knows of no log.
"""

import fcntl
import hashlib
import json
import logging
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.activity.deeds import Deed
from mailer.activity.record import ActivityLine, Actor, record_line
from mailer.atomic_write import sync_folder
from mailer.database.engine import open_session
from mailer.database.team_models import ActivityRecord, TeamMember
from mailer.workspace import Workspace

_SUFFIX = ".json"
_MAX_READ_BYTES = 4 * 1024 * 1024
"""Larger files are told apart by their size and time."""

_DRAFT_SECONDS = 3600
_log = logging.getLogger(__name__)


def _write_entry(lines: Sequence[ActivityLine], files: Mapping[str, str]) -> bytes:
    """Return an entry for what is about to be done. ``files`` are the digests of what it changes, as they are
    before, by path. Names of people are left out: they are looked up by number."""
    acts = [
        {
            "act": line.deed.act.value,
            "member": line.actor.member_id,
            "edition": line.deed.edition,
            "subject": line.deed.subject,
            "detail": line.deed.detail,
            "at": line.at.isoformat(),
        }
        for line in lines
    ]
    words = json.dumps({"acts": acts, "files": files}, ensure_ascii=False)
    # A file's name may have bytes that are not UTF-8, which Python keeps as lone surrogates.
    return words.encode("utf-8", "surrogatepass")


def _read_entry(data: bytes) -> tuple[list[ActivityLine], dict[str, str]]:
    values: Any = json.loads(data.decode("utf-8", "surrogatepass"))
    lines = [
        ActivityLine(
            actor=Actor(name="", member_id=act["member"]),
            deed=Deed(
                act=Act(act["act"]),
                edition=act["edition"],
                subject=act["subject"],
                detail=act["detail"],
            ),
            at=datetime.fromisoformat(act["at"]),
        )
        for act in values["acts"]
    ]
    return lines, dict(values["files"])


def _have_changed(root: Path, files: Mapping[str, str]) -> bool:
    return any(_digest(root / path) != digest for path, digest in files.items())


@contextmanager
def announce_acts(
    workspace: Workspace, lines: Sequence[ActivityLine], files: Iterable[Path]
) -> Iterator[None]:
    """Keep ``lines`` in the journal during a block that changes ``files``, or the names in them where they
    are folders, and then commits the lines that are true to the log.

    If the program is killed in the block, or the commit fails, :func:`record_interrupted_acts` writes the
    lines later, provided that one of the files has changed. Without lines, nothing is kept. A journal that
    cannot be written holds nobody up: there are texts in the block that must be saved all the same.
    """
    if not lines:
        yield
        return
    paths = [
        path.relative_to(workspace.root) if path.is_relative_to(workspace.root) else path for path in files
    ]
    before = {str(path): _digest(workspace.root / path) for path in paths}
    with _kept(workspace.acts, _write_entry(lines, before)) as path:
        try:
            yield
        except BaseException:
            if path is not None and not _have_changed(workspace.root, before):
                path.unlink(missing_ok=True)
            raise
        if path is not None:
            path.unlink(missing_ok=True)


def record_interrupted_acts(workspace: Workspace, engine: Engine) -> int:
    """Write the lines of acts that were interrupted after they had changed their files, and return how many.
    Those of programs that are still at it are left alone."""
    count = 0
    for path in sorted(workspace.acts.glob(f"*{_SUFFIX}")):
        with _taken(path) as data:
            if data is None:
                continue
            try:
                lines, files = _read_entry(data)
            except (ValueError, KeyError, TypeError):
                _log.warning("%s cannot be read as an act that was interrupted; it is left there.", path)
                continue
            if _have_changed(workspace.root, files):
                with open_session(engine) as session:
                    count += sum(_record_once(session, line) for line in lines)
                    session.commit()
            path.unlink(missing_ok=True)
    _remove_drafts(workspace.acts)
    return count


def _remove_drafts(folder: Path) -> None:
    """Remove entries of killed programs that never got their names: nothing had begun."""
    oldest = time.time() - _DRAFT_SECONDS
    for draft in folder.glob(".*"):
        if draft.lstat().st_mtime < oldest:
            draft.unlink(missing_ok=True)


def _record_once(session: Session, line: ActivityLine) -> bool:
    """Write a line, unless it was committed before the program was killed; return whether it was not."""
    # Who has left since then did it all the same.
    member = session.get(TeamMember, line.actor.member_id)
    same = select(ActivityRecord.id).where(
        ActivityRecord.at == line.at,
        ActivityRecord.member_id == line.actor.member_id,
        ActivityRecord.act == line.deed.act.value,
    )
    if member is None or session.exec(same).first() is not None:
        return False
    record_line(session, replace(line, actor=Actor(name=member.name, member_id=member.id)))
    return True


@contextmanager
def _kept(folder: Path, entry: bytes) -> Iterator[Path | None]:
    """Keep an entry in a file that this process holds; None if it cannot be written."""
    descriptor, path = -1, None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder / f".{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Before it has its name, so that nobody finds it and it is not held.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            while entry:
                entry = entry[os.write(descriptor, entry) :]
            os.fsync(descriptor)
            path = draft.rename(draft.with_name(f"{draft.name[1:]}{_SUFFIX}"))
            sync_folder(folder)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        _log.warning("What is about to be done could not be written to %s: %s", folder, error)
    try:
        yield path
    finally:
        if descriptor >= 0:
            os.close(descriptor)


@contextmanager
def _taken(path: Path) -> Iterator[bytes | None]:
    """Hold the file of an entry that nobody else holds, and read it; None if somebody does, or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    with os.fdopen(descriptor, "rb") as file:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield file.read() if os.fstat(descriptor).st_nlink else None


def _digest(path: Path) -> str:
    """Return what tells one state of a file from another: "" if there is none. A folder is the names in it,
    of which those that begin with a dot are somebody's drafts; an empty one is none."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            names = sorted(one.name for one in path.iterdir() if not one.name.startswith("."))
            return _hash("\0".join(names).encode("utf-8", "surrogateescape")) if names else ""
        if stat.S_ISREG(status.st_mode) and status.st_size <= _MAX_READ_BYTES:
            return _hash(path.read_bytes())
    except (OSError, ValueError):
        # Among others, a name that no file can have: it is refused in the block.
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
