"""The commands of ``mailer db``: upgrade and back up the database."""

from __future__ import annotations

from pathlib import Path

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import say


@click.group()
def db() -> None:
    """Upgrade and back up the database."""


@db.command()
@pass_context
def upgrade(context: CliContext) -> None:
    """Create or update the database tables; does nothing if they are up to date."""
    from mailer.database.schema import upgrade as upgrade_database

    workspace = context.open_workspace()
    with workspace.use_database() as engine:
        upgrade_database(engine)
    say("The database is up to date.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_context
def backup(context: CliContext, file: Path) -> None:
    """Copy the database to FILE, even while the program is running. Never overwrites a file.

    In the copy, campaigns that are being sent are paused, and scheduled ones are not scheduled any more, so
    that restoring it sends nothing twice.
    """
    from mailer.database.backup import backup as backup_database

    workspace = context.open_workspace()
    with context.open_database(workspace) as engine:
        backup_database(engine, file)
    say(f"Wrote {file} ({file.stat().st_size:,} bytes).")
