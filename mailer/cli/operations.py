"""Commands that run things: init, demo, serve, work, doctor, db."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import columns, emit, emit_json, json_option, say
from mailer.errors import MailerError


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--sample", is_flag=True, help="Bring the sample edition and import the sample partners.")
@json_option
def init(folder: Path, sample: bool, as_json: bool) -> None:
    """Make a workspace in DIR: settings, keys, an empty list, folders for editions."""
    from mailer.founding import found_workspace

    founded = found_workspace(folder, sample=sample, now=datetime.now(UTC))
    if as_json:
        emit_json(
            {"workspace": str(founded.root), "editions": list(founded.editions), "partners": founded.partners}
        )
        return
    say(f"Made the workspace {founded.root}.")
    if founded.editions:
        say(
            f"It holds the edition {', '.join(founded.editions)} and {founded.partners} partners to try with."
        )
        say(f"Next: mailer -C {folder} check {founded.editions[0]}")
    else:
        say(f"Next: write who sends into {folder}/mailer.toml, then begin: mailer -C {folder} new 2026-1")


@click.command()
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="Where to keep what it makes."
)
@click.option(
    "--browser/--no-browser",
    default=True,
    show_default=True,
    help="Open the edition in the browser at the end.",
)
def demo(folder: Path | None, browser: bool) -> None:
    """Show the whole journey on embedded parts.

    Write, check, preview, send, leave: on a real SMTP server and real pages. Nothing leaves this machine.
    """
    from mailer.cli.narration import TerminalNarrator
    from mailer.demo.journey import run_journey

    page = run_journey(folder or Path("partner-mailer-demo"), TerminalNarrator(), command=_own_command())
    if browser and sys.stdout.isatty():
        click.launch(page.as_uri())


def _own_command() -> str:
    """How to call this program again: by its name where the shell finds it, else as it was called now."""
    if shutil.which("mailer") is None and Path(sys.argv[0]).name == "mailer":
        return shlex.quote(sys.argv[0])
    return "mailer"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the port of [web] base_url, or 8025.")
@pass_home
def serve(home: Home, host: str, port: int | None) -> None:
    """Serve the pages readers reach from the mail: unsubscribe, preferences, archive."""
    from mailer.web.application import create_app
    from mailer.web.serving import serve as serve_app

    workspace = home.open()
    with home.database(workspace):
        pass
    chosen = urlsplit(workspace.settings.web.base_url).port or 8025 if port is None else port
    serve_app(
        create_app(workspace),
        host=host,
        port=chosen,
        announce=lambda url: say(f"Serving {url} until Ctrl-C."),
    )


@click.command()
def work() -> None:
    """Send scheduled campaigns in the background, on as many machines as wanted."""
    raise MailerError(
        "`mailer work` comes with a later version; `mailer send --confirm` sends in the foreground."
    )


@click.command()
@json_option
@pass_home
def doctor(home: Home, as_json: bool) -> None:
    """Look for what would go wrong: settings, keys, database, relay, this Python. Sends nothing."""
    from mailer.diagnosis import examine_workspace

    findings = examine_workspace(home.open())
    if as_json:
        emit_json([finding.as_dict() for finding in findings])
    else:
        emit(columns([(finding.verdict, finding.subject, finding.message) for finding in findings]))
    sys.exit(1 if any(finding.verdict == "bad" for finding in findings) else 0)


@click.group()
def db() -> None:
    """Upgrade and back up the database."""


@db.command()
@pass_home
def upgrade(home: Home) -> None:
    """Bring the database to this program's schema; does nothing when it is there already."""
    from mailer.database.migrating import upgrade as upgrade_database

    workspace = home.open()
    engine = workspace.open_database()
    try:
        upgrade_database(engine)
    finally:
        engine.dispose()
    say("The database is up to date.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_home
def backup(home: Home, file: Path) -> None:
    """Copy the database to FILE while the program may be running. Never overwrites."""
    from mailer.database.migrating import backup as backup_database

    workspace = home.open()
    with home.database(workspace) as engine:
        backup_database(engine, file)
    say(f"Wrote {file} ({file.stat().st_size:,} bytes).")
