"""What every command is given: where the workspace is, opened only when a command asks for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlmodel import Session

    from mailer.workspace import Workspace


@dataclass(frozen=True)
class Home:
    """The folder named by ``-C`` or ``MAILER_HOME``."""

    folder: Path

    def open(self) -> Workspace:
        """Open the workspace.

        Raises:
            ConfigurationError: it is none, or its settings are wrong.
        """
        from mailer.workspace import open_workspace

        return open_workspace(self.folder)

    def again(self, *words: str) -> str:
        """The command ``mailer WORDS`` in this workspace, for a person to type."""
        place = [] if self.folder == Path() else ["-C", str(self.folder)]
        return shlex.join(["mailer", *place, *words])

    @contextmanager
    def database(self, workspace: Workspace) -> Iterator[Engine]:
        """The workspace's database, proven to be of this program's schema, closed at the end.

        Raises:
            StaleSchemaError: ``mailer db upgrade`` must run first.
        """
        from mailer.database.migrating import ensure_current

        engine = workspace.open_database()
        try:
            ensure_current(engine)
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def reading(self, workspace: Workspace) -> Iterator[Session]:
        """A session that only looks, and never makes a campaign wait."""
        from mailer.database.engine import session

        with self.database(workspace) as engine, session(engine, read_only=True) as opened:
            yield opened

    @contextmanager
    def writing(self, workspace: Workspace) -> Iterator[Session]:
        """A session whose changes are kept if the block ends well, and none of them otherwise."""
        from mailer.database.engine import session

        with self.database(workspace) as engine, session(engine) as opened:
            yield opened
            opened.commit()


pass_home = click.make_pass_decorator(Home)
