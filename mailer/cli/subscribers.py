"""Commands about the list: import, list, count, export, show, suppress, erase."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli.home import Home, pass_home
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

    from mailer.settings import Settings
    from mailer.workspace import Workspace
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


def read_segment(settings: Settings, query: str, opened: Session | None = None) -> Segment:
    """The query as a segment, its sectors those of the workspace.

    ``opened`` answers what is asked about campaigns and saved segments.

    Raises:
        SegmentError: the query is wrong; the message shows the place.
    """
    if opened is None:
        from subscribers.segment import parse_segment

        return parse_segment(query, sectors=settings.sectors)
    from mailer.campaigns.answering import read_segment as read

    return read(query, settings, opened)


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
    with home.reading(workspace) as opened:
        segment = read_segment(workspace.settings, query, opened)
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
    say(f"{len(people)} subscriber{'' if len(people) == 1 else 's'}{_explained(workspace, segment)}.")


@subscribers.command()
@segment_option
@json_option
@pass_home
def count(home: Home, query: str, as_json: bool) -> None:
    """Count subscribers, those of a segment or all."""
    from subscribers.listing import count as count_subscribers

    workspace = home.open()
    with home.reading(workspace) as opened:
        segment = read_segment(workspace.settings, query, opened)
        number = count_subscribers(opened, segment)
    if as_json:
        emit_json({"segment": query, "count": number})
        return
    emit(str(number))
    if segment.terms:
        say(f"subscriber{'' if number == 1 else 's'}{_explained(workspace, segment)}.")


def _explained(workspace: Workspace, segment: Segment) -> str:
    """Who they are, in words, after a colon; empty for everybody."""
    from mailer.campaigns.answering import vocabulary_of
    from subscribers.explaining import explain

    return f": {explain(segment, vocabulary_of(workspace.settings))}" if segment.terms else ""


@subscribers.command()
@segment_option
@json_option
@pass_home
def audience(home: Home, query: str, as_json: bool) -> None:
    """Count those who get mail by country and sector, of a segment or all.

    Whoever would get mail today is counted; a segment that asks about status decides that itself.
    """
    from mailer.campaigns.answering import vocabulary_of
    from mailer.cli.crosstable import as_dict, print_table
    from subscribers.crosstable import count_table
    from subscribers.terms import Key

    workspace = home.open()
    settings, vocabulary = workspace.settings, vocabulary_of(workspace.settings)
    with home.reading(workspace) as opened:
        segment = read_segment(settings, query, opened)
        today = None if segment.asks_about(Key.status) else datetime.now(UTC).date()
        table = count_table(opened, segment, tuple(settings.sectors), today=today)
    if as_json:
        emit_json({"segment": segment.text, **as_dict(table, vocabulary)})
        return
    print_table(table, vocabulary)
    who = "Counted" if today is None else "Those who get mail today"
    say(f"{who}{_explained(workspace, segment)}. Whoever follows several sectors counts in each of them.")


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
    with home.reading(workspace) as opened:
        segment = read_segment(workspace.settings, query, opened)
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
    """Forget a person: their data goes, a keyed hash stays so that no import brings them back."""
    from mailer.feedback.erasing import erase_person
    from subscribers.listing import facts

    workspace = home.open()
    with home.reading(workspace) as opened:
        known = facts(opened, address)
    if not confirm:
        name = known["name"] or "no name"
        say(f"Would erase {known['email']} ({name}). This cannot be undone. Add --confirm to do it.")
        return
    with home.database(workspace) as engine:
        erase_person(
            engine, address, key=workspace.keys.suppression, method="command line", now=datetime.now(UTC)
        )
    say(f"{address} is erased.")
