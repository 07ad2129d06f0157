"""The commands of ``mailer subscribers`` that read the list; those that change it are in other modules."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailer.activity import deeds
from mailer.cli.activity_log import log_deed
from mailer.cli.commands import imports, one_subscriber, privacy
from mailer.cli.context import CliContext, pass_context
from mailer.cli.output import columns, emit, emit_json, json_option, say, shorten

if TYPE_CHECKING:
    from sqlmodel import Session

    from mailer.settings import Settings
    from mailer.workspace import Workspace
    from subscribers.segments.segment import Segment


segment_option = click.option(
    "--segment",
    "query",
    metavar="QUERY",
    default="",
    help="Only this segment, such as 'country:MN,CN sector:education -tag:press'.",
)


def read_segment(settings: Settings, query: str, session: Session | None = None) -> Segment:
    """Parse a segment; with a ``session``, it may also refer to campaigns and saved segments."""
    # All subscribers: nothing in the query can refer to deliveries, whose tables take long to load.
    if session is None or not query.strip():
        from subscribers.segments.segment import parse_segment

        return parse_segment(query, sectors=settings.sectors)
    from mailer.campaigns.delivery_history import read_segment as read

    return read(query, settings, session)


@click.group()
def subscribers() -> None:
    """Import, add, list, change, export and remove subscribers."""


@subscribers.command(name="list")
@segment_option
@json_option
@pass_context
def list_(context: CliContext, query: str, as_json: bool) -> None:
    """List all subscribers, or those of a segment."""
    from subscribers.queries import list_subscriber_details

    with context.read_session() as session:
        segment = read_segment(context.workspace.settings, query, session)
        people = list(list_subscriber_details(session, segment))
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
    in_words = _segment_in_words(context.workspace, segment)
    say(f"{len(people)} subscriber{'' if len(people) == 1 else 's'}{in_words}.")


@subscribers.command()
@segment_option
@json_option
@pass_context
def count(context: CliContext, query: str, as_json: bool) -> None:
    """Count all subscribers, or those of a segment."""
    from subscribers.queries import count_subscribers

    with context.read_session() as session:
        segment = read_segment(context.workspace.settings, query, session)
        number = count_subscribers(session, segment)
    if as_json:
        emit_json({"segment": query, "count": number})
        return
    emit(str(number))
    if segment.terms:
        say(f"subscriber{'' if number == 1 else 's'}{_segment_in_words(context.workspace, segment)}.")


def _segment_in_words(workspace: Workspace, segment: Segment) -> str:
    """Return the segment in words, after a colon; empty for all subscribers."""
    from mailer.campaigns.delivery_history import vocabulary_of
    from subscribers.segments.description import describe_segment

    return f": {describe_segment(segment, vocabulary_of(workspace.settings))}" if segment.terms else ""


@subscribers.command()
@segment_option
@json_option
@pass_context
def audience(context: CliContext, query: str, as_json: bool) -> None:
    """Count the subscribers who get mail, by country and sector.

    Counts those who would get mail today, unless the segment asks about the status itself.
    """
    from mailer.campaigns.delivery_history import vocabulary_of
    from mailer.cli.rich_tables import as_dict, print_table
    from subscribers.queries import make_cross_table
    from subscribers.segments.terms import TermKey

    workspace = context.workspace
    settings, vocabulary = workspace.settings, vocabulary_of(workspace.settings)
    with context.read_session() as session:
        segment = read_segment(settings, query, session)
        today = None if segment.asks_about(TermKey.status) else datetime.now(UTC).date()
        table = make_cross_table(session, segment, tuple(settings.sectors), today=today)
    if as_json:
        emit_json({"segment": segment.text, **as_dict(table, vocabulary)})
        return
    print_table(table, vocabulary)
    who = "Subscribers" if today is None else "Subscribers who would get mail today"
    say(
        f"{who}{_segment_in_words(workspace, segment)}. People who follow several sectors are counted in "
        "each."
    )


@subscribers.command()
@segment_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "xlsx", "mailchimp", "listmonk"]),
    default="csv",
    show_default=True,
    help="The format of the file.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@pass_context
def export(context: CliContext, query: str, form: str, output: Path | None) -> None:
    """Export subscribers to a file that can be imported again."""
    import codecs

    from mailer.atomic_write import atomic_file
    from subscribers.export import ExportFormat, count_left_out, export_subscribers

    wanted = ExportFormat(form)
    if output is None and wanted is ExportFormat.xlsx:
        raise click.UsageError("A workbook cannot be printed. Give a file name, such as -o partners.xlsx")
    with context.read_session() as session:
        segment = read_segment(context.workspace.settings, query, session)
        if output is None:
            export_subscribers(session, segment, wanted, sys.stdout.buffer)
            log_deed(context, deeds.exported_subscribers(query, form))
            return
        with atomic_file(output) as file:
            if wanted is ExportFormat.csv:
                # Without this mark Excel reads the file in the system's own encoding instead of UTF-8.
                file.write(codecs.BOM_UTF8)
            number = export_subscribers(session, segment, wanted, file)
        left_out = count_left_out(session, segment)
    log_deed(context, deeds.exported_subscribers(query, form))
    say(f"Wrote {output}: {number} subscriber{'' if number == 1 else 's'}.")
    if left_out:
        say(
            f"Left out: {left_out} who left, do not work, or have not confirmed. Whoever imports the file "
            "elsewhere must not write to them either: `mailer subscribers list --segment "
            "'status:unsubscribed,bounced,complained,pending'` lists them."
        )


@subscribers.command()
@click.argument("address")
@json_option
@pass_context
def show(context: CliContext, address: str, as_json: bool) -> None:
    """Show everything stored about one subscriber."""
    from subscribers.queries import read_subscriber_details

    with context.read_session() as session:
        known = read_subscriber_details(session, address)
    if as_json:
        emit_json(known)
        return
    records = known.pop("consent")
    emit(columns([(name, _describe_value(value)) for name, value in known.items()]))
    for record in records:
        emit(f"{record['at']}  {record['event']}  {record['method']}  {record['source']}".rstrip())


def _describe_value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value or "–")


for _command in (
    *(imports.import_, imports.imports, imports.rollback),
    *(one_subscriber.add, one_subscriber.edit, one_subscriber.tag),
    *(one_subscriber.pause, one_subscriber.unsubscribe, one_subscriber.merge),
    *(privacy.sign_ups, privacy.admit, privacy.decline),
    *(privacy.data, privacy.suppress, privacy.unsuppress, privacy.erase, privacy.prune),
):
    subscribers.add_command(_command)
