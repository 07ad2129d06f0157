"""Reading and importing uploaded files: once or not at all, whoever is killed, stopped or clicks twice."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.database.engine import open_session
from mailer.database.import_models import ImportFileState, ImportHitch
from mailer.database.team_models import ActivityRecord
from mailer.list_imports.checked_file import ImportChoices
from mailer.list_imports.import_files import (
    NotWaitingError,
    OutdatedVersionError,
    UploadWriter,
    ask_for_check,
    ask_for_import,
    discard_import_file,
    lock_upload,
)
from mailer.list_imports.runner import FILE_GONE, KEPT, delete_what_is_past
from mailer.privacy.erasure import erase_person
from mailer.workspace import Workspace
from subscribers.consent.status_changes import unsubscribe
from subscribers.models import ConsentRecord, ImportBatch, Subscriber
from tests.list_imports.waiting_file import HEADER, MOST, WaitingFile, make_list
from tests.paths import ROOT
from tests.servers.process import wait_until
from tests.web.site import opened_engine

PEOPLE = 12_000
TEXT = (
    HEADER
    + "ann@example.org,Ann,Institute,MN,education,,\n"
    + "bob@example.org,Bob,,,Narnia,,\n"
    + "kim@example.org,Kim,,CN,,,\n"
)


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    with opened_engine(workspace) as engine:
        yield engine


@pytest.fixture
def file(workspace: Workspace, engine: Engine, now: datetime) -> WaitingFile:
    return WaitingFile(workspace, engine, now, TEXT)


@pytest.fixture
def either_file(either_workspace: Workspace, now: datetime) -> Iterator[WaitingFile]:
    """A file in SQLite, and again in PostgreSQL."""
    with opened_engine(either_workspace) as engine:
        yield WaitingFile(either_workspace, engine, now, TEXT)


def acts(engine: Engine) -> list[tuple[str, str]]:
    with Session(engine) as session:
        return [(one.act, one.subject) for one in session.exec(select(ActivityRecord))]


def test_a_dry_run_changes_nothing_and_the_import_does_what_it_said(file: WaitingFile) -> None:
    report = file.check().report
    assert report is not None
    assert (report.added, [row.row for row in report.refused]) == (2, [3])
    assert file.count() == (0, 0)
    file.ask("signed up at the forum")
    file.make_runner().work()
    known = file.row()
    assert (known.state, file.count()) == (ImportFileState.imported, (2, 1))
    with Session(file.engine) as session:
        batch = session.exec(select(ImportBatch)).one()
        assert (batch.id, batch.source, batch.basis) == (
            known.import_id,
            "list.csv",
            "signed up at the forum",
        )
        assert {one.basis for one in session.exec(select(ConsentRecord))} == {"signed up at the forum"}
    assert acts(file.engine) == [(Act.imported_subscribers, "list.csv")]
    assert not any(file.workspace.uploads.iterdir())


def test_two_clicks_and_two_programs_import_once(either_file: WaitingFile) -> None:
    either_file.check()
    version = either_file.row().version
    either_file.ask()
    with pytest.raises(NotWaitingError):
        either_file.ask()
    runners = [either_file.make_runner() for _ in range(4)]
    threads = [threading.Thread(target=runner.work) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert either_file.count() == (2, 1)
    assert len(acts(either_file.engine)) == 1
    assert either_file.row().version != version


def test_a_list_that_changed_in_between_is_shown_anew_and_nothing_is_imported(
    either_file: WaitingFile,
) -> None:
    either_file.check()
    now = either_file.now
    with Session(either_file.engine) as session:
        session.add(
            Subscriber(
                email="ann@example.org",
                envelope="ann@example.org",
                name="Ann",
                created_at=now,
                updated_at=now,
            )
        )
        session.commit()
    either_file.ask()
    either_file.make_runner().work()
    known, report = either_file.row(), either_file.checked().report
    assert (known.state, known.hitch) == (ImportFileState.checked, ImportHitch.changed)
    assert report is not None
    assert (report.added, report.updated) == (1, 1)
    assert either_file.count() == (1, 0)
    either_file.ask()
    either_file.make_runner().work()
    assert either_file.count() == (2, 1)


def test_whoever_left_since_the_dry_run_stays_away(file: WaitingFile) -> None:
    file.check()
    file.ask()
    file.make_runner().work()
    with Session(file.engine) as session:
        ann = session.exec(select(Subscriber).where(Subscriber.email == "ann@example.org")).one()
        unsubscribe(session, ann.id or 0, method="page", now=file.now)
        session.commit()
    again = file.add(TEXT, "again.csv")
    report = again.check().report
    assert report is not None
    assert (report.suppressed, report.unchanged) == (1, 1)
    assert not report.changes_list or report.added == 0


def test_what_another_has_seen_is_not_imported(file: WaitingFile) -> None:
    file.check()
    with Session(file.engine) as session, pytest.raises(OutdatedVersionError):
        ask_for_import(session, file.number, version="0" * 64, member_id=file.member, basis="")


def test_a_killed_program_has_imported_all_or_nothing_and_the_file_says_which(
    either_file: WaitingFile,
) -> None:
    file = either_file.add(make_list(PEOPLE), "many.csv")
    file.check()
    file.ask()
    script = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from mailer.workspace import open_workspace\n"
        "from mailer.list_imports.runner import ImportRunner\n"
        "w = open_workspace(Path(sys.argv[1]), environ={'MAILER_DATABASE__URL': sys.argv[2]})\n"
        "ImportRunner(w, w.open_database(), clock=lambda: datetime.now(UTC)).work()\n"
    )
    workspace = file.workspace
    with subprocess.Popen(
        [sys.executable, "-c", script, str(workspace.root), workspace.settings.database.url],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as program:
        wait_until(
            lambda: file.row().began_at is not None or program.poll() is not None, what="the import to begin"
        )
        program.send_signal(signal.SIGKILL)
        program.wait()
    people = file.count()
    file.make_runner().work()
    known = file.row()
    if known.state == ImportFileState.imported:
        assert (people, file.count()) == ((PEOPLE, 1), (PEOPLE, 1))
        return
    assert (known.hitch, people, file.count()) == (ImportHitch.interrupted, (0, 0), (0, 0))
    file.ask()
    file.make_runner().work()
    assert file.count() == (PEOPLE, 1)


def test_a_program_that_is_stopped_leaves_the_work_to_the_next(
    file: WaitingFile,
) -> None:
    file = file.add(make_list(PEOPLE), "many.csv")
    file.check()
    file.ask()
    runner = file.make_runner()
    runner.start()
    wait_until(
        lambda: file.row().began_at is not None or file.row().state == ImportFileState.imported,
        what="the import to begin",
    )
    runner.close()
    assert file.row().state in {ImportFileState.importing, ImportFileState.imported}
    assert file.row().began_at is None or file.row().state == ImportFileState.imported
    file.make_runner().work()
    assert (file.row().state, file.count()) == (ImportFileState.imported, (PEOPLE, 1))


def test_a_file_that_somebody_works_on_is_left_alone(file: WaitingFile) -> None:
    with lock_upload(file.workspace.uploads / file.row().stored_as) as is_ours:
        assert is_ours
        file.make_runner().work()
        assert file.row().state == ImportFileState.checking
    file.check()
    assert file.row().state == ImportFileState.checked


def test_a_file_that_is_gone_says_so(file: WaitingFile) -> None:
    (file.workspace.uploads / file.row().stored_as).unlink()
    assert file.check().fault == FILE_GONE


def test_files_are_kept_for_their_owner_alone_and_for_a_week(file: WaitingFile) -> None:
    path = file.workspace.uploads / file.row().stored_as
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    file.check()
    delete_what_is_past(file.workspace, file.engine, now=file.now + KEPT)
    assert path.exists()
    delete_what_is_past(file.workspace, file.engine, now=file.now + KEPT + timedelta(seconds=1))
    assert not path.exists()
    row = file.row()
    assert (row.state, row.result, row.stored_as) == (ImportFileState.discarded, None, "")


def test_what_a_killed_upload_left_is_deleted_and_nothing_else(file: WaitingFile) -> None:
    stray = UploadWriter(file.workspace, most=MOST)
    stray.write(b"half")
    kept = file.workspace.uploads / file.row().stored_as
    (unfinished,) = file.workspace.uploads.glob("*.part")
    old = (file.now - timedelta(days=2)).timestamp()
    for path in (unfinished, kept):
        os.utime(path, (old, old))
    delete_what_is_past(file.workspace, file.engine, now=file.now)
    assert (unfinished.exists(), kept.exists()) == (False, True)
    stray.discard()


def test_a_week_after_an_import_nobody_is_named_in_what_is_left_of_it(file: WaitingFile) -> None:
    file.check()
    file.ask()
    file.make_runner().work()
    for days in (8, 9):
        delete_what_is_past(file.workspace, file.engine, now=file.now + timedelta(days=days))
    result = file.row().result or ""
    assert "Narnia" not in result
    assert "example.org" not in result
    report = file.checked().report
    assert report is not None
    assert report.added == 2


def test_erasing_a_person_deletes_the_file_and_what_was_found_about_them(file: WaitingFile) -> None:
    with Session(file.engine) as session:
        session.add(
            Subscriber(
                email="ann@example.org", envelope="ann@example.org", created_at=file.now, updated_at=file.now
            )
        )
        session.commit()
    file.check()
    assert "ann@example.org" in (file.row().result or "")
    erase_person(file.workspace, file.engine, "ann@example.org", method="command line", now=file.now)
    assert not any(file.workspace.uploads.iterdir())
    assert "ann@example.org" not in (file.row().result or "")
    assert file.checked().report is not None


def test_discarding_deletes_what_was_found_and_cannot_be_undone_by_a_late_click(file: WaitingFile) -> None:
    file.check()
    version = file.row().version
    with Session(file.engine) as session:
        stored_as = discard_import_file(session, file.number, now=file.now)
        session.commit()
    assert stored_as
    assert file.row().result is None
    assert version
    with open_session(file.engine) as session, pytest.raises(NotWaitingError):
        ask_for_check(session, file.number, ImportChoices())


def test_a_fault_of_the_file_waits_for_a_person_with_its_reason(file: WaitingFile) -> None:
    notes = file.add("no address anywhere\n1\n", "notes.csv")
    checked = notes.check()
    assert (notes.row().state, checked.report) == (ImportFileState.checked, None)
    assert checked.doubts or checked.fault
