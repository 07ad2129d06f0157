"""Backing up the database: complete, private, and never over another file."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from mailer.campaigns.due_launches import start_due_launches
from mailer.database import backup as backup_module
from mailer.database.backup import BackupError, backup, is_held
from mailer.database.engine import open_engine
from mailer.database.launch_models import PendingLaunchState
from mailer.database.models import CampaignState
from mailer.dispatch.ledger import Ledger
from mailer.workspace import Workspace
from tests.factories.deliveries import START, FakeClock, add_campaign, add_subscribers, read_campaign
from tests.factories.pending_launches import add_team_member, ask, make_request, read_pending
from tests.factories.small_edition import add_people, write_edition


def test_a_backup_is_complete_private_and_made_while_others_write(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    add_subscribers(sqlite_engine, ["a@example.org"])
    copy = tmp_path / "copy.db"
    with sqlite_engine.begin() as writer:
        writer.execute(text("UPDATE subscriber SET name = 'half done'"))
        backup(sqlite_engine, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT email, name FROM subscriber").fetchall() == [("a@example.org", "")]
    connection.close()


def test_a_backup_never_overwrites(sqlite_engine: Engine, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    with pytest.raises(BackupError, match="exists and is not overwritten"):
        backup(sqlite_engine, copy)
    assert copy.read_text() == "precious"


def test_a_backup_into_a_folder_that_is_not_there_says_so(sqlite_engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="Cannot write"):
        backup(sqlite_engine, tmp_path / "no" / "copy.db")


def test_postgres_is_backed_up_by_its_own_tool(postgres_database: str, tmp_path: Path) -> None:
    engine = open_engine(postgres_database, root=tmp_path)
    with pytest.raises(BackupError, match="pg_dump"):
        backup(engine, tmp_path / "copy")
    engine.dispose()


KILLED_IN_THE_MIDDLE = """
import os, signal, sqlite3, sys
from pathlib import Path
from mailer.database.backup import backup
from mailer.database.engine import open_engine
from sqlalchemy import event

class Dying(sqlite3.Connection):
    def backup(self, target, **_):
        super().backup(target, pages=1, progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))

engine = open_engine(sys.argv[1], root=Path.cwd())
event.listen(engine, "do_connect", lambda _d, _r, args, options: options.update(factory=Dying))
backup(engine, Path(sys.argv[2]))
"""


def test_a_killed_backup_leaves_nothing_that_passes_for_one_and_the_next_works(
    sqlite_engine: Engine, sqlite_database: str, tmp_path: Path
) -> None:
    add_subscribers(sqlite_engine, ["a@example.org"])
    copy = tmp_path / "copy.db"
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, sqlite_database, str(copy)])
    assert killed.returncode == -9
    assert not copy.exists()
    backup(sqlite_engine, copy)
    assert read_addresses(copy) == ["a@example.org"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")] == ["copy.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def read_addresses(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT email FROM subscriber")]
    finally:
        connection.close()


def test_two_backups_to_one_file_do_not_write_over_each_other(sqlite_engine: Engine, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with backup_module._partial_file(copy), pytest.raises(BackupError, match="Another backup"):
        backup(sqlite_engine, copy)
    backup(sqlite_engine, copy)


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.db"
    make = backup_module._copy

    def make_slowly(engine: Engine, partial: Path) -> None:
        make(engine, partial)
        copy.write_text("precious")

    monkeypatch.setattr(backup_module, "_copy", make_slowly)
    with pytest.raises(BackupError, match="exists and is not overwritten"):
        backup(sqlite_engine, copy)
    assert copy.read_text() == "precious"
    assert not (tmp_path / "copy.db.partial").exists()


def test_a_disk_without_links_takes_a_backup_too(
    sqlite_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    backup(sqlite_engine, tmp_path / "copy.db")
    assert read_addresses(tmp_path / "copy.db") == []


def test_a_database_without_tables_is_no_backup(tmp_path: Path) -> None:
    engine = open_engine("sqlite:///empty.db", root=tmp_path)
    with pytest.raises(BackupError, match="tables are missing"):
        backup(engine, tmp_path / "copy.db")
    engine.dispose()
    assert not (tmp_path / "copy.db").exists()


def test_a_restored_copy_sends_nothing_by_itself_and_says_why(sqlite_engine: Engine, tmp_path: Path) -> None:
    numbers = {
        state: add_campaign(sqlite_engine, [f"{state}@example.org"], state=state, digest="d")
        for state in CampaignState
    }
    approved = add_campaign(
        sqlite_engine, 0, state=CampaignState.scheduled, approved_digest="d", scheduled_at=START
    )
    canary = add_campaign(sqlite_engine, 0, state=CampaignState.paused, canary=5, canary_until=START)
    copy = tmp_path / "copy.db"
    backup(sqlite_engine, copy)
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]
    restored = open_engine(f"sqlite:///{copy}", root=tmp_path)
    before = {state: read_campaign(sqlite_engine, number) for state, number in numbers.items()}
    after = {state: read_campaign(restored, number) for state, number in numbers.items()}
    for state in set(CampaignState) - {CampaignState.sending, CampaignState.scheduled}:
        assert after[state] == before[state]
    assert before[CampaignState.sending].state is CampaignState.sending
    sending, scheduled = after[CampaignState.sending], after[CampaignState.scheduled]
    assert (sending.state, scheduled.state) == (CampaignState.paused, CampaignState.draft)
    assert sending.state_reason.startswith("The database was restored from a backup made on ")
    assert "Compare with the relay's log" in sending.state_reason
    assert (scheduled.scheduled_at, is_held(scheduled.state_reason)) == (None, True)
    assert read_campaign(restored, approved).state is CampaignState.approved
    waits = read_campaign(restored, canary)
    assert (waits.state, waits.canary_until, is_held(waits.state_reason)) == (
        CampaignState.paused,
        None,
        True,
    )
    with contextlib.closing(Ledger(restored, numbers[CampaignState.sending], "us")) as ledger:
        assert ledger.claim(10) == []
    restored.dispose()


def test_a_restored_copy_starts_no_launch_that_waited(workspace: Workspace, tmp_path: Path) -> None:
    write_edition(workspace.editions)
    engine = workspace.open_database()
    add_people(engine)
    pending = ask(engine, make_request(workspace, engine), add_team_member(engine, "Ann Osei"))
    copy = tmp_path / "copy.db"
    backup(engine, copy)
    engine.dispose()
    restored = open_engine(f"sqlite:///{copy}", root=tmp_path)
    given_up = read_pending(restored, pending)
    assert given_up.state is PendingLaunchState.refused
    assert "launch it again" in given_up.reason
    clock = FakeClock(START + timedelta(minutes=1))
    assert start_due_launches(restored, workspace, clock=clock) == []
    restored.dispose()
