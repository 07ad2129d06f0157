"""The commands that set up and run the program: init, demo, serve, work, doctor and db."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say

if TYPE_CHECKING:
    from mailer.workspace import Workspace


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--sample", is_flag=True, help="Add the sample edition and import the sample partners.")
@json_option
def init(folder: Path, sample: bool, as_json: bool) -> None:
    """Create a workspace in DIR: settings, keys, an empty list of subscribers, folders for editions."""
    from mailer.workspace_init import create_workspace

    founded = create_workspace(folder, sample=sample, now=datetime.now(UTC))
    if as_json:
        emit_json(
            {"workspace": str(founded.root), "editions": list(founded.editions), "partners": founded.partners}
        )
        return
    say(f"Created the workspace {founded.root}.")
    if founded.editions:
        say(f"It contains the edition {', '.join(founded.editions)} and {founded.partners} sample partners.")
        say(f"Next: mailer -C {folder} check {founded.editions[0]}")
    else:
        say(f"Next: fill in [sender] in {folder}/mailer.toml, then start with: mailer -C {folder} new 2026-1")


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for everything the demo makes.",
)
@click.option(
    "--browser/--no-browser",
    default=True,
    show_default=True,
    help="Open the edition in the browser when the demo has finished.",
)
def demo(folder: Path | None, browser: bool) -> None:
    """Run a newsletter from start to finish with built-in servers.

    Checks, previews and sends the sample edition through a real SMTP server, and unsubscribes a reader on a
    real web page. Nothing leaves this machine.
    """
    from mailer.cli.demo_output import TerminalDemoOutput
    from mailer.demo.walkthrough import run_walkthrough

    page = run_walkthrough(
        folder or Path("partner-mailer-demo"), TerminalDemoOutput(), command=_program_name()
    )
    if browser and sys.stdout.isatty():
        click.launch(page.as_uri())


def _program_name() -> str:
    """How to run this program again: ``mailer`` if it is on the path, otherwise as it was run now."""
    if shutil.which("mailer") is None and Path(sys.argv[0]).name == "mailer":
        return shlex.quote(sys.argv[0])
    return "mailer"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: the port of [web] base_url, or 8025.")
@click.option("--no-work", is_flag=True, help="Only serve pages; leave campaigns to `mailer work`.")
@pass_context
def serve(context: CliContext, host: str, port: int | None, no_work: bool) -> None:
    """Serve the web pages for readers: unsubscribe, preferences and archive.

    Like `mailer work`, it also starts scheduled campaigns, sends unfinished ones and mails the links that
    readers request.
    """
    from mailer.campaigns.signals import stop_on_signals
    from mailer.web.app import create_app
    from mailer.web.server import serve as serve_app

    workspace = context.open_workspace()
    with context.open_database(workspace):
        pass
    chosen = urlsplit(workspace.settings.web.base_url).port or 8025 if port is None else port
    beside = contextlib.nullcontext() if no_work else _worker_thread(workspace)
    # The server shuts down cleanly and then raises the signal again, which must not interrupt messages that
    # are being sent.
    with stop_on_signals(), beside:
        serve_app(
            create_app(workspace),
            host=host,
            port=chosen,
            announce=lambda url: say(f"Serving {url}. Press Ctrl-C to stop."),
        )


@contextlib.contextmanager
def _worker_thread(workspace: Workspace) -> Iterator[None]:
    """Run a worker in a thread of this process; at the end it finishes the messages it has begun."""
    from mailer.campaigns.worker import run_worker as work_on

    stop = threading.Event()

    def run() -> None:
        work_on(workspace, stop=stop, say=say, use_jobs=False)

    thread = threading.Thread(target=run, name="mailer-work")
    thread.start()
    try:
        with _letter_thread(workspace):
            yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def _letter_thread(workspace: Workspace) -> Iterator[None]:
    """Mail the letters that readers request on the pages, in a thread of this process."""
    from mailer.selfservice.letter_worker import run_letter_worker

    stop = threading.Event()

    def run() -> None:
        run_letter_worker(workspace, stop=stop, report=say)

    thread = threading.Thread(target=run, name="mailer-letters")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@click.command()
@click.option(
    "--no-listen",
    is_flag=True,
    help="Poll the database instead of waiting for notifications; needed behind PgBouncer in transaction "
    "mode.",
)
@pass_context
def work(context: CliContext, no_listen: bool) -> None:
    """Start scheduled campaigns and send unfinished ones, until you press Ctrl-C.

    With PostgreSQL, run it on as many machines as you like. If one of them dies, the others take over its
    work.
    """
    from mailer.campaigns.signals import stop_on_signals
    from mailer.campaigns.worker import run_worker as work_on

    workspace = context.open_workspace()
    with context.open_database(workspace):
        pass
    with stop_on_signals() as stop:
        say("Waiting for campaigns to send. Press Ctrl-C to stop.")
        with _letter_thread(workspace):
            work_on(workspace, stop=stop, say=say, listen=not no_listen)
    say("Stopped. No message was interrupted.")


@click.command()
@json_option
@pass_context
def doctor(context: CliContext, as_json: bool) -> None:
    """Check the workspace for problems: settings, keys, database, mail relay, Python. Sends nothing."""
    from mailer.doctor import diagnose_workspace

    findings = diagnose_workspace(context.open_workspace())
    if as_json:
        emit_json([finding.as_dict() for finding in findings])
    else:
        emit(columns([(finding.verdict, finding.subject, finding.message) for finding in findings]))
    sys.exit(1 if any(finding.verdict == "bad" for finding in findings) else 0)


@click.group()
def db() -> None:
    """Upgrade and back up the database."""


@db.command()
@pass_context
def upgrade(context: CliContext) -> None:
    """Create or update the database tables; does nothing if they are up to date."""
    from mailer.database.schema import upgrade as upgrade_database

    workspace = context.open_workspace()
    engine = workspace.open_database()
    try:
        upgrade_database(engine)
    finally:
        engine.dispose()
    say("The database is up to date.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_context
def backup(context: CliContext, file: Path) -> None:
    """Copy the database to FILE, even while the program is running. Never overwrites a file."""
    from mailer.database.schema import backup as backup_database

    workspace = context.open_workspace()
    with context.open_database(workspace) as engine:
        backup_database(engine, file)
    say(f"Wrote {file} ({file.stat().st_size:,} bytes).")
