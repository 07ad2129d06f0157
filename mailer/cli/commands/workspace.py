"""The commands about a workspace: `init`, `demo`, `db` and `keys`."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import log_deed
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say

if TYPE_CHECKING:
    from mailer.cli.progress import TerminalDemoOutput
    from mailer.keys import TokenKey
    from mailer.workspace_init import Founder


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", metavar="TEXT", help="The sender's name, as readers see it.")
@click.option("--address", metavar="ADDRESS", help="The address your newsletter comes from.")
@click.option("--organisation", metavar="TEXT", help="The organisation's name, for the footer.")
@click.option("--postal-address", metavar="TEXT", help="The organisation's postal address, on one line.")
@click.option(
    "--sectors",
    metavar="NAMES",
    help="What your readers can follow, separated by commas, such as 'Education, Culture'; '' for none.",
)
@click.option("--edition", metavar="SLUG", default="", help="Also begin this edition, as `mailer new` does.")
@click.option(
    "--sample",
    is_flag=True,
    help="Add the sample edition and import the sample partners. Without --name and the others, the sender "
    "is the sample's too, and nothing can be sent.",
)
@json_option
def init(folder: Path, *, edition: str, sample: bool, as_json: bool, **answers: str | None) -> None:
    """Create a workspace in DIR, with settings, keys and a database.

    Asks who the newsletter is from, and which sectors readers can follow. A script gives the answers as
    options.
    """
    from mailer.workspace_init import create_workspace

    given = any(answer is not None for answer in answers.values())
    founder = _ask_founder(answers) if given or not sample else None
    created = create_workspace(folder, sample=sample, now=datetime.now(UTC), founder=founder, edition=edition)
    log_deed(CliContext(folder), deeds.created_workspace(edition))
    if as_json:
        emit_json(
            {"workspace": str(created.root), "editions": list(created.editions), "partners": created.partners}
        )
        return
    say(f"Created the workspace {created.root}.")
    if sample:
        say(f"It contains the edition {created.editions[0]} and {created.partners} sample partners.")
    if founder is None:
        say("Its sender is the sample's, so nothing can be sent before you change [sender] in mailer.toml.")
    _print_next_steps(folder, created.editions, sample=sample)


def _print_next_steps(folder: Path, slugs: Sequence[str], *, sample: bool) -> None:
    command = shlex.join(["mailer", "-C", str(folder)])
    if sample:
        say(f"Next: {command} check {slugs[0]}")
    elif slugs:
        say(f"Next: import your list with {command} subscribers import FILE, and write editions/{slugs[0]}.")
    else:
        say(
            f"Next: import your list with {command} subscribers import FILE, and begin an edition with "
            f"{command} new {datetime.now(UTC):%Y}-1"
        )
    say(f"Or write in the browser, with your team: {command} studio")


def _ask_founder(answers: Mapping[str, str | None]) -> Founder:
    """Return the answers that were given as options, and on a terminal those to the questions that remain."""
    from mailer import workspace_init as init_

    questions: Mapping[str, tuple[str, Callable[[str], object]]] = {
        "organisation": ("Your organisation's name", init_.check_name),
        "name": ("The sender's name, as readers see it", init_.check_name),
        "address": ("The address your newsletter comes from", init_.check_address),
        "postal_address": ("Your postal address, on one line", init_.check_postal_address),
        "sectors": (
            "What readers can follow, separated by commas, such as Education, Culture (Enter for nothing)",
            init_.name_sectors,
        ),
    }
    known = {key: answer for key, answer in answers.items() if answer is not None}
    missing = [key for key in questions if key not in known]
    if sys.stdin.isatty():
        for key, (question, check) in questions.items():
            if key in missing:
                default = {"name": known.get("organisation"), "sectors": ""}.get(key)
                known[key] = _ask(question, check, default)
    elif required := [f"--{key.replace('_', '-')}" for key in missing if key != "sectors"]:
        raise click.UsageError(
            f"A newsletter needs a sender. Add {', '.join(required)}, or run this on a terminal to be asked. "
            "To look around first, add --sample."
        )
    return init_.Founder(**known)


def _ask(question: str, check: Callable[[str], object], default: str | None) -> str:
    from mailer.errors import MailerError

    def read(answer: str) -> str:
        try:
            check(answer)
        except MailerError as error:
            raise click.UsageError(str(error)) from error
        return answer

    answer: str = click.prompt(
        question, default=default, show_default=bool(default), value_proc=read, err=True
    )
    return answer


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
    help="Open the report, or else the edition, in the browser when the demo has sent everything.",
)
@click.option(
    "--studio/--no-studio",
    default=None,
    help="Show the report in Studio at the end, until you press Ctrl-C. Default: if you are at a terminal.",
)
def demo(folder: Path | None, browser: bool, studio: bool | None) -> None:
    """Run a newsletter from start to finish with built-in servers.

    Checks, previews and sends the sample edition through a real SMTP server, unsubscribes a reader on a
    real web page, reads what comes back, and ends in Studio with the report. Nothing leaves this machine.
    """
    from mailer.cli.progress import TerminalDemoOutput
    from mailer.demo import run_walkthrough

    root, output = folder or Path("partner-mailer-demo"), TerminalDemoOutput()
    page = run_walkthrough(root, output, command=_program_name())
    is_at_terminal = sys.stdout.isatty()
    if is_at_terminal if studio is None else studio:
        _show_in_studio(root, output, opens_browser=browser and is_at_terminal)
    elif browser and is_at_terminal:
        click.launch(page.as_uri())


def _show_in_studio(root: Path, output: TerminalDemoOutput, *, opens_browser: bool) -> None:
    from mailer.campaigns.send import stop_on_signals
    from mailer.demo import find_free_port, show_in_studio

    def announce(link: str) -> None:
        output.step("The report in Studio")
        output.line("Open this link; it signs you in as a guest, once, within a quarter of an hour:")
        output.line(link)
        output.line("Press Ctrl-C to stop.")
        if opens_browser:
            click.launch(link)

    with stop_on_signals():
        show_in_studio(root, announce=announce, free_port=find_free_port)


def _program_name() -> str:
    """Return how to run this program again: ``mailer`` if it is on the path, otherwise as it was run now."""
    if shutil.which("mailer") is None and Path(sys.argv[0]).name == "mailer":
        return shlex.quote(sys.argv[0])
    return "mailer"


@click.group()
def db() -> None:
    """Upgrade and back up the database."""


@db.command()
@click.option("--restored", is_flag=True, help="Say that the database was put back from a copy.")
@pass_context
def upgrade(context: CliContext, *, restored: bool) -> None:
    """Create or update the database tables; does nothing if they are up to date.

    After a restore, --restored makes sure that no link in a mail that was sent since the copy was made can
    name somebody who is added from now on.
    """
    from mailer.database.number_series import begin_series
    from mailer.database.schema import read_revision
    from mailer.database.schema import upgrade as upgrade_database

    with context.workspace.use_database() as engine:
        with engine.connect().execution_options(read_only=True) as connection:
            is_new = read_revision(connection) is None
        upgrade_database(engine)
        begin_series(engine, is_restored=restored)
    log_deed(context, deeds.upgraded_database())
    say("The database is up to date.")
    if is_new:
        # A database that was lost looks like one that was never made.
        say(
            "It is new and empty. If this workspace has sent mail before, restore its backup instead: links "
            "in those mails do not work with this database."
        )


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@pass_context
def backup(context: CliContext, file: Path) -> None:
    """Copy the database to FILE, even while the program is running. Never overwrites a file.

    In the copy, campaigns that are being sent are paused, and scheduled ones are not scheduled any more, so
    that restoring it sends nothing twice.
    """
    from mailer.database.backup import backup as backup_database

    with context.open_database() as engine:
        backup_database(engine, file)
    log_deed(context, deeds.backed_up_database(file.name))
    say(f"Wrote {file} ({file.stat().st_size:,} bytes).")


@click.group()
def keys() -> None:
    """List, rotate and retire the keys that sign the links in mails."""


@keys.command(name="list")
@json_option
@pass_context
def list_(context: CliContext, as_json: bool) -> None:
    """List the keys by number, without their secrets, and show which one signs new links."""
    from mailer.keys import KEYS_FILE, list_keys

    found = list_keys(context.workspace.root / KEYS_FILE)
    if as_json:
        emit_json(found)
        return
    rows = [(key.number, key.made or "–", key.last_day or "–", _describe_use(key)) for key in found]
    emit(columns(rows, head=("key", "made", "last day", "what it does"), right=(0,)))


def _describe_use(key: TokenKey) -> str:
    if key.signs:
        return "signs and reads"
    return f"nothing: retired on {key.retired}" if key.retired else "reads"


@keys.command()
@json_option
@pass_context
def rotate(context: CliContext, as_json: bool) -> None:
    """Create a new key to sign links from now on. Links in newsletters already sent keep working.

    Single-use links, such as those that confirm an erasure, stop working and have to be requested again.
    Whoever has a copy of an older key can still unsubscribe people with it; `mailer keys retire` ends that.
    """
    from mailer.keys import KEYS_FILE, rotate_keys

    path = context.workspace.root / KEYS_FILE
    number = rotate_keys(path, now=datetime.now(UTC))
    log_deed(context, deeds.rotated_keys())
    if as_json:
        emit_json({"number": number})
    say(
        f"Key {number} signs new links from now on. Older keys still verify the links in newsletters already "
        f"sent. Back up {path.name}, and copy it to every machine that uses this workspace today: from "
        "tomorrow, links that the older key signs for a new campaign are refused. Programs that are running "
        "notice by themselves; a campaign that is being sent is finished with the key it began with."
    )


@keys.command()
@click.argument("number", metavar="KEY", type=int)
@click.option("--confirm", is_flag=True, help="Retire it; without this option, only show what would stop.")
@json_option
@pass_context
def retire(context: CliContext, number: int, confirm: bool, as_json: bool) -> None:
    """End all links that an older key has signed, because somebody else may have the key.

    A reader who opens one of them, or whose mail program uses one to unsubscribe, changes nothing; the page
    offers to mail a new link. DKIM keys and Message-IDs are not affected. Example: mailer keys retire 1
    """
    from mailer.campaigns.report.summary import count_readers
    from mailer.campaigns.uses import find_key_use
    from mailer.keys import KEYS_FILE, find_retirable_key, retire_key

    path = context.workspace.root / KEYS_FILE
    key = find_retirable_key(path, number)
    with context.read_session() as session:
        use = find_key_use(session, key)
    now = datetime.now(UTC)
    if confirm:
        retire_key(path, number, now=now)
        log_deed(context, deeds.retired_key(number))
    if as_json:
        emit_json({"number": number, "retired": confirm or bool(key.retired), **vars(use)})
    show = say if as_json else emit
    if use.campaigns:
        show(
            f"Key {number} may have signed links in {use.campaigns:,} "
            f"campaign{'' if use.campaigns == 1 else 's'} to {count_readers(use.readers)}, the last launched "
            f"on {use.last_launch}."
        )
    else:
        show(f"Key {number} signed links in no campaign.")
    if use.is_protected(now.date()):
        say(
            "The law of some countries asks that a link to unsubscribe works for 30 days (US) or 60 days "
            "(Canada) after a mail. Answer requests to unsubscribe by hand until then, or send those "
            "readers a mail with new links."
        )
    if not confirm:
        command = context.command_line("keys", "retire", str(number), "--confirm")
        say(f"Would end those links. To do it: {command}")
        return
    say(
        f"Key {number} is retired: its links change nothing and lead to a page that mails a new one. Back up "
        f"{path.name}, and copy it to every machine that uses this workspace. Programs that are running "
        "notice by themselves."
    )
