"""The context every command receives, and options of a command as one value."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlmodel import Session

    from mailer.workspace import Workspace


@dataclass(frozen=True)
class CliContext:
    """The workspace folder given by ``-C`` or ``MAILER_HOME``."""

    folder: Path

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace, opened when a command first asks for it."""
        from mailer.workspace import open_workspace

        return open_workspace(self.folder)

    def command_line(self, *words: str) -> str:
        """Return the full command line of ``mailer WORDS`` in this workspace, to show to the user."""
        place = [] if self.folder == Path() else ["-C", str(self.folder)]
        return shlex.join(["mailer", *place, *words])

    @contextmanager
    def open_database(self) -> Iterator[Engine]:
        """The workspace's database, checked to have the current schema and closed at the end of the block."""
        from mailer.database.schema import ensure_current

        with self.workspace.use_database() as engine:
            ensure_current(engine)
            yield engine

    @contextmanager
    def read_session(self) -> Iterator[Session]:
        """A read-only session, which never makes a campaign wait."""
        from mailer.database.engine import open_session

        with self.open_database() as engine, open_session(engine, read_only=True) as session:
            yield session

    @contextmanager
    def write_session(self) -> Iterator[Session]:
        """A session that commits when the block ends normally and rolls back otherwise."""
        from mailer.database.engine import open_session

        with self.open_database() as engine, open_session(engine) as session:
            yield session
            session.commit()


pass_context = click.make_pass_decorator(CliContext)
Parameter = Callable[[Callable[..., None]], Callable[..., None]]
"""A decorator that adds an argument or an option to a command."""


def add_parameters(*parameters: Parameter) -> Parameter:
    """Give a command several parameters, in this order."""
    return lambda command: functools.reduce(lambda done, add: add(done), reversed(parameters), command)


def gather_options(values: type[Any], name: str) -> Parameter:
    """Give a command those of its options that the dataclass ``values`` has as one of it, in its parameter
    ``name``."""
    gathered = [field.name for field in fields(values)]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(*args: Any, **given: Any) -> None:
            value = values(**{option: given.pop(option) for option in gathered})
            command(*args, **given, **{name: value})

        return run

    return decorate
