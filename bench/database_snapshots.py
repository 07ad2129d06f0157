"""Databases that are put back to where they were before each round."""

import contextlib
import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import create_engine, make_url, text


class RestorableDatabase(Protocol):
    """The database of a workspace."""

    @property
    def url(self) -> str:
        """Its address, as settings have it."""
        ...

    def save(self) -> None:
        """Remember how it is now."""
        ...

    def restore(self) -> None:
        """Make it as it was kept."""
        ...


@dataclass(frozen=True)
class SqliteDatabase:
    """A file, and a copy of it beside it."""

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
        # On disk before the round begins: the round's own flushes must not have to write the copy too.
        with self.path.open("rb") as file:
            os.fsync(file.fileno())


@dataclass(frozen=True)
class PostgresDatabase:
    """A database on the server of ``server`` (the address of another one), and a template of it."""

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
