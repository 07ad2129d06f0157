"""The group subscribers: commands that look at the list, and those of other files that change it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.cli import importing, privacy
from mailer.cli.home import Home, pass_home
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlmodel import Session

    from mailer.settings import Settings
    from mailer.workspace import Workspace
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
    import codecs

    from mailer.cli.output import writing_file
    from subscribers.exporting import Format, export_people

    wanted = Format(form)
    if output is None and wanted is Format.xlsx:
        raise click.UsageError("A workbook is no text. Name a file: -o partners.xlsx")
    workspace = home.open()
    with home.reading(workspace) as opened:
        segment = read_segment(workspace.settings, query, opened)
        if output is None:
            export_people(opened, segment, wanted, sys.stdout.buffer)
            return
        with writing_file(output) as file:
            if wanted is Format.csv:
                # Without this mark Excel takes UTF-8 for the system's own encoding.
                file.write(codecs.BOM_UTF8)
            number = export_people(opened, segment, wanted, file)
    say(f"Wrote {output}: {number} subscriber{'' if number == 1 else 's'}.")


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


for _command in (
    *(importing.import_, importing.imports, importing.rollback),
    *(privacy.data, privacy.suppress, privacy.unsuppress, privacy.erase, privacy.prune),
):
    subscribers.add_command(_command)
