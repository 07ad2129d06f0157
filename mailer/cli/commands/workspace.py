"""The commands for a whole workspace: ``init``, ``demo`` and ``doctor``."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--sample", is_flag=True, help="Add the sample edition and import the sample partners.")
@json_option
def init(folder: Path, sample: bool, as_json: bool) -> None:
    """Create a workspace in DIR, with settings, keys and a database."""
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
