"""Commands about the list: import, list, count, export, show, suppress, erase."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.feedback.erasing import Erasure
    from mailer.settings import Settings
    from subscribers.importing import ImportReport
    from subscribers.segment import Segment


def segment_option(command: Callable[..., None]) -> Callable[..., None]:
    """``--segment``: who is meant."""
    return click.option(
        "--segment",
        "query",
        metavar="QUERY",
        default="",
        help="Such as 'country:MN,CN sector:education -tag:press'.",
    )(command)


def read_segment(settings: Settings, query: str) -> Segment:
    """The query as a segment, its sectors those of the workspace.

    Raises:
        SegmentError: the query is wrong; the message shows the place.
    """
    from subscribers.segment import parse_segment

    return parse_segment(query, sectors=settings.sectors)


@click.group()
def subscribers() -> None:
    """Import, find, export and remove the people and desks who get the newsletter."""


@subscribers.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@json_option
@pass_home
def import_(home: Home, file: Path, dry_run: bool, as_json: bool) -> None:
    """Bring in a CSV file: email,name,organisation,country,sectors,language,tags.

    Bad rows are refused by number and reason, the good ones go in. Nobody who left comes back this way.
    """
    from subscribers.importing import import_csv

    workspace = home.open()
    with home.writing(workspace) as opened:
        report = import_csv(
            opened,
            file,
            sectors=workspace.settings.sectors,
            key=workspace.keys.suppression,
            now=datetime.now(UTC),
            dry_run=dry_run,
        )
    if as_json:
        emit_json(report.as_dict())
    else:
        _tell_import(report, file, dry_run=dry_run)


def _tell_import(report: ImportReport, file: Path, *, dry_run: bool) -> None:
    for refusal in report.refused:
        emit(f"{file}:{refusal.row}: refused: {refusal.reason}")
    verb = "Would be" if dry_run else "Done:"
    say(
        f"{verb} {report.added} added, {report.updated} updated, {report.unchanged} unchanged, "
        f"{report.suppressed} suppressed, {len(report.refused)} refused."
    )


@subscribers.command(name="list")
@segment_option
@json_option
@pass_home
def list_(home: Home, query: str, as_json: bool) -> None:
    """List subscribers, those of a segment or all."""
    from subscribers.listing import list_facts

    workspace = home.open()
    segment = read_segment(workspace.settings, query)
    with home.reading(workspace) as opened:
        people = list(list_facts(opened, segment))
    if as_json:
        emit_json(people)
        return
    rows = [
        (
            person["email"],
            shorten(person["name"], 32),
            person["country"] or "",
            shorten(", ".join(person["sectors"]), 40),
            person["status"],
        )
        for person in people
    ]
    emit(columns(rows, head=("email", "name", "country", "sectors", "status")))
    say(f"{len(people)} subscriber{'' if len(people) == 1 else 's'}.")


@subscribers.command()
@segment_option
@json_option
@pass_home
def count(home: Home, query: str, as_json: bool) -> None:
    """Count subscribers, those of a segment or all."""
    from subscribers.listing import count as count_subscribers

    workspace = home.open()
    segment = read_segment(workspace.settings, query)
    with home.reading(workspace) as opened:
        number = count_subscribers(opened, segment)
    if as_json:
        emit_json({"segment": query, "count": number})
    else:
        emit(str(number))


@subscribers.command()
@segment_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "xlsx", "mailchimp", "listmonk"]),
    default="csv",
    show_default=True,
    help="Whose format to write.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@pass_home
def export(home: Home, query: str, form: str, output: Path | None) -> None:
    """Write subscribers as a file that can be imported again."""
    import io

    from mailer.cli.output import write_file
    from mailer.errors import MailerError
    from subscribers.exporting import export_csv

    if form != "csv":
        raise MailerError(f"--format {form} comes with a later version; csv is there now.")
    workspace = home.open()
    stream = io.StringIO(newline="")
    segment = read_segment(workspace.settings, query)
    with home.reading(workspace) as opened:
        export_csv(opened, segment, stream)
    if output is None:
        click.echo(stream.getvalue(), nl=False)
    else:
        # With a byte order mark, or Excel takes UTF-8 for the system's own encoding.
        write_file(output, stream.getvalue().encode("utf-8-sig"))
        say(f"Wrote {output}.")


@subscribers.command()
@click.argument("address")
@json_option
@pass_home
def show(home: Home, address: str, as_json: bool) -> None:
    """Show everything known about one subscriber."""
    from subscribers.listing import facts

    workspace = home.open()
    with home.reading(workspace) as opened:
        known = facts(opened, address)
    if as_json:
        emit_json(known)
        return
    records = known.pop("consent")
    emit(
        columns(
            [
                (name, ", ".join(value) if isinstance(value, list) else value or "–")
                for name, value in known.items()
            ]
        )
    )
    for record in records:
        emit(f"{record['at']}  {record['event']}  {record['method']}  {record['source']}".rstrip())


@subscribers.command()
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


@subscribers.command()
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


@subscribers.command()
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


@subscribers.command()
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
