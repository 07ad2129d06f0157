"""Databases that are restored to a saved state before each round."""

import contextlib
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import create_engine, make_url, text


class RestorableDatabase(Protocol):
    """The database of a workspace, which can be saved and restored."""

    @property
    def url(self) -> str:
        """Its URL, as in the settings."""
        ...

    def save(self) -> None:
        """Save its current state."""
        ...

    def restore(self) -> None:
        """Restore the saved state."""
        ...


@dataclass(frozen=True)
class SqliteDatabase:
    """A file, with its saved copy next to it."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def _copy(self) -> Path:
        return self.path.with_suffix(".kept")

    def save(self) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(self.path, self._copy)

    def restore(self) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self._copy, self.path)
        # Written to disk before the round begins, so that the round's own flushes do not include the copy.
        with self.path.open("rb") as file:
            os.fsync(file.fileno())


@dataclass(frozen=True)
class PostgresDatabase:
    """A database on the same server as the URL ``server``, and a template of it."""

    server: str
    name: str

    @property
    def url(self) -> str:
        return make_url(self.server).set(database=self.name).render_as_string(hide_password=False)

    def create(self) -> None:
        self._command(f"CREATE DATABASE {self.name}")

    def save(self) -> None:
        self._command(f"CREATE DATABASE {self.name}_kept TEMPLATE {self.name}")

    def restore(self) -> None:
        self._command(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")
        self._command(f"CREATE DATABASE {self.name} TEMPLATE {self.name}_kept")
        self._command("CHECKPOINT")

    def _command(self, command: str) -> None:
        engine = create_engine(make_url(self.server).set(drivername="postgresql+psycopg"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(command))
        engine.dispose()
