"""The thread that reads and imports the uploaded files, one after the other, and deletes old ones.

What is wanted stands in the database, so nothing is forgotten when a program ends. An import is one
transaction together with the row that says so: a program killed in the middle has imported nothing. Whoever
works on a file holds the system's lock on it, which ends with the process; a file that somebody began and
nobody holds was interrupted, and waits for a person, since a file that brings a program down must not do so
again by itself.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from mailer.activity import deeds
from mailer.activity.record import Actor, record_activity
from mailer.background import RepeatedWork
from mailer.database.engine import open_session
from mailer.database.import_models import WORKING, ImportFile, ImportFileState, ImportHitch
from mailer.database.team_models import TeamMember
from mailer.list_imports.checked_file import CheckedFile, check_file, read_checked_file, read_choices
from mailer.list_imports.import_files import (
    delete_strays,
    delete_upload,
    forget_row,
    lock_upload,
)
from mailer.workspace import Workspace
from subscribers.errors import ImportFileError
from subscribers.imports.import_report import ImportReport
from subscribers.imports.importer import import_file

KEPT = timedelta(days=7)
"""How long a file waits, and how long the list of refused rows can be seen after an import."""

_UNFINISHED_FOR = timedelta(days=1)
_POLL_SECONDS = 5.0
"""How soon a file is taken up that another program has left; one's own wakes the thread."""
_CLEANUP = timedelta(minutes=10)
FILE_GONE = "The file is not on this machine any more. Choose it again."
_log = logging.getLogger(__name__)


def delete_what_is_past(workspace: Workspace, engine: Engine, *, now: datetime) -> None:
    """Delete what is past its time, and the files that a killed program left."""
    _discard_old_files(workspace, engine, now)
    _forget_people(engine, now)
    with open_session(engine, read_only=True) as session:
        known = session.exec(select(ImportFile.stored_as).where(ImportFile.stored_as != "")).all()
        settled = session.exec(
            select(ImportFile.stored_as).where(
                ImportFile.stored_as != "", ImportFile.state == ImportFileState.imported
            )
        ).all()
    for stored_as in settled:
        delete_upload(workspace, stored_as)
    delete_strays(workspace, frozenset(known), before=now - _UNFINISHED_FOR)


def _discard_old_files(workspace: Workspace, engine: Engine, now: datetime) -> None:
    with open_session(engine) as session:
        old = session.exec(
            select(ImportFile)
            .where(ImportFile.state == ImportFileState.checked, ImportFile.uploaded_at < now - KEPT)
            .with_for_update()
        ).all()
        stored = [forget_row(row, now=now) for row in old]
        session.commit()
    for stored_as in stored:
        delete_upload(workspace, stored_as)


def _forget_people(engine: Engine, now: datetime) -> None:
    """After an import, its refused rows and first rows name people who may not be on the list."""
    with open_session(engine) as session:
        done = session.exec(
            select(ImportFile)
            .where(
                ImportFile.state == ImportFileState.imported,
                col(ImportFile.ended_at) < now - KEPT,
                ImportFile.version != "",
            )
            .with_for_update()
        ).all()
        for row in done:
            row.result = read_checked_file(row.result).without_people().write_json()
            # An empty version says that this is done.
            row.version = ""
        session.commit()


class _StoppedError(Exception):
    """The program ends; somebody else goes on from the beginning."""


