"""Commands about what people may ask of a list: suppress, unsuppress, data, erase, prune."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import emit, emit_json, json_option, say

if TYPE_CHECKING:
    from mailer.feedback.erasing import Erasure
    from subscribers.lifting import Suppressed


@click.command()
@click.argument("address")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@pass_home
def data(home: Home, address: str, output: Path | None) -> None:
    """Write everything known about one subscriber as JSON, for them to have."""
    import json

    from mailer.cli.output import write_file
    from mailer.feedback.knowing import know

    workspace = home.open()
    with home.reading(workspace) as opened:
        known = know(opened, address, key=workspace.keys.suppression, now=datetime.now(UTC))
    if output is None:
        emit_json(known)
        return
    write_file(output, json.dumps(known, ensure_ascii=False, indent=2).encode(), private=True)
    say(f"Wrote {output}. It belongs to nobody else; erasing them deletes it where it is in the workspace.")


@click.command()
@click.argument("address")
@pass_home
def suppress(home: Home, address: str) -> None:
    """Make sure an address never gets mail again, whether it is on the list or not."""
    from subscribers.consent import suppress as suppress_address

    workspace = home.open()
    with home.writing(workspace) as opened:
        suppress_address(
            opened, address, key=workspace.keys.suppression, method="command line", now=datetime.now(UTC)
        )
    say(f"{address} is suppressed. No import brings it back.")


@click.command()
@click.argument("address")
@click.option("--reason", "why", metavar="TEXT", required=True, help="Why it may get mail again; kept.")
@click.option(
    "--by",
    metavar="NAME",
    envvar=["LOGNAME", "USER"],
    required=True,
    help="Who decided it; whoever gives the command, unless said. Kept too.",
)
@click.option("--confirm", is_flag=True, help="Do it; without it the command only says what it would do.")
@pass_home
def unsuppress(home: Home, address: str, why: str, by: str, confirm: bool) -> None:
    """Take an address off the list of those that must never get mail.

    Whom the team put there, whose mail came back, and who was erased. Whoever left or reported a mail as spam
    stays on it until they come back by their own hand. Nobody is made active by it.
    """
    from subscribers.lifting import look_at_suppression
    from subscribers.lifting import unsuppress as unsuppress_address

    workspace, now = home.open(), datetime.now(UTC)
    key = workspace.keys.suppression
    if not confirm:
        with home.reading(workspace) as opened:
            _tell_suppressed(look_at_suppression(opened, address, key=key))
        say(f"Would take {address} off the list. Add --confirm to do it.")
        return
    with home.writing(workspace) as opened:
        found = unsuppress_address(opened, address, key=key, by=by, why=why, method="command line", now=now)
    _tell_suppressed(found)
    say(f"{address} is off the list of suppressed addresses; kept with it: {by}, {why}")


@click.command()
@click.argument("address")
@click.option("--confirm", is_flag=True, help="Do it; without it the command only says what it would do.")
@pass_home
def erase(home: Home, address: str, confirm: bool) -> None:
    """Forget a person: their data goes, a keyed hash stays so that no import brings them back.

    In the database, its log and freed pages, and in what the workspace wrote: previews, rehearsals, lists,
    the log. If it is cut off, the same command finishes it. What it cannot reach is named.
    """
    from mailer.feedback.erasing import erase_person, plan_erasure

    workspace = home.open()
    with home.database(workspace) as engine:
        if not confirm:
            planned = plan_erasure(workspace, engine, address)
            _tell_traces(planned, done=False)
            known = (
                "was erased before; what is left would be finished" if planned.resumed else "is on the list"
            )
            say(f"Would erase {address}, who {known}. This cannot be undone. Add --confirm to do it.")
            return
        erasure = erase_person(workspace, engine, address, method="command line", now=datetime.now(UTC))
    _tell_traces(erasure, done=True)
    say(f"{address} is erased. Out of this program's reach are: {'; '.join(erasure.out_of_reach)}.")
    if erasure.left:
        say("These files still name them: " + ", ".join(str(trace.path) for trace in erasure.left))
        sys.exit(1)


@click.command()
@click.option(
    "--dry-run", is_flag=True, help="Say what would happen and change nothing, as without --confirm."
)
@click.option("--confirm", is_flag=True, help="Do it; without it the command only says what it would do.")
@json_option
@pass_home
def prune(home: Home, dry_run: bool, confirm: bool, as_json: bool) -> None:
    """Let go what [retention] keeps no longer: unconfirmed sign-ups, people long gone, old words."""
    from dataclasses import asdict

    from mailer.feedback.pruning import plan_pruning
    from mailer.feedback.pruning import prune as prune_list

    workspace, now = home.open(), datetime.now(UTC)
    really = confirm and not dry_run
    with home.database(workspace) as engine:
        if really:
            found = prune_list(workspace, engine, now=now)
        else:
            found = plan_pruning(engine, workspace.settings.retention, now=now)
    if as_json:
        emit_json({"done": really, "rules": [asdict(rule) for rule in found]})
        return
    for rule in found:
        emit(str(rule))
    say("Done." if really else "Nothing was changed. Add --confirm to do it.")


def _tell_suppressed(found: Suppressed) -> None:
    """What it is, and what comes of taking it off the list."""
    from subscribers.models import Event

    stories = {
        Event.suppressed: "put on the list by the team",
        Event.bounced: "mail to it came back",
        Event.erased: "its owner was erased",
    }
    emit(f"{found.email}: suppressed since {found.since:%Y-%m-%d}, {stories[found.reason]}")
    if found.status is None:
        say("It is nobody's on the list: from then on an import or a sign-up can bring it in.")
        return
    say(f"Its subscriber stays {found.status}, and comes back by their own hand: by their link or a sign-up.")


def _tell_traces(erasure: Erasure, *, done: bool) -> None:
    from mailer.feedback.traces import Treatment

    verbs = {
        Treatment.delete: ("would delete", "deleted"),
        Treatment.shorten: ("would take their rows out of", "took their rows out of"),
        Treatment.mask: ("would mask them in", "masked them in"),
        Treatment.leave: ("cannot clean", "could not clean"),
    }
    for trace in erasure.traces:
        emit(f"{verbs[trace.treatment][done]} {trace.path}: {trace.reason}")
