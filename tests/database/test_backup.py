"""Backing up the database: complete, private, and never over another file."""

import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from mailer.database.backup import BackupError, backup
from mailer.database.engine import open_engine
from tests.factories.deliveries import add_subscribers


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