class ImportRunner(RepeatedWork):
    """Reads and imports in a thread of its own, while the pages tell how far it is. What it does when it is
    closed is undone, and done when a program starts again."""

    def __init__(self, workspace: Workspace, engine: Engine, *, clock: Callable[[], datetime]) -> None:
        self._workspace = workspace
        self._engine = engine
        self._clock = clock
        self._turn = threading.Condition()
        self._current: tuple[int, int] = (0, 0)
        self._cleaned_at: datetime | None = None
        super().__init__(
            self.work,
            name="mailer-studio-imports",
            seconds=_POLL_SECONDS,
            trouble="Files that wait to be imported cannot be read at the moment",
            log=_log,
            obstacles=(SQLAlchemyError, OSError),
        )

    def wait_for(self, number: int, seconds: float) -> None:
        """Wait until nobody works on the file with that number, but not longer than ``seconds``."""
        with self._turn:
            self._turn.wait_for(lambda: not self._is_working(number), seconds)

    def count_rows(self, number: int) -> int | None:
        """Return how many rows of a file were read so far; None if this program is not working on it."""
        current, rows = self._current
        return rows if current == number else None

    def _is_working(self, number: int) -> bool:
        with open_session(self._engine, read_only=True) as session:
            state = session.exec(select(ImportFile.state).where(ImportFile.id == number)).first()
        return state in WORKING

    def work(self) -> None:
        """Do everything that is wanted now, and delete what is past its time."""
        now = self._clock()
        if self._cleaned_at is None or not timedelta() <= now - self._cleaned_at < _CLEANUP:
            self._cleaned_at = now
            delete_what_is_past(self._workspace, self._engine, now=now)
        with open_session(self._engine, read_only=True) as session:
            wanted = select(ImportFile.id, ImportFile.stored_as).where(
                col(ImportFile.state).in_(sorted(WORKING))
            )
            found = session.exec(wanted.order_by(col(ImportFile.id))).all()
        for number, stored_as in found:
            if self.stopped.is_set():
                return
            self._take(number or 0, self._workspace.uploads / stored_as)
            with self._turn:
                self._turn.notify_all()

    def _take(self, number: int, path: Path) -> None:
        try:
            with lock_upload(path) as is_ours:
                if is_ours:
                    self._work_on(number, path)
        except FileNotFoundError:
            with self._change(number) as row:
                # If it has begun, another machine may have it, and is at work on it.
                if row.is_being_worked_on and row.began_at is None:
                    _put(row, CheckedFile(fault=FILE_GONE), hitch=None)

    @contextmanager
    def _change(self, number: int) -> Iterator[ImportFile]:
        """Lock the row of a file for the block, at whose end it is committed."""
        with open_session(self._engine) as session:
            yield session.get_one(ImportFile, number, with_for_update=True)
            session.commit()

    def _work_on(self, number: int, path: Path) -> None:
        state = self._begin(number)
        if state is None:
            return
        self._current = (number, 0)
        try:
            if state is ImportFileState.checking:
                self._check(number, path)
            else:
                self._import(number, path)
        except _StoppedError:
            self._leave(number, None)
        except Exception as error:
            _log.warning("File %d could not be imported: %s", number, error, exc_info=True)
            self._leave(number, ImportHitch.failed)
        finally:
            self._current = (0, 0)

    def _begin(self, number: int) -> ImportFileState | None:
        """Note that the work begins, and return what is to be done. A file that was begun before, although
        its lock is ours, was interrupted."""
        with self._change(number) as row:
            if not row.is_being_worked_on:
                return None
            if row.began_at is not None:
                _put_back(row, ImportHitch.interrupted)
                return None
            row.began_at = self._clock()
            return ImportFileState(row.state)

    def _leave(self, number: int, hitch: ImportHitch | None) -> None:
        """Put a file back that was not finished: to be done again, or, with ``hitch``, to wait for a person.
        If not even that can be written, the file counts as interrupted later."""
        with suppress(SQLAlchemyError), self._change(number) as row:
            if row.is_being_worked_on:
                row.began_at = None
                if hitch is not None:
                    _put_back(row, hitch)

    def _check(self, number: int, path: Path, hitch: ImportHitch | None = None) -> None:
        with open_session(self._engine, read_only=True) as session:
            checked = check_file(
                session,
                path,
                read_choices(session.get_one(ImportFile, number).choices),
                sectors=self._workspace.settings.sectors,
                key=self._workspace.keys.suppression,
                now=self._clock(),
                on_progress=self._note_progress,
            )
        with self._change(number) as row:
            _put(row, checked, hitch=hitch)

    def _import(self, number: int, path: Path) -> None:
        """Import the file, unless it would do something else than what the person has seen."""
        now = self._clock()
        with open_session(self._engine) as session:
            row = session.get_one(ImportFile, number, with_for_update=True)
            seen = read_checked_file(row.result)
            choices = read_choices(row.choices)
            try:
                report = import_file(
                    session,
                    path,
                    sectors=self._workspace.settings.sectors,
                    key=self._workspace.keys.suppression,
                    now=now,
                    basis=choices.basis,
                    options=choices,
                    on_progress=self._note_progress,
                )
            except ImportFileError:
                report = None
            if report is not None and replace(report, import_id=None) == seen.report:
                stored_as = row.stored_as
                self._record(session, row, seen, report, now)
                session.commit()
                delete_upload(self._workspace, stored_as)
                with self._change(number) as imported:
                    imported.stored_as = ""
                return
        self._check(number, path, ImportHitch.changed)

    def _record(
        self, session: Session, row: ImportFile, seen: CheckedFile, report: ImportReport, now: datetime
    ) -> None:
        checked = replace(seen, report=report)
        row.state, row.import_id, row.ended_at = ImportFileState.imported, report.import_id, now
        row.result, row.version, row.hitch = checked.write_json(), checked.version, None
        member = session.get_one(TeamMember, row.asked_by or row.member_id)
        deed = deeds.imported_subscribers(row.name, report)
        record_activity(session, Actor(name=member.name, member_id=member.id), deed, now=now)

    def _note_progress(self, rows: int) -> None:
        if self.stopped.is_set():
            raise _StoppedError
        self._current = (self._current[0], rows)


def _put(row: ImportFile, checked: CheckedFile, *, hitch: ImportHitch | None) -> None:
    row.result, row.version = checked.write_json(), checked.version
    _put_back(row, hitch)


def _put_back(row: ImportFile, hitch: ImportHitch | None) -> None:
    """Let a file wait for a person, with what was known of it before."""
    row.state, row.began_at, row.hitch = ImportFileState.checked, None, hitch
