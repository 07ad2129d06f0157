"""Backing up the database: complete, private, and never over another file."""

import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from mailer.database.backup import BackupError, backup
from mailer.database.engine import open_engine
from mailer.database.models import CampaignState
from mailer.database.restore import is_held
from mailer.dispatch.deliveries.ledger import Ledger
from tests.factories.deliveries import START, add_campaign, add_subscribers, read_campaign


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
