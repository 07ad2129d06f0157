"""What is about to be saved, noted beside the edition, so that a kill leaves no doubt who wrote a file.

A file and its entry in the history cannot change at one moment. So before the file, a note says who is about
to give it which text. If the file has that text and the history still ends where it did then, whoever saved
was killed in between, and the entry is written later. The note of one save replaces that of the last, so it
costs neither a wait for the disk nor a clean-up.
"""

import json
import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine
from sqlmodel import Session

from mailer.database.edition_models import RevisionKind
from mailer.database.engine import open_session
from mailer.errors import ConfigurationError
from mailer.revisions.edition_file import EditionFile, EditionFileError, read_edition_file
from mailer.revisions.edition_lock import find_lock_file, find_lock_folder, lock_edition
from mailer.revisions.revision_log import LatestRevision, find_latest, record_sitting
from mailer.team.members import find_member
from mailer.workspace import Workspace

_SUFFIX = ".save"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PendingSave:
    """A save that is about to replace the file ``name`` by the text with ``digest``.

    ``latest`` are the number and the digest of the history's latest entry about it before, 0 and "" if there
    is none. The others are as :func:`~mailer.revisions.revision_log.record_sitting` has them.
    """

    edition: str
    name: str
    digest: str
    latest: tuple[int, str]
    member_id: int
    sitting: str
    sequence: int
    kind: RevisionKind
    at: datetime

    def write(self) -> bytes:
        return json.dumps({**asdict(self), "at": self.at.isoformat()}).encode()

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Raises ValueError, KeyError or TypeError if this is no note of this program."""
        values: dict[str, Any] = json.loads(data)
        number, digest = values["latest"]
        return cls(
            **{
                **values,
                "latest": (int(number), str(digest)),
                "kind": RevisionKind(values["kind"]),
                "at": datetime.fromisoformat(values["at"]),
            }
        )


def identify_latest(latest: LatestRevision | None) -> tuple[int, str]:
    """What tells one state of the history of a text from another."""
    return (0, "") if latest is None else (latest.file.id or 0, latest.file.digest)


def note_pending_save(workspace: Workspace, pending: PendingSave) -> None:
    """Note a save before it begins. The caller holds the lock of the edition. A note that cannot be written
    holds nobody up."""
    try:
        _find_note(workspace, pending.edition).write_bytes(pending.write())
    except OSError as error:
        _log.warning("What is about to be saved could not be noted: %s", error)


def record_pending_save(workspace: Workspace, session: Session, edition: str) -> bool:
    """Enter a save that was interrupted after it had replaced its file; return whether there was one. The
    caller commits, and holds the lock of the edition."""
    pending = _read_note(_find_note(workspace, edition))
    if pending is None or pending.edition != edition:
        return False
    file = _find_interrupted(workspace, session, pending)
    member = find_member(session, pending.member_id)
    if file is None or member is None:
        return False
    record_sitting(
        session,
        edition,
        file,
        member=member,
        sitting=pending.sitting,
        sequence=pending.sequence,
        now=pending.at,
        kind=pending.kind,
    )
    return True


def record_pending_saves(workspace: Workspace, engine: Engine) -> int:
    """Enter, when Studio starts, what was interrupted in any edition; return how many."""
    count = 0
    for path in sorted(find_lock_folder(workspace).glob(f"*{_SUFFIX}")):
        pending = _read_note(path)
        if pending is None or not _is_interrupted(workspace, engine, pending):
            continue
        with open_session(engine) as session:
            with lock_edition(workspace, session, pending.edition):
                count += record_pending_save(workspace, session, pending.edition)
            session.commit()
    return count


def _is_interrupted(workspace: Workspace, engine: Engine, pending: PendingSave) -> bool:
    """Whether it seems so: nobody is kept waiting for that."""
    with open_session(engine, read_only=True) as session:
        return _find_interrupted(workspace, session, pending) is not None


def _find_interrupted(workspace: Workspace, session: Session, pending: PendingSave) -> EditionFile | None:
    """The file that a save has replaced without an entry; None if it never came to it, or has its entry."""
    try:
        file = read_edition_file(workspace.edition_folder(pending.edition), pending.name)
    except (ConfigurationError, EditionFileError):
        return None
    latest = identify_latest(find_latest(session, pending.edition, file.place))
    return file if file.digest == pending.digest and latest == pending.latest else None


def _find_note(workspace: Workspace, edition: str) -> Path:
    return find_lock_file(workspace, edition).with_suffix(_SUFFIX)


def _read_note(path: Path) -> PendingSave | None:
    try:
        return PendingSave.read(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        # Its program was killed while it wrote it, before the file.
        return None
